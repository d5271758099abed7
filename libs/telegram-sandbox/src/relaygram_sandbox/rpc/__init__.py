"""Telegram's methods, one module for each part of its API. Importing this package registers all of them."""

from relaygram_sandbox.rpc import auth, contacts, help, history, media, messages, password, updates, upload, users

__all__ = ["auth", "contacts", "help", "history", "media", "messages", "password", "updates", "upload", "users"]
