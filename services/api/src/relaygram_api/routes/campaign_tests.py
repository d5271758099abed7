"""Test sends: one message of a campaign to one person, before the campaign goes to all."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BeforeValidator, Field, StrictStr, StringConstraints, WithJsonSchema

from relaygram_api.adapters import pg_accounts, pg_campaign_tests
from relaygram_api.adapters.pg_workspace import Connection
from relaygram_api.answers import answer, micros, written
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with, concerns
from relaygram_api.core.addresses import normal_handle, normal_phone, normal_user_id
from relaygram_api.core.campaign_tests import Recipient, job_id_of, queued_event, text_of
from relaygram_api.core.contact_rows import LONGEST_NAME, LONGEST_VALUE
from relaygram_api.errors import conflict, invalid, not_found
from relaygram_api.fields import Body, Id
from relaygram_api.parts import Caller, FromParts, Parts
from relaygram_api.routes.campaigns import demand
from relaygram_api.routes.previews import FollowUpAsked, StepAsked, message_asked_for
from relaygram_api.schemas.campaign_tests import CampaignTest
from relaygram_api.schemas.envelopes import One
from relaygram_api.things import exists
from relaygram_common.contracts.states import MessageState
from relaygram_common.templates import text_problem

router = APIRouter(prefix=PREFIX + "/campaigns/{campaign_id:id}/test", route_class=CheckedRoute, tags=["Campaigns"])
_ADDRESSES = ("telegram_user_id", "handle", "phone")
_MOST_COLUMNS = 100


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("should be a text")
    return value


def _user_id(value: object) -> int | None:
    if value is None:
        return None
    return normal_user_id(str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value))


def _handle(value: object) -> str | None:
    return None if value is None else normal_handle(_text(value))


def _phone(value: object) -> str | None:
    return None if value is None else normal_phone(_text(value))


_TEXT = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]})
_NUMBER = WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}, {"type": "null"}]})
PersonName = Annotated[StrictStr, StringConstraints(max_length=LONGEST_NAME)]
Columns = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=100)],
        Annotated[StrictStr, StringConstraints(max_length=LONGEST_VALUE)],
    ],
    Field(max_length=_MOST_COLUMNS),
]


class CampaignTestRequest(Body):
    """A contact of the campaign by `sender_id`, or anybody by an address, with what the text asks for."""

    sender_id: Id | None = None
    telegram_user_id: Annotated[int | None, BeforeValidator(_user_id), _NUMBER] = None
    handle: Annotated[str | None, BeforeValidator(_handle), _TEXT] = None
    phone: Annotated[str | None, BeforeValidator(_phone), _TEXT] = None
    first_name: PersonName | None = None
    last_name: PersonName | None = None
    columns: Columns | None = Field(default=None, description="Values of the text's other tokens.")

    def problems(self) -> dict[str, list[str]]:
        """What does not go together."""
        given = sorted(name for name in self.model_fields_set - {"sender_id"} if getattr(self, name) is not None)
        if self.sender_id is not None:
            return {name: ["can not be given together with sender_id"] for name in given}
        if not any(name in given for name in _ADDRESSES):
            return {"sender_id": [f"is required, or one of {', '.join(_ADDRESSES)}"]}
        return {}

    def recipient(self) -> Recipient:
        """The person as given."""
        return Recipient(
            None,
            self.telegram_user_id,
            self.handle,
            self.phone,
            self.first_name or None,
            self.last_name or None,
            self.columns or {},
        )


@router.post("", status_code=202, operation_id="test_campaign", response_model=One[CampaignTest], responses={409: {}})
@concerns(exists("campaign_id", "campaign_exists", "campaign"))
async def send_test(
    campaign_id: int,
    body: CampaignTestRequest,
    caller: Annotated[Caller, caller_with("campaigns:write")],
    parts: FromParts,
    step: StepAsked = 0,
    follow_up: FollowUpAsked = None,
) -> Response:
    """Send the campaign's text to one person, whatever state the campaign is in. It counts in no campaign.

    Limits and suppressions hold as for any message. The same request (by `Idempotency-Key`, or by `X-Request-Id`) sends
    one message, however often it comes.
    """
    async with changing(parts, caller) as change:
        connection = change.connection
        campaign = await demand(connection, campaign_id)
        recipient = await _recipient(connection, parts, campaign, body)
        message = await message_asked_for(connection, campaign, step, follow_up)
        if problem := text_problem(text_of(message, recipient), is_caption=message.is_caption):
            raise invalid({"body": [problem]})
        account = await pg_campaign_tests.account(connection, campaign["telegram_account_id"])
        _demand_active(account)
        fingerprint = parts.sealer.fingerprint(f"test {recipient.addresses}")
        job = job_id_of(campaign_id, recipient, message, caller.request_id, fingerprint)
        added = await pg_campaign_tests.add(connection, parts.sealer, campaign, message, job, recipient)
        if added is not None:
            row_id, made_at, content_type = added
            event = queued_event(
                job=job,
                row_id=row_id,
                campaign=campaign,
                message=message,
                account=account,
                recipient=recipient,
                at=made_at,
                content_type=content_type,
            )
            await pg_campaign_tests.relay(connection, event)
            await pg_accounts.ring(connection, caller.workspace_id, account["id"], "test")
        shown = await _get(connection, campaign_id, job)
        return change.answer({**shown, "body": shown["body"] or text_of(message, recipient)}, status=202)


@router.get("/{job_id:uuid}", operation_id="get_campaign_test", response_model=One[CampaignTest])
async def get_test(
    campaign_id: int,
    job_id: UUID,
    caller: Annotated[Caller, caller_with("campaigns:read")],
    parts: FromParts,
) -> Response:
    """What became of a test; also of a campaign that was deleted since."""
    async with parts.database.workspace(caller.workspace_id) as connection:
        return answer(await _get(connection, campaign_id, job_id))


async def _recipient(
    connection: Connection, parts: Parts, campaign: dict[str, Any], body: CampaignTestRequest
) -> Recipient:
    if problems := body.problems():
        raise invalid(problems)
    if body.sender_id is None:
        return body.recipient()
    found = await pg_campaign_tests.contact(connection, parts.sealer, campaign["id"], body.sender_id)
    if found is None:
        raise invalid({"sender_id": ["is not a contact of this campaign"]})
    if found.destination is None and found.phone is None:
        raise invalid({"sender_id": ["has only a phone, which can not be opened with this installation's keys"]})
    return found


def _demand_active(account: dict[str, Any]) -> None:
    status = account["status"]
    if status == "active":
        return
    until = f" until {written(account['backing_off_until'])}" if account["backing_off_until"] else ""
    raise conflict(
        "account_not_active", f"A test needs an account that is active; the campaign's account is {status}{until}."
    )


async def _get(connection: Connection, campaign_id: int, job: UUID) -> dict[str, Any]:
    row = await pg_campaign_tests.get(connection, campaign_id, job)
    if row is None:
        raise not_found("test of this campaign")
    status, message_id = row["status"], row["telegram_message_id"]
    has_failed = status in (MessageState.FAILED, MessageState.DISCARDED, MessageState.EXPIRED, MessageState.RETRYING)
    error = {"code": row["error_code"], "message": row["error_message"] or ""} if row["error_code"] else None
    return {
        "job_id": str(row["job_id"]),
        "campaign_id": row["campaign_id"],
        "status": status,
        "destination": row["destination"],
        "body": row["body"],
        "error": error if has_failed else None,
        "telegram_message_id": None if message_id is None else str(message_id),
        "sent_at": micros(row["sent_at"]),
        "created_at": micros(row["created_at"]),
    }
