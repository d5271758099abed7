"""Contact files line by line, without a server."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaygram_api.core.addresses import normal_handle, normal_phone, normal_user_id
from relaygram_api.core.contact_file import FileError, Record, csv_records, read_header
from relaygram_api.core.contact_rows import Person, check_record, json_record
from relaygram_api.core.record_checks import LineError
from relaygram_api.core.spreadsheets import harmless

ZONES = frozenset({"Europe/Berlin", "UTC"})


def read(file: bytes, piece: int = 1 << 20) -> list[Record]:
    pieces = [file[start : start + piece] for start in range(0, len(file), piece)]
    return list(csv_records(pieces, read_header(file.split(b"\n")[0])))


def check(file: str) -> list[Person | list[LineError]]:
    return [check_record(record, ZONES) for record in read(file.encode())]


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("@Jane_Doe", "jane_doe"), ("jane", "jane"), (" @JANE ", "jane"), ("https://t.me/Jane_Doe", "jane_doe"),
        ("http://t.me/jane/", "jane"), ("t.me/jane", "jane"), ("https://telegram.me/jane", "jane"),
        ("HTTPS://T.ME/Jane", "jane"), ("a" * 32, "a" * 32), ("tme_fan", "tme_fan"),
    ],
)  # fmt: skip
def test_handles_are_brought_into_one_form(written: str, stored: str) -> None:
    assert normal_handle(written) == stored


@pytest.mark.parametrize(
    "written",
    ["", "@", "abc", "a" * 33, "1abc", "_abc", "jane-doe", "jane doe", "ünïcode", "https://example.com/jane", "@@jane",
     "https://t.me/", "https://t.me/jane/5", "https://t.me/+AbCdEf", "jane\n"[:4] + "\u0660"],
)  # fmt: skip
def test_what_is_no_handle_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="handle"):
        normal_handle(written)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("+4915112345678", "+4915112345678"),
        ("+49 (151) 123-45.678", "+4915112345678"),
        ("0049151 1234567", "+491511234567"),
    ],
)
def test_phones_are_brought_into_one_form(written: str, stored: str) -> None:
    assert normal_phone(written) == stored


@pytest.mark.parametrize(
    "written", ["", "15112345678", "+0151234567", "+123", "+1234567890123456", "+49abc", "+\u0664\u0669151234567"]
)
def test_what_is_no_phone_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="phone"):
        normal_phone(written)


@pytest.mark.parametrize("written", ["0", "-1", "1.0", "1e3", "x", "9223372036854775808", "\u0661", "9" * 5000])
def test_what_is_no_telegram_id_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="id"):
        normal_user_id(written)
    assert normal_user_id(" 42 ") == 42


@pytest.mark.parametrize(
    ("line", "columns", "delimiter"),
    [
        (b"handle,first_name", ("handle", "first_name"), ","),
        (b"\xef\xbb\xbfhandle;First_Name;City\r\n", ("handle", "first_name", "City"), ";"),
        (b'"phone","a, b"', ("phone", "a, b"), ","),
        (b" Telegram_User_ID ", ("telegram_user_id",), ","),
    ],
)
def test_the_header_says_columns_and_delimiter(line: bytes, columns: tuple[str, ...], delimiter: str) -> None:
    header = read_header(line)
    assert (header.columns, header.delimiter) == (columns, delimiter)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "no header"), (b"\r\n", "no header"), (b"name,city", "none of the columns"), (b"handle,,city", "no name"),
        (b"handle,handle", "two columns"), (b"handle,Handle", "two columns"), (b'handle,"city', "quote"),
        (b"\xff\xfeh\x00a\x00", "UTF-16"), ("händle,phone".encode("latin-1"), "not UTF-8"),
        (b"handle," + b"x" * 101, "too long"),
        (b"handle" + b"".join(b",c%d" % n for n in range(200)), "more than 200"),
    ],
)  # fmt: skip
def test_a_header_that_can_not_be_read_says_why(line: bytes, reason: str) -> None:
    with pytest.raises(FileError, match=reason):
        read_header(line)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
def test_pieces_may_be_cut_anywhere(piece: int) -> None:
    file = '\ufeffhandle,city\r\njane,"Zü, ""rich"\r\n\r\njohn,"two\r\nlines"\nanna,Łódź'.encode()
    assert read(file, piece) == [
        Record(2, {"handle": "jane", "city": 'Zü, "rich'}),
        Record(4, {"handle": "john", "city": "two\r\nlines"}),
        Record(6, {"handle": "anna", "city": "Łódź"}),
    ]


@given(
    st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=2, max_size=2)),
    st.integers(1, 64),
)
def test_what_a_csv_writer_writes_is_read(rows: list[list[str]], piece: int) -> None:
    import csv
    import io

    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([["handle", "city"], *rows])
    assert [list(record.values.values()) for record in read(buffer.getvalue().encode(), piece)] == rows


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b'handle,city\njane,x\n"john,y\nanna,z\n', "line 3: a quote is opened"),
        (b'handle,city\njane,"x"y\n', "line 2: a quote"),
        (b"handle,city\njane,x\n\xff\xfe,y\n", "not UTF-8"),
        (b'handle,city\njane,"' + b"x" * 200_000 + b'"\n', "line 2: a field of more than 128 KiB"),
        (b"handle,city\n" + b"x" * 1_100_000, "line 2: longer than 1 MiB"),
        (b"handle,city\njane,x\ranna,y\n", "carriage return"),
    ],
)
def test_where_nothing_can_follow_the_file_is_refused(file: bytes, reason: str) -> None:
    with pytest.raises(FileError, match=reason):
        read(file, 65536)


def test_a_line_becomes_a_person() -> None:
    (person,) = check(
        "telegram_user_id,handle,phone,first_name,last_name,tags,time_zone,city,empty\n"
        "42,@Jane,+491511234567,Jane,Doe,vip| new |vip|,Europe/Berlin,Zürich,\n"
    )
    assert person == Person(
        2, 42, "jane", "+491511234567", "Jane", "Doe", ["vip", "new"], "Europe/Berlin", {"city": "Zürich"}
    )


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("@1,,,", "handle", "handle"),
        (",123,,", "phone", "phone"),
        ("jane,,,Mars/Base", "time_zone", "time zone"),
        (",,Jane,", "", "none of"),
        ("jane,,", "", "has 3 fields, the header has 4"),
        ("jane,,,,x", "", "has 5 fields"),
        ("jane,,a\0b,", "first_name", "NUL"),
        ("jane,," + "x" * 256 + ",", "first_name", "longer than 255"),
    ],
)
def test_a_bad_line_says_which_column_and_why(line: str, column: str, reason: str) -> None:
    (errors,) = check(f"handle,phone,first_name,time_zone\n{line}\n")
    assert isinstance(errors, list)
    assert (errors[0].line, errors[0].column) == (2, column)
    assert reason in errors[0].reason
    assert "\0" not in (errors[0].value or "")
    assert len(errors[0].value or "") <= 200


def test_everything_wrong_with_a_line_is_told() -> None:
    (errors,) = check("handle,phone\n@1,2\n")
    assert isinstance(errors, list)
    assert [error.column for error in errors] == ["handle", "phone"]


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"handle": "jane", "tags": ["a", "b"], "age": 5}, None),
        ({"handle": "jane", "city": None}, None),
        ("jane", "is not an object"),
        ({"handle": "jane", "x": {}}, "neither text nor number"),
        ({"handle": "jane", "x": True}, "neither text nor number"),
        ({"handle": "jane", " ": "x"}, "empty or too long"),
    ],
)
def test_objects_of_a_json_import(item: object, problem: str | None) -> None:
    record = json_record(7, item)
    assert record.line == 7
    assert (record.problem is None) == (problem is None)
    assert problem is None or problem in (record.problem or "")


@pytest.mark.parametrize(
    ("value", "shown"), [("=1+1", "'=1+1"), ("+49", "'+49"), ("@x", "'@x"), ("-1", "'-1"), ("a", "a"), ("", "")]
)
def test_formulas_are_made_harmless(value: str, shown: str) -> None:
    assert harmless(value) == shown


def test_memory_stays_flat() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"handle,city\n"
        for _ in range(50):
            yield b"person_one,Berlin\n" * 1000

    assert sum(1 for _ in csv_records(pieces(), read_header(b"handle,city"))) == 50_000
