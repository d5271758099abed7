"""What may be sent along with a text: its kind by its type, and a name that does no harm."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

KINDS: Final = ("photo", "document")
# What Telegram takes as a photo, and how large; all else goes as a file.
_PHOTO_TYPES = frozenset({"image/jpeg", "image/png"})
MOST_PHOTO_BYTES: Final = 10 * 1024 * 1024
_LONGEST_NAME = 255
_PATH = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file that was received whole. Its type is what its bytes say."""

    kind: str
    mime_type: str
    file_name: str | None
    size_bytes: int
    sha256: bytes


def kind_of(mime_type: str, size_bytes: int, wanted: str | None) -> str:
    """Photo or document: as wanted, else a photo where it can be one. Raises ValueError."""
    can_be_photo = mime_type in _PHOTO_TYPES and size_bytes <= MOST_PHOTO_BYTES
    if wanted is None:
        return "photo" if can_be_photo else "document"
    if wanted == "photo" and not can_be_photo:
        if mime_type in _PHOTO_TYPES:
            raise ValueError(f"photo is for at most {MOST_PHOTO_BYTES} bytes; as a document it can go")
        raise ValueError(f"photo is for JPEG and PNG; this is {mime_type}")
    return wanted


def safe_name(name: str | None) -> str | None:
    """A file's own name, without its path and without what is no text; None when nothing is left."""
    if name is None:
        return None
    bare = _PATH.split(name)[-1]
    shown = "".join(char for char in bare if unicodedata.category(char)[0] != "C").strip().lstrip(".")
    return shown[-_LONGEST_NAME:] or None
