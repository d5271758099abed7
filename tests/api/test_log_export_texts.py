"""Whatever texts are in the log: an export has them, and every reader of its format gets them back."""

import io
from typing import Any

import pyarrow.parquet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relaygram_api.core.spreadsheets import harmless
from tests.api.exports import csv_rows, export, exported, shown
from tests.api.log_rows import row, write_log
from tests.api.support import Api

# PostgreSQL holds neither NUL nor lone surrogates. What formats trip over comes often.
AWKWARD = st.sampled_from(
    ["", '"', '""', "\\", "\\N", "\\.", "\n", "\r", "\r\n", "\t", ",", "'", "=", "-", "\x01", "\x02", "\x1f", "\x7f",
     "\u2028", "\ufeff", "null", "$1", "$7", "🎉", "\U0010ffff", "é"]
)  # fmt: skip
ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
PUT_TOGETHER = st.lists(st.one_of(AWKWARD, ANY), max_size=4).map("".join)
TEXTS = st.lists(st.one_of(st.none(), ANY, PUT_TOGETHER), min_size=1, max_size=20)


@given(texts=TEXTS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_texts_come_back(api: Api, texts: list[str | None]) -> None:
    campaign = await new_campaign(api)
    rows = [row(campaign, "failed", body=text, error_code="ODD", error_message=text) for text in texts]
    await write_log(api, rows)
    assert bodies(await shown(api, campaign)) == texts
    assert bodies(await exported(api, campaign)) == texts
    assert [one["error"]["message"] for one in await exported(api, campaign)] == [text or "" for text in texts]
    found = csv_rows((await export(api, campaign, "csv")).text)
    assert bodies(found) == [harmless(text or "") for text in texts]
    assert [one["error_message"] for one in found] == [harmless(text or "") for text in texts]
    table = pyarrow.parquet.read_table(io.BytesIO((await export(api, campaign, "parquet")).content))
    assert bodies(table.to_pylist()) == texts


def bodies(rows: list[dict[str, Any]]) -> list[Any]:
    return [one["body"] for one in rows]


async def new_campaign(api: Api) -> int:
    """A campaign of its own, without making an account for each."""
    copied: int = await api.sql(
        "insert into control.campaigns (workspace_id, name, mode, body, telegram_account_id)"
        " values ($1, 'Texts', 'broadcast', 'x', $2) returning id",
        api.workspace_id,
        await api.sql("select min(id) from control.telegram_accounts where workspace_id = $1", api.workspace_id)
        or await api.account(),
    )
    return copied
