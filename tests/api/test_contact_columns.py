"""Checking a contact file column by column finds the same people as line by line, or leaves it to that."""

import io
import json

import asyncpg
from hypothesis import given
from hypothesis import strategies as st

from relaygram_api.core import copy_text
from relaygram_api.core.contact_columns import ContactColumns, check_columns, of_people
from relaygram_api.core.contact_file import Record
from relaygram_api.core.contact_rows import Person, check_record
from tests.support.servers import Database

ZONES = frozenset({"Europe/Berlin", "UTC"})
NAMES = ("telegram_user_id", "handle", "phone", "first_name", "last_name", "tags", "time_zone", "city", "note")
_cells = {
    "telegram_user_id": st.sampled_from(["", "7", " 12 ", "0", "x", "9" * 20]),
    "handle": st.sampled_from(["", "@Jane_D", "jane", "https://t.me/Jane/", "t.me/@no", "x", " bob_1 ", "@jane/"]),
    "phone": st.sampled_from(["", "+4915112345678", "0049 151 12345678", "12"]),
    "tags": st.sampled_from(["", "a|b", "a|a| ", "|".join(map(str, range(101)))]),
    "time_zone": st.sampled_from(["", "UTC", "Mars/Base"]),
}
_text = st.one_of(st.sampled_from(["", " ", "Jane", "\0", "x" * 256, "x" * 4097]), st.text(max_size=8))
_storable = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
_rows = st.lists(st.tuples(*(_cells.get(name, _text) for name in NAMES)).map(list), min_size=1, max_size=5)
_clean = st.lists(
    st.tuples(
        st.sampled_from(["7", ""]), st.sampled_from(["@Jane_D", "t.me/jane"]), st.just("+4915112345678"),
        *[_storable] * 2,
        st.sampled_from(["", 'a"b|c\\d', "x,y|{z}|null| "]), st.sampled_from(["", "UTC"]),
        *[_storable] * 2,
    ).map(list),
    min_size=1, max_size=5,
)  # fmt: skip


def _one_by_one(rows: list[list[str]]) -> list[Person] | None:
    checked = [
        check_record(Record(number, dict(zip(NAMES, cells, strict=True))), ZONES)
        for number, cells in enumerate(rows, start=2)
    ]
    people = [one for one in checked if isinstance(one, Person)]
    return people if len(people) == len(rows) else None


def _people(columns: ContactColumns) -> list[Person]:
    return [
        Person(line, user, handle, phone, first, last, list(tags), zone, free)
        for line, user, handle, phone, first, last, tags, zone, free in zip(
            columns.line, columns.telegram_user_id, columns.handle, columns.phone, columns.first_name,
            columns.last_name, columns.tags, columns.time_zone, columns.columns, strict=True,
        )
    ]  # fmt: skip


@given(st.one_of(_rows, _clean))
def test_columns_find_the_same_people_as_lines_or_none(rows: list[list[str]]) -> None:
    found = check_columns(NAMES, range(2, 2 + len(rows)), rows, ZONES)
    assert (None if found is None else _people(found)) == _one_by_one(rows)


@given(_clean)
def test_people_checked_one_by_one_make_the_same_columns(rows: list[list[str]]) -> None:
    people = _one_by_one(rows)
    assert people is not None
    assert _people(of_people(people)) == people


def test_a_line_of_another_length_is_left_to_the_look_at_each() -> None:
    assert check_columns(("handle", "city"), [2], [["jane"]], ZONES) is None


_texts = st.lists(st.none() | _storable, min_size=1, max_size=20)


async def test_copy_text_reaches_postgresql_as_it_was(database: Database) -> None:
    values = ["plain", None, "", "\\N", "a\tb\nc\rd\\e", "\\.", '"', "{}", "null", "🙂 é"]
    tags = [["a", "b"], [], ["NULL"], ['"', "\\", "{", "}", ",", " "], ["a\tb", "\n"], [""], ["é"], ["x"], ["y"], ["z"]]
    blobs = [b"", None, b"\x00\xff", *[b"x"] * 7]
    numbers = [1, None, -5, *[2**62] * 7]
    objects = [json.dumps({"a": value}) for value in values]
    connection = await asyncpg.connect(database.dsn)
    try:
        await connection.execute("create temporary table t (n bigint, v text, t text[], b bytea, j jsonb)")
        written = copy_text.rows(
            copy_text.plain_column(numbers), copy_text.text_column(values), copy_text.array_column(tags),
            copy_text.bytes_column(blobs), copy_text.text_column(objects),
        )  # fmt: skip
        await connection.copy_to_table("t", source=io.BytesIO(written))
        rows = await connection.fetch("select n, v, t, b, j ->> 'a' as j from t")
    finally:
        await connection.close()
    assert [tuple(row) for row in rows] == list(zip(numbers, values, tags, blobs, values, strict=True))


@given(_texts)
def test_a_written_text_holds_no_separator(values: list[str | None]) -> None:
    written = copy_text.rows(copy_text.text_column(values)).decode()
    assert written.count("\n") == len(values)
    assert "\t" not in written
    assert "\r" not in written
