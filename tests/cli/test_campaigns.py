"""Accounts, campaigns and their people from the terminal."""

import json
from pathlib import Path

import pytest

from tests.api.support import Api
from tests.cli.conftest import Relaygram


async def draft(relaygram: Relaygram, api: Api, *options: str) -> int:
    account = await api.account()
    made = await relaygram(
        "campaigns", "create", "--name", "Spring", "--account", account, "--text", "Hi {{first_name|there}}",
        *options, "--json",
    )  # fmt: skip
    assert made.status == 0, made.err
    campaign_id: int = json.loads(made.out)["id"]
    return campaign_id


async def test_a_campaign_from_draft_to_its_end(logged_in: Relaygram, api: Api, tmp_path: Path) -> None:
    campaign = await draft(logged_in, api, "--quiet-hours", "21:00-08:00", "--time-zone", "Europe/Berlin")
    refused = await logged_in("campaigns", "start", campaign)
    assert refused.status == 1
    assert "needs at least one contact" in refused.err
    assert "What to do: relaygram contacts import" in refused.err
    people = tmp_path / "people.csv"
    people.write_text("handle,first_name\nperson_one,Ann\nperson_two,Bo\n!,Bad\nperson_one,Again\n")
    errors = tmp_path / "errors.csv"
    imported = await logged_in("contacts", "import", campaign, people, "--errors", errors)
    assert imported.status == 0
    assert "4 lines: 2 accepted, 1 duplicates, 1 rejected." in imported.err
    assert imported.out.splitlines()[0].split() == ["line", "column", "value", "reason"]
    assert errors.read_text().splitlines()[1].startswith("4,handle,!,")
    listed = json.loads((await logged_in("contacts", "list", campaign, "--json")).out)
    assert [one["handle"] for one in listed] == ["@person_one", "@person_two"]
    assert (await logged_in("contacts", "delete", campaign, listed[1]["id"])).status == 0
    assert (await logged_in("campaigns", "preview", campaign)).out == "Hi Ann\n"
    assert (await logged_in("campaigns", "start", campaign)).err.startswith(f"Campaign {campaign} is running: ")
    paused = json.loads((await logged_in("campaigns", "pause", campaign, "--json")).out)
    assert (paused["status"], paused["status_reason"]) == ("paused", "user")
    changed = json.loads((await logged_in("campaigns", "update", campaign, "--quiet-hours", "none", "--json")).out)
    assert (changed["quiet_hours"], changed["time_zone"]) == (None, "Europe/Berlin")
    assert "contacts" in (await logged_in("campaigns", "stats", campaign)).out
    unsure = await logged_in("campaigns", "stop", campaign)
    assert (unsure.status, "What to do: say --yes" in unsure.err) == (1, True)
    assert (await logged_in("campaigns", "stop", campaign, "--yes")).status == 0
    again = await logged_in("campaigns", "start", campaign)
    assert (again.status, "stopped" in again.err) == (1, True)
    assert (await logged_in("campaigns", "delete", campaign, "--yes")).status == 0
    gone = await logged_in("campaigns", "show", campaign)
    assert (gone.status, gone.out, gone.err) == (1, "", "relaygram: There is no such campaign.\n")


async def test_lists_say_when_more_follows_and_when_there_is_nothing(logged_in: Relaygram, api: Api) -> None:
    campaign = await draft(logged_in, api)
    nobody = await logged_in("contacts", "list", campaign)
    assert (nobody.out, nobody.err.startswith("There is nobody: relaygram contacts import")) == ("", True)
    assert json.loads((await logged_in("contacts", "list", campaign, "--json")).out) == []
    await draft(logged_in, api)
    one = await logged_in("campaigns", "list", "--limit", 1, "--search", "spring")
    assert len(one.out.splitlines()) == 2
    assert one.err.startswith("More follow: --limit")
    assert len(json.loads((await logged_in("campaigns", "list", "-n", 0, "--json")).out)) >= 2


async def test_people_come_from_standard_input_too(
    logged_in: Relaygram, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = await draft(logged_in, api)
    done = await logged_in("contacts", "import", campaign, "-", "--json", stdin="handle\nfrom_stdin\n")
    found = json.loads(done.out)
    assert (found["status"], found["accepted"], found["errors"]) == ("completed", 1, [])


async def test_accounts_and_their_limits(logged_in: Relaygram, api: Api) -> None:
    phone = "+4915155500001"
    begun = await logged_in("accounts", "connect", "--phone", phone, "--name", "Sales", "--no-wait", "--json")
    account = json.loads(begun.out)["id"]
    await api.account_becomes(account, "code_required")
    assert (await logged_in("accounts", "connect", "--phone", phone, "--bot")).status == 2
    limits = await logged_in("accounts", "set-limits", account, "--per-hour", 7, "--per-day", "none", "--json")
    assert (
        json.loads(limits.out)["limits"] | {"messages_per_hour": 7, "messages_per_day": None}
        == (json.loads(limits.out)["limits"])
    )
    assert (await logged_in("accounts", "set-limits", account, "--per-hour", "many")).status == 2
    assert (await logged_in("accounts", "set-limits", account)).status == 2
    assert "Sales" in (await logged_in("accounts", "list")).out
    assert "no limit" in (await logged_in("accounts", "show", account)).out
    assert (await logged_in("accounts", "resend-code", account)).status == 0
    await api.account_becomes(account, "disabled")
    refused = await logged_in("accounts", "code", account, "12345")
    assert (refused.status, "disabled" in refused.err) == (1, True)
    assert (await logged_in("accounts", "delete", account, "--yes", "--json")).out == (
        json.dumps({"id": account, "deleted": True}, indent=2) + "\n"
    )


async def test_people_who_must_not_be_written_to(logged_in: Relaygram, tmp_path: Path) -> None:
    for person in ("@not_me", "+4915155500002", "4711"):
        assert (await logged_in("suppressions", "add", person, "--reason", "asked")).status == 0
    file = tmp_path / "no.csv"
    file.write_text("handle,reason\nnot_me,again\n!,bad\n")
    listed = await logged_in("suppressions", "add", "--file", file)
    assert listed.err == "0 added, 1 already listed, 1 rejected.\n"
    (found,) = json.loads((await logged_in("suppressions", "list", "-q", "not_me", "--json")).out)
    assert (await logged_in("suppressions", "delete", found["id"])).status == 0
    erased = await logged_in("people", "erase", "@not_me", "--yes", "--json")
    assert "streams_forget_by" in json.loads(erased.out)


async def test_own_tokens_and_the_audit_log(logged_in: Relaygram) -> None:
    made = await logged_in("tokens", "create", "reader", "--ability", "logs:read", "--expires", "30d")
    token = made.out.strip()
    number = int(token.partition("|")[0])
    assert "reader" in (await logged_in("tokens", "list")).out
    assert (await logged_in("tokens", "revoke", number)).status == 0
    changes = json.loads((await logged_in("audit", "--kind", "token", "--thing", number, "--json")).out)
    assert [change["action"] for change in changes] == ["deleted", "created"]
    assert "reader" in (await logged_in("audit", "--kind", "token", "--thing", number)).out
    assert (await logged_in("tokens", "create", "x", "--expires", "soon")).status == 2
