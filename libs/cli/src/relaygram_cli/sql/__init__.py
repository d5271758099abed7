"""What `relaygram doctor` asks a database."""
