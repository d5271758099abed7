"""What answers look like, for the OpenAPI document; a test compares each with the real answers."""
