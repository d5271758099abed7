"""Does a message have the keyword, and which campaign answers it."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_DOTS_OF_I = re.compile("i\u0307+")
_VARIATION_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class AutoReply:
    """A campaign that may answer, and whether it answered this person a moment ago."""

    campaign_id: int
    status: str  # running | paused
    keyword: str
    cooling: bool


def folded(text: str) -> str:
    """The form in which texts are compared: Unicode's compatibility caseless matching (D146).

    Besides, what is not seen is left out (joiners, soft hyphens, the choice between text and emoji), spaces count as
    one, and so do Turkish i's with and without a dot, whose case folding by the book would keep `İSTANBUL` apart from
    `istanbul`.
    """
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFD", text).casefold()).casefold()
    text = "".join(character for character in text if not _is_unseen(character))
    text = _DOTS_OF_I.sub("i", unicodedata.normalize("NFKD", text).replace("ı", "i"))
    return unicodedata.normalize("NFKC", _SPACES.sub(" ", text))


def _is_unseen(character: str) -> bool:
    return character in _VARIATION_SELECTORS or unicodedata.category(character) == "Cf"


@lru_cache(maxsize=4096)
def _folded_keyword(keyword: str) -> str:
    return folded(keyword).strip()


def contains(text: str, keyword: str) -> bool:
    """Is the keyword part of the text? An empty one never is. Letters are whole: `cafe` is not in `café`."""
    return _contains(folded(text), _folded_keyword(keyword))


def _contains(text: str, keyword: str) -> bool:
    if not keyword:
        return False
    start = text.find(keyword)
    while start >= 0:
        end = start + len(keyword)
        if end == len(text) or not unicodedata.combining(text[end]):
            return True
        start = text.find(keyword, start + 1)
    return False


def answering(campaigns: Sequence[AutoReply], text: str, *, all_answer: bool) -> list[AutoReply]:
    """Which campaigns answer, in the order of their age: of those whose keyword is there the oldest running one.

    None runs: the oldest paused one, which answers when it is resumed. With `all_answer` each of them. The first that
    can not any more (`campaigns` may be a moment old) leaves its place to the next: so all are named, in turn.
    """
    message = folded(text)
    matching = sorted(
        (one for one in campaigns if _contains(message, _folded_keyword(one.keyword))),
        key=lambda one: one.campaign_id,
    )
    if all_answer:
        return matching
    return [one for one in matching if one.status == "running"] + [one for one in matching if one.status != "running"]
