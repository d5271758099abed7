"""Logging in at the terminal, and where the token is kept and goes."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.api.served import Process
from tests.api.support import EMAIL
from tests.cli.conftest import Relaygram


@dataclass(frozen=True)
class LoginFile:
    path: Path

    def exists(self) -> bool:
        return self.path.exists()

    def mode(self) -> int:
        return self.path.stat().st_mode & 0o777

    def token(self) -> str:
        token: str = json.loads(self.path.read_text())["token"]
        return token

    def damage(self) -> None:
        self.path.parent.mkdir(parents=True)
        self.path.write_text("{")


@pytest.fixture
def login_file(tmp_path: Path) -> LoginFile:
    return LoginFile(tmp_path / "home" / ".config" / "relaygram" / "login.json")


async def test_a_login_is_kept_for_its_owners_eyes_only_until_logout(
    relaygram: Relaygram, process: Process, login_file: LoginFile
) -> None:
    done = await relaygram("login", process.url, "--email", EMAIL, "--password-stdin", stdin=f"{process.password}\n")
    assert (done.status, done.out) == (0, "")
    assert f"Logged in as {EMAIL} in workspace first" in done.err
    assert login_file.mode() == 0o600
    token = login_file.token()
    me = json.loads((await relaygram("whoami", "--json")).out)
    assert (me["email"], me["token"]["id"]) == (EMAIL, int(token.partition("|")[0]))
    shown = (await relaygram("whoami")).out
    assert EMAIL in shown
    assert token not in shown
    assert (await relaygram("logout")).err == "Logged out.\n"
    assert not login_file.exists()
    assert (await relaygram("logout")).err == "Nobody is logged in.\n"
    refused = await relaygram("login", process.url, "--token-stdin", stdin=token)
    assert refused.status == 1
    assert not login_file.exists()


async def test_a_token_that_there_is_already_can_be_saved(
    relaygram: Relaygram, process: Process, login_file: LoginFile
) -> None:
    done = await relaygram("login", process.url, "--token-stdin", "--json", stdin=process.token)
    assert json.loads(done.out) == {
        "url": process.url, "user": EMAIL, "workspace": "first", "saved_in": str(login_file.path),
    }  # fmt: skip


async def test_a_wrong_password_is_one_line(relaygram: Relaygram, process: Process, login_file: LoginFile) -> None:
    done = await relaygram("login", process.url, "--email", EMAIL, "--password-stdin", stdin="wrong\n")
    assert (done.status, done.err) == (1, "relaygram: The e-mail or the password is wrong.\n")
    assert not login_file.exists()


async def test_a_saved_token_goes_to_its_own_address_only(
    relaygram: Relaygram, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    await relaygram("login", process.url, "--token-stdin", stdin=process.token)
    monkeypatch.setenv("RELAYGRAM_API_URL", process.url.replace("127.0.0.1", "localhost"))
    done = await relaygram("whoami")
    assert done.status == 1
    assert "Unauthenticated." in done.err
    monkeypatch.setenv("RELAYGRAM_API_TOKEN", process.token)
    assert (await relaygram("whoami")).status == 0
    done = await relaygram("logout")
    assert done.err.startswith("relaygram: the token comes from RELAYGRAM_API_TOKEN")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["login", "{url}"], "no terminal to ask on: E-mail"),
        (["login", "{url}", "--email", "a@b"], "no terminal to ask on: Password"),
        (["login", "{url}", "--email", "a@b", "--password-stdin"], "--password-stdin: standard input is empty"),
        (["login", "nonsense", "--token-stdin"], "--token-stdin: standard input is empty"),
    ],
)
async def test_nobody_is_asked_where_nobody_is(
    relaygram: Relaygram, process: Process, words: list[str], said: str
) -> None:
    done = await relaygram(*(word.format(url=process.url) for word in words))
    assert done.status == 1
    assert said in done.err


async def test_a_damaged_file_and_an_open_way_are_told(
    relaygram: Relaygram, login_file: LoginFile, process: Process
) -> None:
    login_file.damage()
    done = await relaygram("whoami")
    assert done.err.startswith(f"relaygram: cannot read {login_file.path}\n  What to do: log in again")
    openly = await relaygram("login", "http://192.0.2.1:1", "--email", "a@b", "--password-stdin", stdin="")
    assert openly.err.startswith("Careful: http://192.0.2.1:1 is not encrypted")
