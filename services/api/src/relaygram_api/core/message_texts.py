"""What may be saved as the text of a campaign's messages: its form, its length, and the columns that it asks for."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from relaygram_api.core.contact_file import NAMED_COLUMNS
from relaygram_common.templates import PERSON_TOKENS, template_problem, unknown_tokens

# As control.campaigns.contact_columns: of so many not all are noted, so nothing is known to be missing.
_MOST_NOTED = 1000
_MOST_SHOWN = 20
# Addresses and settings of a person: an import reads them, and no text shows them.
_NEVER = frozenset(NAMED_COLUMNS) - frozenset(PERSON_TOKENS)


def known_columns(campaign: Mapping[str, Any]) -> Collection[str] | None:
    """The columns that texts may ask for beside names; None: any, since nobody can tell yet.

    A draft without contacts may ask for what its contacts will bring; it is looked at again when it starts.
    """
    noted: list[str] = campaign["contact_columns"]
    if len(noted) >= _MOST_NOTED or (campaign["status"] == "draft" and not campaign["total_contacts"]):
        return None
    return noted


def message_problem(text: str, known: Collection[str] | None, *, is_caption: bool) -> str | None:
    """Why this can not be the text of a message; None when it can."""
    return template_problem(text, is_caption=is_caption) or _token_problem(text, known)


def asked_columns(texts: Iterable[str]) -> list[str]:
    """All columns that these texts ask for, beside names."""
    return sorted({name for text in texts for name in unknown_tokens(text, ())})


def _token_problem(text: str, known: Collection[str] | None) -> str | None:
    missing = [name for name in unknown_tokens(text, known or ()) if known is not None or name in _NEVER]
    if not missing:
        return None
    asked = ", ".join(f"{{{{{name}}}}}" for name in missing[:_MOST_SHOWN])
    have = [*PERSON_TOKENS, *(known or ())]
    more = f" and {len(have) - _MOST_SHOWN} more" if len(have) > _MOST_SHOWN else ""
    return f"asks for {asked}, which the contacts do not have; they have {', '.join(have[:_MOST_SHOWN])}{more}"
