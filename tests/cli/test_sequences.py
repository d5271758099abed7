"""Steps, media and connecting again from the terminal."""

import json
from pathlib import Path

from tests.api.support import Api
from tests.cli.conftest import Relaygram
from tests.cli.test_campaigns import draft


async def test_a_sequence_is_shown_changed_and_taken_away(logged_in: Relaygram, api: Api, tmp_path: Path) -> None:
    campaign = await draft(logged_in, api)
    assert (await logged_in("campaigns", "steps", "show", campaign)).err.startswith("There are no steps")
    file = tmp_path / "steps.json"
    file.write_text(
        json.dumps(
            [
                {"body": "Hello"},
                {
                    "body": "Any questions?",
                    "delay_seconds": 259200,
                    "followups": [{"after_hours": 1.5, "body": "Well?"}],
                },
            ]
        )
    )
    done = await logged_in("campaigns", "steps", "set", campaign, file)
    assert done.status == 0, done.err
    second = done.out.splitlines()[2]
    assert second.split()[:1] == ["1"]
    assert "3d" in second
    assert second.endswith("after 90min: Well?")
    shown = (await logged_in("campaigns", "steps", "show", campaign, "--json")).out
    again = await logged_in("campaigns", "steps", "set", campaign, "-", "--json", stdin=shown)
    assert again.out == shown
    wrapped = await logged_in("campaigns", "steps", "set", campaign, "-", "--json", stdin=f'{{"steps": {shown}}}')
    assert wrapped.out == shown
    preview = await logged_in("campaigns", "preview", campaign, "--step", 1)
    assert preview.out == "Any questions?\n"
    assert (await logged_in("campaigns", "preview", campaign, "--step", 1, "--follow-up", 0)).out == "Well?\n"
    assert (await logged_in("campaigns", "test", campaign, "@jane_doe", "--step", 2, "--no-wait")).status == 1
    assert (await logged_in("campaigns", "test", campaign, "@jane_doe", "--step", 1, "--no-wait")).status == 0
    assert json.loads((await logged_in("campaigns", "steps", "set", campaign, "-", "--json", stdin="[]")).out) == []


async def test_a_wrong_file_of_steps_is_said(logged_in: Relaygram, api: Api) -> None:
    campaign = await draft(logged_in, api)
    for text, said in (
        ("{", "- is not JSON"), ('"x"', "- is not a list of steps"), ("[1]", "- is not a list of steps"),
        ("{}", "- is not a list of steps"), ('[{"body": ""}]', "steps.0.body: must not be blank"),
        ('[{"body": "x", "when": 1}]', "steps.0.when: is not a known field"),
    ):  # fmt: skip
        refused = await logged_in("campaigns", "steps", "set", campaign, "-", stdin=text)
        assert (refused.status, refused.out) == (1, "")
        assert said in refused.err
    assert (await logged_in("campaigns", "steps", "set", campaign, "no/such/file")).status == 1


async def test_a_photo_goes_with_a_campaign(logged_in: Relaygram, api: Api, tmp_path: Path) -> None:
    file = tmp_path / "spring.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"x" * 64)
    photo = json.loads((await logged_in("media", "add", file, "--json")).out)
    assert (photo["kind"], photo["file_name"]) == ("photo", "spring.png")
    assert "image/png" in (await logged_in("media", "show", photo["id"])).out
    document = await logged_in("media", "add", file, "--kind", "document", "--name", "other.png", "--json")
    assert (json.loads(document.out)["kind"], json.loads(document.out)["file_name"]) == ("document", "other.png")
    fetched = await logged_in("media", "add", "http://127.0.0.1/x.png")
    assert (fetched.status, "not public" in fetched.err) == (1, True)
    missing = await logged_in("media", "add", tmp_path / "none")
    assert (missing.status, "none" in missing.err) == (1, True)
    campaign = await draft(logged_in, api, "--attach", str(photo["id"]))
    shown = json.loads((await logged_in("campaigns", "show", campaign, "--json")).out)
    assert shown["attachments"] == [photo["id"]]
    changed = await logged_in("campaigns", "update", campaign, "--attach", "none", "--json")
    assert json.loads(changed.out)["attachments"] == []
    assert (await logged_in("campaigns", "update", campaign, "--attach", "x")).status == 2
    assert (await logged_in("campaigns", "update", campaign)).status == 2


async def test_a_disabled_account_is_connected_again(logged_in: Relaygram, api: Api) -> None:
    account = await api.account()
    command = ("accounts", "connect-again", account, "--no-wait", "--phone", "+4915155500009")
    refused = await logged_in(*command)
    assert (refused.status, "disabled account" in refused.err) == (1, True)
    await api.account_becomes(account, "disabled")
    assert (await logged_in(*command, "--bot")).status == 2
    assert json.loads((await logged_in(*command, "--json")).out)["status"] == "new"
