"""`relaygram doctor`: one check after another, each a small function; the table of them is in checks.py."""
