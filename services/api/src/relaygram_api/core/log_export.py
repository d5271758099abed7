"""What an export of the log is: its formats, columns and filter, and how much of it is read at once."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

Format = Literal["csv", "ndjson", "parquet"]

COLUMNS: Final = (
    "id", "campaign_id", "sender_id", "direction", "body", "status", "telegram_message_id", "triggered_by_message_id",
    "sequence_step", "error_code", "error_message", "sent_at", "created_at", "revision", "attempts", "read_at",
    "replied_at", "job_id",
)  # fmt: skip
CSV_HEADER: Final = ",".join(COLUMNS).encode() + b"\n"
MEDIA_TYPES: Final[dict[Format, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}

# A part of the log in memory is about so large, and has taken PostgreSQL about so long: far from what a transaction may
# take, yet long beside what beginning one costs.
_FULL_SECONDS: Final = 0.25
_FULL_BYTES: Final = 4 * 1024 * 1024
# A part becomes a row group: readers want them large, and all are listed at the end of the file.
_FULL_PARQUET_BYTES: Final = 8 * 1024 * 1024
_FIRST_POSITIONS: Final = 2_000
# Where little fits the filter, most is passed over.
_MOST_POSITIONS: Final = 500_000
_FASTER: Final = 4.0


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which rows."""

    status: str | None = None
    since: datetime | None = None
    since_id: int | None = None
    sender_id: int | None = None
    code: str | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """From the first position to the last one; empty when that is before it."""

    first: int
    last: int

    def beginning(self, positions: int) -> "Extent":
        """So much of it."""
        return replace(self, last=min(self.last, self.first + positions - 1))

    def after(self, part: "Extent") -> "Extent":
        """What is left when its beginning is done."""
        return replace(self, first=part.last + 1)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return self.first > self.last


@dataclass(frozen=True, slots=True)
class Pace:
    """How many positions are read in one transaction; found out on the way, as nobody knows how long texts are."""

    full_bytes: int
    positions: int = _FIRST_POSITIONS

    @classmethod
    def of(cls, output: Format) -> "Pace":
        """To begin with."""
        return cls(_FULL_PARQUET_BYTES if output == "parquet" else _FULL_BYTES)

    @property
    def most_bytes(self) -> int:
        """What is larger is given up, and read in smaller parts."""
        return 4 * self.full_bytes

    def after(self, part: Extent, *, size: int, seconds: float) -> "Pace":
        """After a part that was so large and took so long."""
        full = max(size / self.full_bytes, seconds / _FULL_SECONDS)
        positions = (part.last - part.first + 1) / max(full, 1 / _FASTER)
        # The last part of all is small and says little, but nothing comes after it either.
        return replace(self, positions=max(1, min(_MOST_POSITIONS, int(positions))))

    def after_failure(self) -> "Pace":
        """Perhaps it was too much."""
        return replace(self, positions=max(1, self.positions // 4))


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the header asks for gzip, and not rather for the bytes as they are."""
    weights = dict(_weight(part) for part in accept_encoding.lower().split(","))
    wanted = weights.get("gzip", weights.get("x-gzip", 0.0))
    return wanted > 0 and wanted >= weights.get("identity", 0.0)


def _weight(part: str) -> tuple[str, float]:
    coding, _, parameter = (word.strip() for word in part.partition(";"))
    name, _, value = parameter.partition("=")
    try:
        return coding, float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return coding, 0.0
