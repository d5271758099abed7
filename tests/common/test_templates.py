"""What one person is sent: one rule for the gateway, the dispatcher's log rows and previews."""

from relaygram_common.templates import text_for, text_problem, tokens_without_value


def test_a_text_is_made_for_one_person_and_told_why_it_can_not_be_sent() -> None:
    text = text_for(
        "Hi {{first_name|there}} {{city}}\0", first_name=None, last_name=None, handle="h", columns={"city": "Rom"}
    )
    assert text == "Hi there Rom"
    assert text_problem(text) is None
    assert text_problem(" \n") == "The text is empty for this person."
    assert text_problem("😀" * 2048) is None
    assert text_problem("😀" * 2049) == "The text has 4098 characters for this person; Telegram takes 4096."


def test_tokens_without_value_are_named_once_in_their_order() -> None:
    template = "{{city}} {{first_name|there}} {{ city | Rome }} {{last_name}} {{handle}}"
    values = {"handle": "@h", "first_name": "", "last_name": None}
    assert tokens_without_value(template, values) == ["city", "first_name", "last_name"]
