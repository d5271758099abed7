"""What the log-writer touches: PostgreSQL."""
