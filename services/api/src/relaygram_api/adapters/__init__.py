"""One technology and one noun a file."""
