"""Is the keyword there? By Unicode's rules, not by English ones. And which campaign answers."""

import unicodedata
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaygram_dispatcher.core.matching import AutoReply, answering, contains, folded
from relaygram_dispatcher.core.opt_out import DEFAULT_WORDS, OptOutWords

# All that people can write: no halves of surrogate pairs, which JSON does not carry either.
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
_Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
_FORMS: st.SearchStrategy[_Form] = st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"])
_NO_MARKS = st.text(st.characters(categories=["L", "N", "P", "Zs", "So"]), max_size=20)


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("What is your PRICING?", "pricing"),
        ("repricing", "Pricing"),
        ("STRASSE", "straße"),
        ("Straße", "STRASSE"),
        ("STRAẞE", "strasse"),
        ("İSTANBUL", "istanbul"),
        ("istanbul", "İstanbul"),
        ("KARGO FIRSATI", "fırsatı"),
        ("ΟΔΟΣ", "οδος"),
        ("οδός".upper(), "ΟΔΌΣ"),
        ("cafe\u0301", "CAFÉ"),
        ("CAFÉ", "cafe\u0301"),
        ("ＰＲＩＣＩＮＧ", "pricing"),
        ("the ﬁrst", "FIRST"),
        ("price \n\u00a0 list", "price list"),
        ("pri\u00adcing", "pricing"),
        ("I ❤️ it", "❤"),
        ("цена?", "ЦЕНА"),
        ("ᏣᎳᎩ", "ꮳꮃꭹ"),
        ("😀 help", "HELP"),
    ],
)
def test_case_and_form_do_not_count(text: str, keyword: str) -> None:
    assert contains(text, keyword)


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("café", "cafe"),
        ("cafe\u0301", "cafe"),
        ("q\u0323", "q"),
        ("price", "pricing"),
        ("", "a"),
        ("anything", ""),
        ("anything", " \u00ad "),
        ("ціна", "цена"),
    ],
)
def test_other_letters_are_others(text: str, keyword: str) -> None:
    assert not contains(text, keyword)


@given(_TEXTS)
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(_NO_MARKS, _WORDS, _NO_MARKS, st.sampled_from(["upper", "lower", "title", "casefold", "swapcase"]))
def test_a_keyword_is_found_in_any_case(before: str, keyword: str, after: str, case: str) -> None:
    assert contains(f"{before} {getattr(keyword, case)()} {after}", keyword)
    assert contains(f"{before} {keyword} {after}", getattr(keyword, case)())


@given(_TEXTS, _WORDS, _FORMS, _FORMS)
def test_the_form_of_a_letter_does_not_count(text: str, keyword: str, of_text: _Form, of_keyword: _Form) -> None:
    message = f"{text} {keyword}"
    assert contains(message, keyword)
    assert contains(unicodedata.normalize(of_text, message), unicodedata.normalize(of_keyword, keyword))


@given(_TEXTS, _WORDS)
def test_what_is_found_is_there(text: str, keyword: str) -> None:
    assert contains(text, keyword) <= (folded(keyword).strip() in folded(text))


def _campaign(number: int, status: str = "running", keyword: str = "price") -> AutoReply:
    return AutoReply(number, status, keyword, cooling=False)


def test_the_oldest_running_campaign_answers() -> None:
    campaigns = [
        _campaign(4),
        _campaign(2, "paused"),
        _campaign(3),
        _campaign(1, keyword="help"),
        _campaign(5, "paused"),
    ]
    Random(3).shuffle(campaigns)  # noqa: S311 - any order
    assert [one.campaign_id for one in answering(campaigns, "the PRICE?", all_answer=False)] == [3, 4, 2, 5]
    assert [one.campaign_id for one in answering(campaigns, "the PRICE?", all_answer=True)] == [2, 3, 4, 5]
    assert [one.campaign_id for one in answering(campaigns, "help", all_answer=False)] == [1]
    assert answering(campaigns, "nothing", all_answer=True) == []


_WISHES = OptOutWords([*DEFAULT_WORDS, " ", "…"])


@pytest.mark.parametrize("word", DEFAULT_WORDS)
@pytest.mark.parametrize("form", ["{}", "{}!", " /{} ", "«{}».", "\n{}\n", "{} 🙏", "❤️{}❤️", "/{}@shop_bot", "¡{}!"])
def test_an_opt_out_word_is_known_in_any_dress(word: str, form: str) -> None:
    for one in (word, word.lower(), word.title(), unicodedata.normalize("NFD", word)):
        assert _WISHES.wanted(form.format(one)), form.format(one)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "…",
        "🙏",
        "/",
        "please stop",
        "stop it",
        "stops",
        "don't stop",
        "STOP 1",
        "bajar",
        "arrêts",
        "@stop_bot x",
    ],
)
def test_what_only_sounds_like_an_opt_out_is_none(text: str) -> None:
    assert not _WISHES.wanted(text)


@given(_TEXTS)
def test_any_text_can_be_judged(text: str) -> None:
    assert _WISHES.wanted(text) in (True, False)
    assert contains(text, "x") in (True, False)
