"""Accounts that connect as their own application or through their own proxy; sessions that Telegram does not know."""

import base64
import struct

import pytest

from relaygram_common.proxy_address import ProxyAddress, parse_proxy
from relaygram_common.security.sealing import Sealer, new_key
from relaygram_telegram_gateway.account_place import place_of
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRow, OwnConnection
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink, TelegramPlace
from relaygram_telegram_gateway.core.limits import Limits
from relaygram_telegram_gateway.settings import GatewaySettings
from tests.gateway.gateways import GatewayProcess
from tests.gateway.world import Account, World
from tests.support.proxies import Proxy, running_proxy
from tests.support.waiting import eventually

_HASH = "0123456789abcdef0123456789abcdef"


async def _through(world: World, account: int, url: str | None) -> None:
    sealed = None if url is None else world.sealer.seal(url, owner=f"account:{account}:proxy")
    await world.sql.execute(
        "insert into control.account_connections (account_id, workspace_id, proxy_sealed) values ($1, $2, $3)"
        " on conflict (account_id) do update set proxy_sealed = excluded.proxy_sealed",
        account, world.workspace, sealed,
    )  # fmt: skip
    await world.ring(account, "proxy")


def _sandbox_of(world: World) -> tuple[str, int]:
    return world.sandbox.host, world.sandbox.mtproto_port


@pytest.mark.parametrize("scheme", ["socks5", "http"])
async def test_an_account_logs_in_sends_and_leaves_through_its_proxy(
    world: World, gateway: GatewayProcess, scheme: str
) -> None:
    phone = f"+4917100000{len(scheme)}"
    person = await world.sandbox.person(phone=phone)
    async with running_proxy() as proxy:
        account = await world.new_account()
        await _through(world, account, proxy.url(scheme))
        await world.secret(account, "phone", phone)
        await world.reaches(account, "code_required")
        await world.secret(account, "code", str((await world.sandbox.get(f"/login-codes/{phone}"))["code"]))
        await world.reaches(account, "active")
        # Asking for the code, giving it, staying.
        await eventually(lambda: len(proxy.destinations) >= 3 and proxy.in_use == 1)
        assert set(proxy.destinations) == {_sandbox_of(world)}
        _, jobs = await world.broadcast(Account(account, person), await world.people(3))
        assert {event.state for event in (await world.settled(jobs)).values()} == {"sent"}
        used = len(proxy.destinations)
        await world.sql.execute("update control.telegram_accounts set deleted_at = now() where id = $1", account)
        await world.ring(account, "logout")

        async def gone() -> bool:
            left = await world.sql.fetchval(
                "select count(*) from control.account_connections where account_id = $1", account
            )
            return bool(left == 0)

        await eventually(gone)
        assert len(proxy.destinations) == used + 1
        assert proxy.refused == 0
    assert "hunter2" not in gateway.log_text()


async def test_another_proxy_is_used_within_a_second(world: World, gateway: GatewayProcess) -> None:
    account = await world.account()

    async def connections_of(wanted: Proxy) -> bool:
        return wanted.in_use == 1

    async with running_proxy() as first, running_proxy() as second:
        await _through(world, account.id, first.url("socks5"))
        await eventually(lambda: connections_of(first))
        campaign, jobs = await world.broadcast(account, await world.people(30))
        await eventually(lambda: world.final(jobs))
        await _through(world, account.id, second.url("socks5"))
        await eventually(lambda: connections_of(second), 2.5)
        await eventually(lambda: first.in_use == 0)
        await world.settled(jobs)
        assert len(await world.accepted(account)) == 30
        await _through(world, account.id, None)
        await eventually(lambda: second.in_use == 0)
        _, more = await world.broadcast(account, await world.people(1))
        await world.settled(more)
        await world.queue_is_empty(campaign)


async def test_no_connection_stays_behind_when_the_proxy_changes_while_telegram_is_being_asked(
    world: World, gateway: GatewayProcess
) -> None:
    """One that did would be a second one with the account's key, and Telegram ends the log-in for that."""
    account = await world.account()
    async with running_proxy() as proxy:
        await _through(world, account.id, proxy.url("socks5"))
        await eventually(lambda: proxy.in_use == 1)
        _, jobs = await world.broadcast(account, await world.people(1))
        await world.settled(jobs)
        # Asked by the gateway when it has connected. (Telethon asks only while there is no state of updates yet.)
        silent = {"times": 1, "action": {"silent": True}}
        asks = {"name": "silent", "method": "updates.getState", "account_id": account.person["id"]}
        before = len(await world.wire(account, "updates.getState"))
        await world.sandbox.post("/faults", {**asks, **silent})
        await proxy.close()

        async def asked_again() -> bool:
            return len(await world.wire(account, "updates.getState")) == before + 1

        await eventually(asked_again)
        assert proxy.in_use == 1
        await _through(world, account.id, None)
        await eventually(lambda: proxy.in_use == 0, 5)
    _, jobs = await world.broadcast(account, await world.people(1))
    assert [event.state for event in (await world.settled(jobs)).values()] == ["sent"]


async def test_a_proxy_that_lets_nothing_through_is_told(world: World, gateway: GatewayProcess) -> None:
    async with running_proxy() as proxy:
        account = await world.new_account()
        await _through(world, account, proxy.url("socks5", password="wr0ngw0rd"))
        await world.secret(account, "phone", "+4917100000001")
        reason = await world.reaches(account, "disabled")
        assert reason == "The account's proxy lets nothing through: check its address, user and password."
        assert proxy.refused >= 3
        assert proxy.destinations == []

    async def forgotten() -> bool:
        secrets = "select count(*) from control.login_secrets where account_id = $1"
        return bool(await world.sql.fetchval(secrets, account) == 0)

    await eventually(forgotten)
    assert "wr0ngw0rd" not in gateway.log_text()


async def test_an_active_account_says_that_its_proxy_lets_nothing_through(
    world: World, gateway: GatewayProcess
) -> None:
    account = await world.account()
    async with running_proxy() as proxy:
        await _through(world, account.id, proxy.url("socks5", password="wr0ngw0rd"))

        async def reason() -> str:
            return (await world.status(account.id))[1] or ""

        async def told() -> bool:
            return "proxy lets nothing through" in await reason()

        await eventually(told)
        assert (await world.status(account.id))[0] == "active"
        assert await _events_of(world, account.id) == []  # it has not connected anew
        await _through(world, account.id, proxy.url("socks5"))

        async def silent() -> bool:
            return await reason() == ""

        await eventually(silent)
        await _through(world, account.id, None)
        await eventually(lambda: proxy.in_use == 0)


async def _events_of(world: World, account: int) -> list[str]:
    rows = await world.sql.fetch(
        "select subject from control.outbox where subject like 'account.event.%.' || $1::text", str(account)
    )
    return [row["subject"] for row in rows]


def _session(key: bytes) -> str:
    packed = struct.pack(">B4sH256s", 2, bytes((127, 0, 0, 1)), 443, key)
    return "1" + base64.urlsafe_b64encode(packed).decode()


async def test_a_session_that_telegram_does_not_know_is_told(world: World, gateway: GatewayProcess) -> None:
    made_up = await world.new_account()
    await world.secret(made_up, "session_string", _session(bytes(range(256))))
    reason = await world.reaches(made_up, "disabled")
    assert reason == "Telegram does not know this session (any more): log in anew."

    known = await world.account()
    session = world.sealer.open(
        await world.sql.fetchval("select sealed from telegram.sessions where account_id = $1", known.id),
        owner=f"session:{known.id}",
    )
    await world.sql.execute("update control.telegram_accounts set deleted_at = now() where id = $1", known.id)

    async def logged_out() -> bool:
        return bool(await world.wire(known, "auth.logOut"))

    await eventually(logged_out)
    revoked = await world.new_account()
    await world.secret(revoked, "session_string", session)
    assert await world.reaches(revoked, "disabled") == reason


async def test_a_bots_session_is_no_persons(world: World, gateway: GatewayProcess) -> None:
    bot = await world.sandbox.person(bot_token="987654:" + "x" * 35, username="other_bot")
    account = await world.new_account()
    await world.secret(account, "session_string", await world.sandbox.session_of(bot))
    reason = await world.reaches(account, "disabled")
    assert reason is not None
    assert "belongs to a bot" in reason


async def test_an_account_is_its_own_application() -> None:
    sealer = Sealer(new_key("test"))
    place = TelegramPlace(("127.0.0.1", 1), 1, "sandbox", 5.0)
    sealed = sealer.seal(_HASH, owner="account:7:api_hash")
    own = place_of(_account(OwnConnection(94575, sealed, None)), place, sealer)
    client = TelegramLink(own, "", lambda: True)._client
    assert (client.api_id, client.api_hash) == (94575, _HASH)
    assert place_of(_account(OwnConnection()), place, sealer) == place
    assert _HASH not in repr(own)


def _account(connection: OwnConnection) -> AccountRow:
    limits = Limits(1, None, None, 20, False)
    return AccountRow(7, 1, "user", "new", None, None, None, None, limits, 1, 0.0, False, frozenset(), connection)


def test_a_proxy_address_is_read_with_its_parts_decoded() -> None:
    assert parse_proxy("socks5://j%40ne:p%3Aw@[::1]:1080") == ProxyAddress("socks5", "::1", 1080, "j@ne", "p:w")
    assert parse_proxy("HTTP://proxy.example.com:3128/") == ProxyAddress("http", "proxy.example.com", 3128)
    assert "hunter2" not in repr(parse_proxy("http://jane:hunter2@host:1"))


def test_the_installations_proxy_must_be_one() -> None:
    with pytest.raises(ValueError, match="RELAYGRAM_TELEGRAM_PROXY must begin with"):
        GatewaySettings(postgres_dsn="x", telegram_proxy="ftp://host:1")
