"""Files and functions that the documentation names exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "deploy" / "README.md",
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text(encoding="utf-8"))

    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_exist_and_hold_the_named_things(page: Path) -> None:
    named = re.findall(
        r"`((?:services|libs|tests|tools|benchmarks|examples|deploy|docs)/[\w./-]+\.\w+)(?:: ?([\w.]+))?",
        page.read_text(encoding="utf-8"),
    )

    wrong = [
        (file, thing)
        for file, thing in named
        if not (ROOT / file).is_file() or thing.rpartition(".")[2] not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert wrong == []
