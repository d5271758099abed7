"""Named statements; loaded by relaygram_common.database.statements."""
