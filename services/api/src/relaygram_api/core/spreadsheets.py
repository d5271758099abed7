"""Values for CSV files that people open in spreadsheets."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def harmless(value: str) -> str:
    """A value that a spreadsheet would run as a formula gets a quote in front."""
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
