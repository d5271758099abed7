"""docs/asyncapi.json is what the contracts say."""

from pathlib import Path

from relaygram_common.asyncapi import specification

PAGE = Path(__file__).parents[2] / "docs" / "asyncapi.json"


def test_the_committed_document_is_what_the_contracts_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == specification(), (
        "run: python -m relaygram_common.asyncapi > docs/asyncapi.json"
    )
