"""A local Telegram: an MTProto server for unmodified Telethon clients, with an HTTP control plane."""
