"""What a file is by its bytes (puremagic); what its sender says counts for nothing."""

import os
from pathlib import PurePath
from typing import BinaryIO

# Only beginnings and ends are looked at: looking into archives of strangers is asking for trouble.
os.environ.setdefault("PUREMAGIC_DEEPSCAN", "0")

import puremagic

_HEAD_BYTES = 4096
_UNKNOWN = "application/octet-stream"
_ARCHIVE = "application/zip"


def mime_type_of(file: BinaryIO, name: str | None = None) -> str:
    """The media type. Where bytes leave several open, as those of archives do, the name decides between these."""
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    try:
        found = [match for match in puremagic.magic_stream(file) if match.mime_type]
    except (puremagic.PureError, ValueError):
        found = []
    if not found:
        return "text/plain" if _is_text(head) else _UNKNOWN
    suffix = PurePath(name or "").suffix.lower()
    by_name = [match.mime_type for match in found if suffix and match.extension == suffix]
    if by_name:
        return str(by_name[0])
    return _ARCHIVE if _ARCHIVE in {match.mime_type for match in found} else str(found[0].mime_type)


def _is_text(head: bytes) -> bool:
    try:
        # The last character may be cut.
        text = head.decode() if len(head) < _HEAD_BYTES else head[:-4].decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        return len(head) == _HEAD_BYTES and error.start > _HEAD_BYTES - 8 and b"\0" not in head
    return "\0" not in text
