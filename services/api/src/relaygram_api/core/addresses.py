"""How a person is reached: handle, phone or Telegram id, brought into one form so that equal ones are equal."""

import re

_HANDLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")
_LINK = re.compile(r"(?:https?://)?(?:www\.)?(?:t(?:elegram)?\.me|telegram\.dog)/", re.IGNORECASE)
_PHONE_FILLING = re.compile(r"[\s().\-/\u00a0\u2010-\u2015]")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_MAX_ID = 2**63 - 1


def normal_handle(text: str) -> str:
    """Lower-case and without `@` or t.me link. Raises ValueError."""
    bare = text.strip().removeprefix("@")
    if not _HANDLE.fullmatch(bare):
        link = text.strip()
        bare = (_LINK.sub("", link, count=1) if _LINK.match(link) else bare).removesuffix("/")
    if not _HANDLE.fullmatch(bare):
        raise ValueError("is not a Telegram handle: 4 to 32 letters, digits and _, beginning with a letter")
    return bare.lower()


def normal_phone(text: str) -> str:
    """E.164 with `+`. Raises ValueError."""
    bare = _PHONE_FILLING.sub("", text.strip())
    bare = "+" + bare[2:] if bare.startswith("00") else bare
    if not _PHONE.fullmatch(bare):
        raise ValueError("is not a phone number in international form, such as +4915112345678")
    return bare


def normal_user_id(text: str) -> int:
    """A positive integer. Raises ValueError."""
    bare = text.strip()
    if not bare.isascii() or not bare.isdigit() or len(bare) > 19 or not 0 < int(bare) <= _MAX_ID:
        raise ValueError("is not a Telegram user id: a positive integer")
    return int(bare)


def handle_text(handle: str) -> str:
    """What an erased person's fingerprint of a handle is made of."""
    return f"handle:{handle}"


def user_id_text(user_id: int) -> str:
    """What an erased person's fingerprint of a Telegram id is made of. (That of a phone is the phone's own hash.)"""
    return f"telegram_user_id:{user_id}"
