"""A campaign's log over HTTP as one file, against COPY … TO STDOUT of the query by asyncpg; and the api's memory."""

import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx

from benchmarks.log_servers import LogServers, process
from benchmarks.results import Result, of_runs
from relaygram_api.adapters.pg_workspace import sql
from relaygram_common import identity
from relaygram_common.database.statements import Statements
from relaygram_common.security.sealing import new_key
from relaygram_local_stack.ports import free_port

GOAL = 0.5
_WHY = (
    "0.48 to 0.59 from run to run: to write times and to look for formulas takes PostgreSQL 0.4 µs a row beside COPY's"
    " 1.4, and the api, which passes the rows on, has its processor in common with who reads them"
)
MEMORY_GOAL = 1.1
_ROUNDS = 5
_FEW_ROWS = 100_000
_MOST_TIMED = 1_000_000
_AT_ONCE = 250_000
_SECONDS = 900.0
_READY_SECONDS = 20.0
_DATABASE = "export"
_COPY: dict[str, dict[str, Any]] = {
    "csv": {"format": "csv"},
    "ndjson": {"format": "csv", "quote": "\x01", "delimiter": "\x02"},
}
_sql = Statements("benchmarks")
_PLAIN_COLUMNS = _sql["export_plain_columns"]


@dataclass(frozen=True, slots=True)
class _Api:
    url: str
    token: str
    pid: int
    dsn: str


async def measure(servers: LogServers, rows: int) -> list[Result]:
    """Rows a second of each format, and whether memory grows with the rows."""
    await asyncio.to_thread(servers.database, _DATABASE)
    async with _api(servers) as api:
        await _without_other_indexes(api)
        few, many = await _campaign(api, _FEW_ROWS), await _campaign(api, rows)
        timed, length = (many, rows) if rows <= _MOST_TIMED else (await _campaign(api, _MOST_TIMED), _MOST_TIMED)
        # Parquet last: its library is large, and stays.
        text = [await _memory(api, few, many, rows, ("csv", "ndjson", "csv.gz"), "CSV, ndjson, gzip")]
        ratios = [
            await _compare(api, timed, length, "csv", "CSV", _PLAIN_COLUMNS, GOAL),
            await _compare(api, timed, length, "ndjson", "ndjson", _json_query(), GOAL),
            await _compare(api, timed, length, "ndjson", "ndjson", _PLAIN_COLUMNS, None),
            await _compare(api, timed, length, "csv.gz", "CSV, gzip", _PLAIN_COLUMNS, None),
        ]
        parquet = [await _memory(api, few, many, rows, ("parquet",), "Parquet")]
        ratios.append(await _compare(api, timed, length, "parquet", "Parquet", _PLAIN_COLUMNS, None))
    return [*ratios, *text, *parquet]


async def _memory(api: _Api, few: int, many: int, rows: int, outputs: Sequence[str], what: str) -> Result:
    before = await _peak_megabytes(api, few, outputs)
    after = await _peak_megabytes(api, many, outputs)
    figures = f"{after:.0f} MB with {rows} rows, {before:.0f} MB with {_FEW_ROWS}"
    name = f"Export as {what}: peak memory of the api, many rows / few"
    return Result(name, after / before, MEMORY_GOAL, figures, is_limit=True)


async def _compare(
    api: _Api, campaign: int, rows: int, output: str, name: str, query: str, goal: float | None
) -> Result:
    copy = _COPY["csv" if query is _PLAIN_COLUMNS else "ndjson"]
    pairs = [
        (rows / await _exported(api, campaign, output), rows / await _copied(api.dsn, query, campaign, rows, copy))
        for _ in range(_ROUNDS)
    ]
    ours, plain = (statistics.median(side) for side in zip(*pairs, strict=True))
    against = "of the plain columns" if query is _PLAIN_COLUMNS else "of the same query"
    figures = f"{rows} rows; {ours:.0f}/s, COPY {plain:.0f}/s"
    ratios = [one / other for one, other in pairs]
    return of_runs(f"Export as {name} / COPY {against}", ratios, goal, figures, note=_WHY)


def _json_query() -> str:
    """The statement that the export itself copies, without its filters."""
    return (
        sql["log_export_json"].partition(" where ")[0] + " where campaign_id = $1 and position <= $2 order by position"
    )


async def _copied(dsn: str, query: str, campaign: int, rows: int, options: dict[str, Any]) -> float:
    """Seconds of plain COPY, whose bytes nobody keeps."""
    connection = await asyncpg.connect(dsn)

    async def drop(_: bytes) -> None:
        return

    try:
        began = time.perf_counter()
        await connection.copy_from_query(query, campaign, rows, output=drop, timeout=_SECONDS, **options)
        return time.perf_counter() - began
    finally:
        await connection.close()


async def _exported(api: _Api, campaign: int, output: str) -> float:
    """Seconds from the request to the last byte, read as cheaply as can be. Raises RuntimeError when it breaks off."""
    parts, (form, _, coding) = urlsplit(api.url), output.partition(".")
    head = (
        f"GET /api/v1/campaigns/{campaign}/logs/export?format={form} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {api.token}\r\nAccept-Encoding: {'gzip' if coding else 'identity'}\r\n"
        "Connection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1024 * 1024)
    began, answer, end = time.perf_counter(), b"", b""
    try:
        writer.write(head.encode())
        async with asyncio.timeout(_SECONDS):
            while piece := await reader.read(1024 * 1024):
                answer = answer or piece[:200]
                end = (end + piece)[-5:]
    finally:
        writer.close()
    if not answer.startswith(b"HTTP/1.1 200") or end != b"0\r\n\r\n":
        raise RuntimeError(f"{answer!r} … {end!r}")
    return time.perf_counter() - began


async def _peak_megabytes(api: _Api, campaign: int, outputs: Sequence[str]) -> float:
    """The most memory that the process has while it exports."""
    _forget_peak(api.pid)
    for output in outputs:
        await _exported(api, campaign, output)
    return _peak(api.pid)


def _forget_peak(pid: int) -> None:
    """Linux does so when told: starting took more memory than exporting does."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@asynccontextmanager
async def _api(servers: LogServers) -> AsyncIterator[_Api]:
    """The api as it is run: a process of its own, with the settings it has by default."""
    dsn, port, health_port = servers.postgres.dsn(_DATABASE), free_port(), free_port()
    email = "bench@example.com"
    await identity.bootstrap(dsn, workspace="bench", email=email)
    token = await identity.create_token(dsn, email, "bench", ["*"])
    wiring = {
        "RELAYGRAM_NATS_URL": servers.nats_url,
        "RELAYGRAM_POSTGRES_DSN": servers.postgres.dsn(_DATABASE, "relaygram_api"),
        "RELAYGRAM_API_PORT": str(port),
        "RELAYGRAM_HEALTH_PORT": str(health_port),
        "RELAYGRAM_SECRET_KEYS": new_key("bench"),
        "RELAYGRAM_RATE_LIMIT_PER_MINUTE": "0",
        "RELAYGRAM_LOG_LEVEL": "WARNING",
    }
    async with process("relaygram_api", wiring) as running, httpx.AsyncClient() as client:
        async with asyncio.timeout(_READY_SECONDS):
            while not await _is_ready(client, f"http://127.0.0.1:{health_port}/readyz"):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.05)
        yield _Api(f"http://127.0.0.1:{port}", token, running.pid, dsn)


async def _without_other_indexes(api: _Api) -> None:
    connection = await asyncpg.connect(api.dsn)
    try:
        for (drop,) in await connection.fetch(_sql["export_needs_not"]):
            await connection.execute(drop)
    finally:
        await connection.close()


async def _campaign(api: _Api, rows: int) -> int:
    """A campaign with so many rows in its log."""
    headers = {"Authorization": f"Bearer {api.token}"}
    async with httpx.AsyncClient(base_url=f"{api.url}/api/v1", headers=headers) as client:
        phone = {"kind": "user", "phone": f"+49151{secrets.randbelow(10**8):08}"}
        account = (await client.post("/telegram-accounts", json=phone)).raise_for_status().json()["data"]["id"]
        draft = {"name": "Export", "mode": "broadcast", "body": "Hello", "telegram_account_id": account}
        campaign: int = (await client.post("/campaigns", json=draft)).raise_for_status().json()["data"]["id"]
        workspace = (await client.get("/me")).raise_for_status().json()["data"]["workspace"]["id"]
    connection = await asyncpg.connect(api.dsn)
    try:
        for first in range(1, rows + 1, _AT_ONCE):
            last = min(rows, first + _AT_ONCE - 1)
            await connection.execute(_sql["export_rows"], campaign, workspace, first, last, timeout=_SECONDS)
        await connection.execute(_sql["export_counters"], campaign, workspace, rows)
        await connection.execute("vacuum (analyze) delivery.messages", timeout=_SECONDS)
    finally:
        await connection.close()
    return campaign


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False
