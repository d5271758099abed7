"""What arrives for one account: people's messages, and what they have read."""
