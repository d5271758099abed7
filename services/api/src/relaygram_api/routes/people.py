"""Erasing a person: what is known leaves, a keyed fingerprint stays so that nobody adds them again."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BeforeValidator, WithJsonSchema, model_validator

from relaygram_api.adapters import pg_people
from relaygram_api.adapters.pg_people import Erased
from relaygram_api.change import changing
from relaygram_api.checked_route import PREFIX, CheckedRoute, caller_with
from relaygram_api.core.addresses import normal_handle, normal_phone, normal_user_id
from relaygram_api.core.person import Person
from relaygram_api.fields import Body
from relaygram_api.parts import Caller, FromParts, Parts
from relaygram_api.schemas.envelopes import One
from relaygram_api.schemas.people import Erasure
from relaygram_api.things import now

router = APIRouter(prefix=f"{PREFIX}/people", route_class=CheckedRoute, tags=["People"])
# A transaction each: contacts with their messages, and lines of reports.
_CONTACTS = 200
_REPORT_LINES = 10_000
# The longest that any stream keeps a message: DEAD_LETTERS.
_STREAMS_KEEP = timedelta(days=30)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("should be a text")
    return value


def _handle(value: object) -> str | None:
    return None if value is None else normal_handle(_text(value))


def _phone(value: object) -> str | None:
    return None if value is None else normal_phone(_text(value))


def _user_id(value: object) -> int | None:
    if value is None:
        return None
    return normal_user_id(str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value))


_TEXT = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]})
_NUMBER = WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}, {"type": "null"}]})


class PersonToErase(Body):
    """Any address of the person; several, if they are the same person's."""

    telegram_user_id: Annotated[int | None, BeforeValidator(_user_id), _NUMBER] = None
    handle: Annotated[str | None, BeforeValidator(_handle), _TEXT] = None
    phone: Annotated[str | None, BeforeValidator(_phone), _TEXT] = None

    @model_validator(mode="after")
    def _somebody(self) -> "PersonToErase":
        if (self.telegram_user_id, self.handle, self.phone) == (None, None, None):
            raise ValueError("has none of telegram_user_id, handle, phone")
        return self


@router.post("/erase", operation_id="erase_person", response_model=One[Erasure])
async def erase_person(
    body: PersonToErase, caller: Annotated[Caller, caller_with("admin")], parts: FromParts
) -> Response:
    """Erase what the workspace knows of a person: contacts, texts and addresses in logs, reports, suppressions.

    Whoever stands with an address of theirs in the same line is the same person. Log rows stay with their outcome. A
    keyed fingerprint of each address stays too: imports reject the person from now on. Can be repeated at any time,
    and must be when it was broken off.
    """
    sealer, erased, person = parts.sealer, Erased(), Person()
    phone_hash = sealer.fingerprint(body.phone) if body.phone else None
    person.learn(user_id=body.telegram_user_id, handle=body.handle, phone_hash=phone_hash, phone=body.phone)
    async with parts.database.workspace(caller.workspace_id, caller.author) as connection:
        erasure_id = await pg_people.begin(connection, sealer, caller.workspace_id, person)
    await _erase_messages(parts, caller, person, erased)
    await _erase_reports(parts, caller, person, erased)
    async with changing(parts, caller) as change:
        await pg_people.end(change.connection, caller.workspace_id, erasure_id, person, erased)
        return change.answer(
            {
                "contacts": erased.contacts,
                "messages": erased.messages,
                "ledger_entries": erased.ledger_entries,
                "peers": erased.peers,
                "suppressions": erased.suppressions,
                "import_errors": erased.import_errors,
                "streams_forget_by": (now() + _STREAMS_KEEP).date().isoformat(),
            }
        )


async def _erase_messages(parts: Parts, caller: Caller, person: Person, erased: Erased) -> None:
    workspace_id, more = caller.workspace_id, True
    while more:
        async with parts.database.workspace(workspace_id, caller.author) as connection:
            more = await pg_people.erase_some(connection, parts.sealer, workspace_id, person, erased, limit=_CONTACTS)
    async with parts.database.workspace(workspace_id, caller.author) as connection:
        await pg_people.erase_outside_campaigns(connection, workspace_id, person, erased)


async def _erase_reports(parts: Parts, caller: Caller, person: Person, erased: Erased) -> None:
    last = 0
    while True:
        async with parts.database.workspace(caller.workspace_id) as connection:
            imports = await pg_people.imports_with_errors(connection, caller.workspace_id, last)
        if not imports:
            return
        for import_id in imports:
            place: tuple[int, str] | None = (0, "")
            while place is not None:
                async with parts.database.workspace(caller.workspace_id) as connection:
                    place = await pg_people.erase_import_errors(
                        connection, import_id, place, person, erased, limit=_REPORT_LINES
                    )
        last = imports[-1]
