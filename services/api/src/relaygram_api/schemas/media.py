"""Media."""

from typing import Literal

from pydantic import Field

from relaygram_api.schemas.envelopes import Shape


class Media(Shape):
    """A photo or file that messages may carry; it is uploaded to Telegram once an account."""

    id: int
    kind: Literal["photo", "document"] = Field(description="Whether Telegram shows it as a photo or as a file.")
    mime_type: str = Field(description="What it is by its bytes.")
    file_name: str | None = Field(description="As receivers of a document see it.")
    size_bytes: int = Field(description="Its size.")
    sha256: str = Field(description="Of its bytes, hexadecimal.")
    created_at: str
