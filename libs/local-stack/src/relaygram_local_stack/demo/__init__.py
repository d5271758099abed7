"""`relaygram demo`: the whole line once, with a crash half-way, checked against what Telegram got."""
