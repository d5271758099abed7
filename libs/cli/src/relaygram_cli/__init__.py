"""The relaygram command: what a person types."""
