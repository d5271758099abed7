"""The `random_id` of a job: the same job always has the same, so Telegram itself refuses a double."""

from hashlib import blake2b
from uuid import UUID


def random_id(job: UUID) -> int:
    """A signed 64-bit integer that is never 0 (which Telegram reads as "none")."""
    digest = blake2b(job.bytes, digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) or 1
