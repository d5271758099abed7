"""Lists of a send's people over real sockets: many of them, clients that stand still, PostgreSQL away."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from relaygram_local_stack.servers import NatsServer, Postgres
from tests.api.served import Process, served_api
from tests.api.streams import calling, execute, make_campaign
from tests.support.servers import Database
from tests.support.waiting import eventually

PEOPLE = 300_000
_FILL = """
insert into delivery.messages (campaign_id, job_id, id, position, revision, created_at, workspace_id, channel, state,
    rank, attempt, run_id, step, trigger, destination, queued_at)
select $1, gen_random_uuid(), $1::bigint * 1000000 + n, n, $1::bigint * 1000000 + n, now(), $2, 'telegram',
       'sent', 4, 1, 5, 0, 'broadcast', '@person_' || lpad(n::text, 40, '0'), now()
  from generate_series(1, $3::bigint) n"""
_SEND = """
insert into delivery.sends (workspace_id, campaign_id, place, run_id, step, trigger, follow_up, job_id, started_at,
    messages, accepted, first_position, last_position, triggered_by, message)
values ($2, $1, $1, 5, 0, 'broadcast', -1, '00000000-0000-0000-0000-000000000000', now(), $3::bigint,
        $3, 1, $3, 'broadcast', 'Hello')"""


@pytest.fixture(scope="module")
async def process(mortal_database: Database, provisioned_nats: NatsServer) -> AsyncIterator[Process]:
    settings = {"RELAYGRAM_EXPORT_SEND_SECONDS": "1"}
    async with served_api(mortal_database, provisioned_nats.url, **settings) as running:
        yield running


@pytest.fixture(scope="module")
async def client(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {process.token}"}
    async with httpx.AsyncClient(base_url=process.url, headers=headers, timeout=60) as client:
        yield client


async def _send(process: Process, client: httpx.AsyncClient, database: Database, people: int) -> str:
    """The path of a send to so many, as a list."""
    async with calling(process) as other:
        campaign = await make_campaign(other)
        workspace = (await other.get("/me")).json()["data"]["workspace"]["id"]
    await execute(database, _FILL, campaign, workspace, people)
    await execute(database, _SEND, campaign, workspace, people)
    body = {"find": {"campaign_id": [str(campaign)]}}
    found = (await client.post("/send-logs/search", json=body)).json()
    (send,) = found["data"]["send_logs"]
    return f"/send-logs/{send['_id']}?group_destinations=list"


@pytest.fixture(scope="module")
async def large(process: Process, client: httpx.AsyncClient, mortal_database: Database) -> str:
    return await _send(process, client, mortal_database, PEOPLE)


async def test_a_list_of_many_is_whole_and_does_not_fill_memory(
    process: Process, client: httpx.AsyncClient, mortal_database: Database, large: str
) -> None:
    await client.get(await _send(process, client, mortal_database, 20_000))
    before = _peak_bytes(process.pid)
    answer = await client.get(large)
    assert answer.status_code == 200
    people = answer.json()["data"]["destinations"]
    assert people == [f"@person_{number:040}" for number in range(1, PEOPLE + 1)]
    assert _peak_bytes(process.pid) - before < 10 * 1024 * 1024


async def test_a_client_that_stands_still_is_cut_off(process: Process, large: str) -> None:
    with socket.socket() as still:
        still.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        still.connect(("127.0.0.1", process.port))
        still.sendall(process.head("GET", large, token=process.token))

        async def is_cut() -> bool:
            return not await asyncio.to_thread(_is_connected, process.port, still.getsockname()[1])

        await eventually(is_cut, 20)


async def test_a_list_that_can_not_be_read_on_breaks_off(
    client: httpx.AsyncClient, mortal_postgres: Postgres, large: str
) -> None:
    received = b""

    async def read_on() -> None:
        nonlocal received
        async with client.stream("GET", large) as answer:
            async for piece in answer.aiter_raw(1024):
                if not received:
                    await asyncio.to_thread(mortal_postgres.kill)
                received += piece

    with pytest.raises(httpx.TransportError):
        await read_on()
    mortal_postgres.start()  # not in a thread: it would end with it
    assert not received.endswith(b"]}}")

    async def is_back() -> bool:
        return (await client.get(large.partition("?")[0])).status_code == 200

    await eventually(is_back, 20)


def _peak_bytes(pid: int) -> int:
    """The most memory that the process has ever had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(status.read().partition("VmHWM:")[2].split()[0]) * 1024


def _is_connected(server_port: int, client_port: int) -> bool:
    """Whether the system still knows the connection's server side as established."""
    wanted = f":{server_port:04X}", f":{client_port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return any(row[1].endswith(wanted[0]) and row[2].endswith(wanted[1]) and row[3] == "01" for row in rows)
