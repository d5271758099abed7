"""Photos and files that messages carry."""

from datetime import datetime
from typing import Literal

from relaygram_client.models.shape import Shape


class MediaFile(Shape):
    """A photo or file; its type is what its bytes say."""

    id: int
    kind: Literal["photo", "document"] | str
    mime_type: str
    file_name: str | None
    size_bytes: int
    #: Hexadecimal.
    sha256: str
    created_at: datetime
