"""How much of the log is read at once: found out on the way, so that no transaction takes long and no part is large."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaygram_api.core.log_export import Extent, Format, Pace

TEN_MILLION = Extent(1, 10_000_000)


def parts(extent: Extent, output: Format, row_bytes: Callable[[int], int], position_seconds: float) -> list[int]:
    """The sizes of all parts, in positions, where each position costs so much; what is too large is given up."""
    pace, sizes = Pace.of(output), []
    while not extent.is_empty:
        part = extent.beginning(pace.positions)
        positions = part.last - part.first + 1
        size = positions * row_bytes(part.last)
        if size > pace.most_bytes and positions > 1:
            pace = pace.after_failure()
            continue
        pace = pace.after(part, size=size, seconds=positions * position_seconds)
        extent = extent.after(part)
        sizes.append(positions)
    return sizes


def test_a_rare_filter_is_looked_for_in_bounded_strides() -> None:
    strides = parts(TEN_MILLION, "csv", lambda _: 0, 1e-6)
    assert sum(strides) == 10_000_000
    assert max(strides) * 1e-6 < 1.0  # seconds, of the five that a transaction has
    assert len(strides) < 100


def test_a_slow_disk_makes_short_strides() -> None:
    assert max(parts(Extent(1, 100_000), "csv", lambda _: 0, 1e-3)[5:]) * 1e-3 < 1.0


@pytest.mark.parametrize("output", ["csv", "ndjson", "parquet"])
def test_parts_have_the_same_size_in_memory_whatever_the_rows(output: Format) -> None:
    for row_bytes in (100, 1_000, 16_000):
        sizes = parts(Extent(1, 400_000), output, lambda _, row=row_bytes: row, 1e-6)  # type: ignore[misc]
        assert max(sizes) * row_bytes <= Pace.of(output).most_bytes
        assert sizes[-2] * row_bytes == pytest.approx(Pace.of(output).full_bytes, rel=0.1)


def test_texts_that_grow_all_at_once_are_read_in_smaller_parts() -> None:
    sizes = parts(Extent(1, 200_000), "csv", lambda position: 200 if position < 150_000 else 16_000, 1e-6)
    assert sum(sizes) == 200_000
    assert sizes[-1] * 16_000 <= Pace.of("csv").most_bytes


@given(st.integers(1, 1000), st.integers(0, 3000), st.integers(1, 500))
def test_parts_are_all_of_it_once(first: int, length: int, positions: int) -> None:
    left = Extent(first, first + length - 1)
    found: list[int] = []
    while not left.is_empty:
        part = left.beginning(positions)
        found += range(part.first, part.last + 1)
        left = left.after(part)
    assert found == list(range(first, first + length))
