"""What people and things may be called. The bounds are the API's."""

import re

from relaygram_common.identity.errors import IdentityError

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")
_LONGEST_EMAIL = 320
_LONGEST_NAME = 255


def checked_email(email: str) -> str:
    """The e-mail address. Raises IdentityError."""
    if len(email) > _LONGEST_EMAIL or not _EMAIL.fullmatch(email):
        raise IdentityError(f"{email[:_LONGEST_EMAIL]!r} is not an e-mail address")
    return email


def checked_name(name: str, what: str) -> str:
    """A name without spaces around it. Raises IdentityError."""
    stripped = name.strip()
    if not stripped or len(stripped) > _LONGEST_NAME or not stripped.isprintable():
        raise IdentityError(f"the {what} must be 1 to {_LONGEST_NAME} printable characters")
    return stripped
