"""The document: committed as it is, and true of the answers."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from relaygram_api import openapi
from relaygram_api.schemas.accounts import TelegramAccount
from relaygram_api.schemas.audit import Change
from relaygram_api.schemas.campaign_tests import CampaignTest
from relaygram_api.schemas.campaigns import Campaign
from relaygram_api.schemas.contacts import Import, ImportedLineError, Sender
from relaygram_api.schemas.envelopes import Many, One
from relaygram_api.schemas.identity import LoggedIn, Me, NewToken, Token
from relaygram_api.schemas.logs import LogFeed, LogRow
from relaygram_api.schemas.people import Erasure
from relaygram_api.schemas.previews import Preview
from relaygram_api.schemas.stats import CampaignStats
from relaygram_api.schemas.suppressions import Suppressed, Suppression
from relaygram_api.web import create_app
from tests.api.log_rows import row, write_log
from tests.api.support import Api

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_committed_document_is_up_to_date() -> None:
    assert COMMITTED.read_bytes() == openapi.text(create_app(None)), "run: python -m relaygram_api.openapi"


async def test_answers_have_the_shapes_that_are_described(api: Api) -> None:
    campaign = await api.campaign()
    one, account_id = campaign["id"], campaign["telegram_account_id"]
    done = await api.import_csv(one, "handle\njane_doe\n@1\n")
    await write_log(api, [row(one, "failed", error_code="X"), row(one, "sent")])
    credentials = {"email": api.email, "password": api.password, "device_name": "x"}
    answers: list[tuple[type[BaseModel], Any]] = [
        (One[LoggedIn], await api.call("POST", "/login", json=credentials)),
        (One[Me], await api.call("GET", "/me")),
        (Many[Token], await api.call("GET", "/tokens")),
        (One[NewToken], await api.call("POST", "/tokens", status=201, json={"name": "x"})),
        (One[Campaign], await api.call("GET", f"/campaigns/{one}")),
        (Many[Campaign], await api.call("GET", "/campaigns")),
        (One[CampaignTest], await api.call("POST", f"/campaigns/{one}/test", status=202, json={"handle": "ann_lee"})),
        (One[Preview], await api.call("POST", f"/campaigns/{one}/preview")),
        (One[CampaignStats], await api.call("GET", f"/campaigns/{one}/stats")),
        (LogFeed, await api.call("GET", "/logs")),
        (One[TelegramAccount], await api.call("GET", f"/telegram-accounts/{account_id}")),
        (Many[TelegramAccount], await api.call("GET", "/telegram-accounts")),
        (One[Import], await api.call("GET", f"/imports/{done['id']}")),
        (Many[ImportedLineError], await api.call("GET", f"/imports/{done['id']}/errors")),
        (Many[Sender], await api.call("GET", f"/campaigns/{one}/senders")),
        (One[Suppressed], await api.call("POST", "/suppressions", json={"handle": "john_doe"})),
        (Many[Suppression], await api.call("GET", "/suppressions")),
        (One[Erasure], await api.call("POST", "/people/erase", json={"handle": "jim_doe"})),
        (Many[LogRow], await api.call("GET", f"/campaigns/{one}/logs")),
        (Many[Change], await api.call("GET", "/audit")),
        (Many[LogRow], await api.call("GET", f"/campaigns/{one}/logs?q=x")),
    ]
    for shape, answer in answers:
        shape.model_validate(answer, strict=True)
        assert answer["data"] != [] or "q" in str(shape) or shape is answers[-1][0]
