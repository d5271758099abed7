"""The made-up contacts file."""

import csv
import io
from pathlib import Path

import pytest

from relaygram_local_stack.demo.people import HEADER, contacts_csv

EXAMPLE = Path(__file__).parents[2] / "examples" / "contacts.csv"


def test_the_example_file_is_what_the_demo_makes_for_a_thousand_people() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == contacts_csv(1000)


@pytest.mark.parametrize("contacts", [1, 5, 12, 13, 1000])
def test_a_file_has_the_good_lines_asked_for_and_a_dozen_bad_ones(contacts: int) -> None:
    lines = list(csv.DictReader(io.StringIO(contacts_csv(contacts))))

    assert tuple(lines[0]) == HEADER
    assert sum(1 for line in lines if line["sandbox"]) == contacts
    assert sum(1 for line in lines if not line["sandbox"]) == 12


def test_nobody_is_in_the_file_twice() -> None:
    lines = [line for line in csv.DictReader(io.StringIO(contacts_csv(5000))) if line["sandbox"]]

    addresses = {line["handle"] or line["phone"] for line in lines}
    assert len(addresses) == len(lines)
