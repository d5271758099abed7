"""The HTTP service: identities, campaigns, contacts, Telegram accounts and the logs."""
