"""Each statement of the gateway can be prepared under its own role; wrong settings are told in a line."""

import subprocess
import sys

import asyncpg
import pytest

from relaygram_common.database.statements import Statements
from relaygram_telegram_gateway.settings import GatewaySettings
from tests.support.servers import Database

_statements = Statements("relaygram_telegram_gateway")
_KEY = "telegram_sandbox_public_key"


async def test_every_statement_can_be_prepared(database: Database) -> None:
    connection = await asyncpg.connect(database.gateway)
    try:
        for name in _statements.names():
            await connection.prepare(_statements[name])
    finally:
        await connection.close()


@pytest.mark.parametrize("address", ["localhost:4430", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:x"])
def test_the_sandbox_must_be_an_ip_literal_with_a_port(address: str) -> None:
    with pytest.raises(ValueError, match="RELAYGRAM_TELEGRAM_SANDBOX_ADDRESS"):
        GatewaySettings(postgres_dsn="x", telegram_sandbox_address=address, telegram_sandbox_public_key="x")


def test_the_real_telegram_needs_both_credentials() -> None:
    with pytest.raises(ValueError, match="RELAYGRAM_TELEGRAM_API_HASH"):
        GatewaySettings(postgres_dsn="x", telegram_api_id=1)
    assert GatewaySettings(postgres_dsn="x", telegram_api_id=1, telegram_api_hash="h").has_telegram
    assert not GatewaySettings(postgres_dsn="x").has_telegram


def test_a_database_that_is_not_there_is_told_in_one_line(database: Database) -> None:
    environment = {
        "RELAYGRAM_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/none",
        "RELAYGRAM_TELEGRAM_API_ID": "1",
        "RELAYGRAM_TELEGRAM_API_HASH": "x",
        "RELAYGRAM_HEALTH_PORT": "0",
        "RELAYGRAM_SECRET_KEYS": "k:" + "A" * 43 + "=",
    }
    done = subprocess.run(
        [sys.executable, "-m", "relaygram_telegram_gateway"],
        env=environment,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert done.stderr.startswith(b"telegram-gateway: ")
