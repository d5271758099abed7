"""What a call for a channel's log asks for: cursors and lists, whatever is written into them."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaygram_api.core.channel_query import ChannelQuery, ChannelQueryError, Place, names_of, split_list

MILLISECONDS = st.integers(0, 4_102_444_800_000)
PLACES = st.builds(
    lambda number, message_id: Place(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number), message_id),
    MILLISECONDS,
    st.uuids(),
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "sender": st.text(max_size=20),
        "bulk_ids": st.lists(st.text(max_size=5), max_size=3).map(tuple),
        "general_status": st.sampled_from(["PENDING", "REJECTED"]),
        "sent_since": st.datetimes(timezones=st.just(UTC)),
        "references": st.lists(st.text(max_size=5), max_size=3).map(tuple),
    },
)


@given(filters=FILTERS, place=PLACES, limits=st.tuples(st.integers(1, 1000), st.integers(1, 1000)))
def test_a_cursor_goes_on_at_its_place_with_any_limit(
    filters: dict[str, Any], place: Place, limits: tuple[int, int]
) -> None:
    first = ChannelQuery("sms", limit=limits[0], use_cursor=True, **filters)
    following = ChannelQuery("sms", limit=limits[1], cursor=first.cursor_after(place), **filters)
    assert following.after() == place
    assert following.pages


@given(filters=FILTERS, others=FILTERS, place=PLACES)
def test_a_cursor_of_another_list_is_refused(filters: dict[str, Any], others: dict[str, Any], place: Place) -> None:
    cursor = ChannelQuery("sms", **filters).cursor_after(place)
    for query in (ChannelQuery("sms", cursor=cursor, **others), ChannelQuery("mms", cursor=cursor, **filters)):
        if (query.channel, others) != ("sms", filters):
            with pytest.raises(ChannelQueryError, match="made for other filters"):
                query.after()


@given(
    cursor=st.one_of(
        st.text(max_size=255),
        st.binary(max_size=180).map(lambda raw: base64.urlsafe_b64encode(raw).decode()),
        st.builds(
            lambda number, rest: base64.urlsafe_b64encode(f"{number}.{rest}".encode()).decode(),
            st.integers(),
            st.sampled_from(["", ".", "00000000000000000000000000000000.x", "x.y.z", f"{UUID(int=1)}.0"]),
        ),
    )
)
def test_whatever_stands_there_is_a_cursor_or_is_said_to_be_none(cursor: str) -> None:
    with pytest.raises(ChannelQueryError) as refused:
        ChannelQuery("sms", cursor=cursor).after()
    assert refused.value.field == "cursor"


@given(st.lists(st.lists(st.from_regex(r"[a-z0-9-]{1,9}", fullmatch=True), min_size=1, max_size=9), min_size=1))
def test_lists_are_repeated_or_comma_separated(parts: list[list[str]]) -> None:
    values = [",".join(part) for part in parts]
    if sum(map(len, values)) + len(values) - 1 > 2048:
        with pytest.raises(ValueError, match="2048"):
            split_list(values)
    else:
        assert split_list(values) == list(dict.fromkeys(one for part in parts for one in part))


def test_ids_that_can_be_none_of_ours_select_nothing() -> None:
    query = ChannelQuery("sms", bulk_ids=("x", "-1", "1.0", "²", str(2**63), str(2**63 - 1)), message_ids=("x", "1"))
    assert query.runs == [2**63 - 1]
    assert query.jobs == []
    assert (ChannelQuery("sms").runs, ChannelQuery("sms").jobs) == (None, None)


def test_names_are_taken_with_or_without_their_sign() -> None:
    assert names_of("jane") == ["jane", "@jane"]
    assert names_of("@jane") == ["@jane"]
    assert names_of(" 4915112345678") == ["+4915112345678"]
