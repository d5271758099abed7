"""Rows in PostgreSQL's COPY text format: https://www.postgresql.org/docs/18/sql-copy.html, "Text Format"."""

from collections.abc import Iterable, Sequence

NULL = r"\N"
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_QUOTED = str.maketrans({"\\": r"\\", '"': r"\""})


def text_column(values: Sequence[str | None]) -> list[str]:
    """Texts; None is null."""
    text = "".join(filter(None, values))
    if any(special in text for special in "\\\t\n\r"):
        return [NULL if value is None else value.translate(_ESCAPED) for value in values]
    return [NULL if value is None else value for value in values]


def plain_column(values: Iterable[object]) -> list[str]:
    """Whatever is written without any special character, such as numbers; None is null."""
    return [NULL if value is None else str(value) for value in values]


def bytes_column(values: Iterable[bytes | None]) -> list[str]:
    """bytea; None is null."""
    return [NULL if value is None else rf"\\x{value.hex()}" for value in values]


def array_column(values: Iterable[Sequence[str]]) -> list[str]:
    """text[], never null."""
    written: dict[tuple[str, ...], str] = {}
    column = []
    for value in values:
        key = tuple(value)
        text = written.get(key)
        if text is None:
            quoted = ",".join(f'"{one.translate(_QUOTED)}"' for one in key)
            text = written[key] = f"{{{quoted}}}".translate(_ESCAPED)
        column.append(text)
    return column


def rows(*columns: Sequence[str]) -> bytes:
    """Columns side by side, each already written by one of the functions above."""
    return "".join([f"{row}\n" for row in map("\t".join, zip(*columns, strict=True))]).encode()
