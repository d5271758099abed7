"""Made-up people as a contacts file. `examples/contacts.csv` is what this makes for 1,000 of them.

The free column `sandbox` tells the demo what to make of each person there: reachable, private (their privacy settings
refuse strangers) or deactivated. Lines that must be rejected have it empty: nobody stands behind them.
"""

import csv
import io
from collections.abc import Iterator

HEADER = ("handle", "phone", "first_name", "last_name", "tags", "time_zone", "seat", "sandbox")

_FIRST_NAMES = (
    "Ada",
    "Bruno",
    "Chiara",
    "Dmitri",
    "Élodie",
    "Farid",
    "Greta",
    "Hüseyin",
    "Inès",
    "Jiří",
    "Kofi",
    "Łucja",
)
_LAST_NAMES = (
    "Andersson",
    "Batista",
    "Čapek",
    "Dubois",
    "Eriksen",
    "Fontana",
    "García",
    "Haddad",
    "Ivanova",
    "Jansen",
    "Kowalski",
)
_TIME_ZONES = ("Europe/Berlin", "Europe/Lisbon", "America/Bogota", "Asia/Tokyo", "")

# Each is wrong in its own way; the import must say how, and lose none of the good lines around it.
_BAD_LINES: tuple[tuple[str, str, str], ...] = (
    ("", "", "Nobody"),
    ("@ab", "", "Short"),
    ("@has space", "", "Space"),
    ("@0starts_with_digit", "", "Digit"),
    ("@" + "x" * 33, "", "Long"),
    ("https://example.com/someone", "", "Elsewhere"),
    ("", "+49", "Brief"),
    ("", "twelve", "Words"),
    ("", "+1234567890123456789", "Endless"),
    ("@dot.ted", "", "Dotted"),
    ("", "0049-ext-7", "Extension"),
    ("@ünïcode_name", "", "Umlaut"),
)


def contacts_csv(contacts: int) -> str:
    """A file with `contacts` good lines and a dozen bad ones among them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    bad = iter(_BAD_LINES)
    distance = max(1, contacts // len(_BAD_LINES))
    for number, person in enumerate(_people(contacts), start=1):
        writer.writerow(person)
        if number % distance == 0 and (line := next(bad, None)):
            writer.writerow((*line, "", "", "", "", ""))
    for line in bad:
        writer.writerow((*line, "", "", "", "", ""))
    return text.getvalue()


def _people(contacts: int) -> Iterator[tuple[str, ...]]:
    for number in range(1, contacts + 1):
        by_phone = number % 10 == 0
        yield (
            "" if by_phone else f"@guest_{number:06d}",
            f"+4915{number:09d}" if by_phone else "",
            _FIRST_NAMES[number % len(_FIRST_NAMES)],
            _LAST_NAMES[number % len(_LAST_NAMES)],
            "guest|vip" if number % 7 == 0 else "guest",
            _TIME_ZONES[number % len(_TIME_ZONES)],
            f"S{number:06d}",
            "private" if number % 37 == 0 else "deactivated" if number % 53 == 0 else "reachable",
        )
