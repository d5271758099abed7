"""What one person is sent: one rule for the gateway, the dispatcher's log rows and previews."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaygram_common.templates import (
    MAX_CAPTION_UNITS,
    MAX_TEXT_UNITS,
    render,
    template_problem,
    text_for,
    text_problem,
    text_units,
    tokens,
    tokens_without_value,
    unknown_tokens,
)

NAMES = st.text(st.characters(exclude_characters="{}|", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1)
PLAIN = st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]))
TEXTS = st.text(st.characters(exclude_characters="{}\0", exclude_categories=["Cs"]))
VALUES = st.dictionaries(NAMES, st.none() | PLAIN, max_size=3)
# Texts that are mostly about braces, as they are typed and mistyped.
ANYTHING = st.lists(
    st.sampled_from(["{", "}", "{{", "}}", "|", " ", "a", "first_name", "{{a}}", "{{a|b}}", "{{ a }}"]) | st.text()
).map("".join)


@st.composite
def well_formed(draw: st.DrawFn) -> str:
    token = st.builds("{{{{{}}}}}".format, NAMES) | st.builds("{{{{ {} |{}}}}}".format, NAMES, TEXTS)
    return "".join(draw(st.lists(TEXTS | token, max_size=6)))


def test_a_text_is_made_for_one_person_and_told_why_it_can_not_be_sent() -> None:
    text = text_for(
        "Hi {{first_name|there}} {{city}}\0", first_name=None, last_name=None, handle="h", columns={"city": "Rom"}
    )
    assert text == "Hi there Rom"
    assert text_problem(text) is None
    assert text_problem(" \n") == "The text is empty for this person."
    assert text_problem(" \n", is_caption=True) is None
    assert text_problem("😀" * 2048) is None
    assert text_problem("😀" * 2049) == "The text has 4098 characters for this person; Telegram takes 4096."
    assert text_problem("😀" * 512, is_caption=True) is None
    assert text_problem("x" * 1025, is_caption=True) == (
        "The text has 1025 characters for this person; Telegram takes 1024 under a photo or file."
    )


def test_tokens_without_value_are_named_once_in_their_order() -> None:
    template = "{{city}} {{first_name|there}} {{ city | Rome }} {{last_name}} {{handle}}"
    values = {"handle": "@h", "first_name": "", "last_name": None}
    assert tokens_without_value(template, values) == ["city", "first_name", "last_name"]
    assert unknown_tokens(template, {"town"}) == ["city"]
    assert unknown_tokens("{{Größe}} {{1st}}", {"Größe", "1st"}) == []


@pytest.mark.parametrize(
    "template",
    [
        "{{first_name", "first_name}}", "{first_name}}", "{{first_name}", "{{}}", "{{ }}", "{{|x}}", "{{a|{b}}}",
        "{{a {{b}} }}", "{{{a}}}", "{{{a}}", "{{a}}}", "{{a\nb}}", "{{" + "a" * 101 + "}}", "", " ", "\0",
    ],
)  # fmt: skip
def test_malformed_braces_and_blank_texts_are_refused(template: str) -> None:
    assert template_problem(template) is not None


@pytest.mark.parametrize("template", ["{ x }", "if (a) { b }", "a | b", "{{ Größe |}}", "{{1st}}{{a.b}}", "{}"])
def test_what_is_no_token_may_have_single_braces(template: str) -> None:
    assert template_problem(template) is None


def test_a_template_is_measured_without_its_tokens_in_utf_16_units() -> None:
    token = "{{first_name|" + "f" * 90 + "}}"
    assert template_problem("😀" * (MAX_TEXT_UNITS // 2) + token) is None
    assert template_problem("😀" * (MAX_TEXT_UNITS // 2) + token + "x") is not None
    assert template_problem("x" * MAX_CAPTION_UNITS + token, is_caption=True) is None
    assert template_problem("x" * MAX_CAPTION_UNITS + token + "x", is_caption=True) is not None
    assert template_problem("", is_caption=True) is None


@given(ANYTHING | well_formed(), VALUES)
def test_no_braces_of_an_accepted_template_reach_anybody(template: str, values: dict[str, str | None]) -> None:
    if template_problem(template, is_caption=True) is None:
        text = render(template, values)
        assert "{{" not in text
        assert "}}" not in text


@given(ANYTHING | well_formed(), VALUES)
def test_what_is_rendered_is_rendered_whole(template: str, values: dict[str, str | None]) -> None:
    if template_problem(template, is_caption=True) is None:
        once = render(template, values)
        assert render(once, values) == once
        assert tokens(once) == []


@given(well_formed())
def test_every_well_formed_template_is_accepted_unless_it_is_too_long(template: str) -> None:
    problem = template_problem(template, is_caption=True)
    assert problem is None or "longer" in problem or len(max(tokens(template), key=len, default="")) > 100


@given(NAMES, PLAIN, PLAIN, PLAIN)
def test_a_fallback_stands_exactly_where_the_value_is_missing(name: str, fallback: str, value: str, rest: str) -> None:
    template = f"{rest}{{{{ {name} |{fallback}}}}}{rest}"
    assert render(template, {name: value}) == f"{rest}{value or fallback.strip()}{rest}"
    for nothing in ({}, {name: None}, {name: ""}):
        assert render(template, nothing) == f"{rest}{fallback.strip()}{rest}"


@given(st.text(), st.text())
def test_a_value_is_put_in_as_it_is_and_never_run(value: str, other: str) -> None:
    hostile = {"a": value, "b": other, "first_name": "{{b}}", "x": "{{a.__class__}} ${7*7} {%x%} %s {0}"}
    assert render("<{{a}}>", hostile) == f"<{value}>"
    assert render("{{first_name}}", hostile) == "{{b}}"
    assert render("{{x}}", hostile) == hostile["x"]
    assert render("{{a.__class__}}{{a()}}{{7*7}}", hostile) == ""


@given(ANYTHING, VALUES)
def test_any_text_at_all_gives_a_text(template: str, values: dict[str, str | None]) -> None:
    text = text_for(template, first_name=None, last_name=None, handle=None, columns=values)
    assert "\0" not in text
    assert text_units(text) >= 0
    template_problem(template)
