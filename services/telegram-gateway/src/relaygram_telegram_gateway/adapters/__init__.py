"""One technology and one thing a file: Telethon, NATS, PostgreSQL."""
