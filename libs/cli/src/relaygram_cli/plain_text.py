"""Texts of others on a terminal: names and messages may hold anything, and must not move the cursor or lie."""

import unicodedata

# Direction overrides and isolates can make a line read as something else.
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """Control characters but line feed and tab shown as `\\x1b`, so that they do nothing."""
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def one_line(text: str) -> str:
    """The same on one line."""
    return " ".join(plain(text).split())


def _shown(character: str) -> str:
    if character in "\n\t":
        return character
    if character in _OVERRIDES or unicodedata.category(character) in ("Cc", "Cs"):
        return character.encode("unicode_escape").decode("ascii")
    return character
