"""What the dispatcher touches: PostgreSQL and JetStream, one thing a file."""
