"""Passwords, API tokens, and sealing of what must rest unreadable."""
