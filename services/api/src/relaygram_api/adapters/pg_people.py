"""Taking people out of campaigns, and erasing them everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from relaygram_api.adapters.pg_workspace import Connection, sql
from relaygram_api.core.person import Person, address_hashes
from relaygram_common.contracts.ids import job_id
from relaygram_common.security.sealing import Sealer, SealError

_MOST_ADDRESSES = 1000


@dataclass(slots=True)
class Erased:
    """How much was erased."""

    contacts: int = 0
    messages: int = 0
    ledger_entries: int = 0
    peers: int = 0
    suppressions: int = 0
    import_errors: int = 0


async def remove_contact(connection: Connection, sealer: Sealer, campaign_id: int, contact_id: int) -> bool:
    """Take a contact out of its campaign; False when there is none."""
    row = await connection.fetchrow(sql["contact_addresses"], campaign_id, contact_id)
    if row is None:
        return False
    user_ids = [row["telegram_user_id"]] if row["telegram_user_id"] is not None else []
    handles = [row["handle"]] if row["handle"] is not None else []
    hashes = [*address_hashes(sealer, user_ids, handles), *([row["phone_hash"]] if row["phone_hash"] else [])]
    removed: bool = await connection.fetchval(sql["remove_contact"], campaign_id, contact_id, hashes)
    return removed


async def begin(connection: Connection, sealer: Sealer, workspace_id: int, person: Person) -> int:
    """Find all addresses of the person, and keep their hashes, so that nobody adds them again from here on.

    Returns the id of the erasure; until it is ended, another one goes on with what this one knew.
    """
    await connection.execute(sql["lock_people"], workspace_id)
    owner = _owner(workspace_id)
    known = 0
    while known < person.size <= _MOST_ADDRESSES:
        known = person.size
        for sealed in await connection.fetch(sql["take_erasures"], workspace_id, person.hashes(sealer)):
            person.learn_packed(orjson.loads(sealer.open(sealed["addresses_sealed"], owner=owner)))
        for row in await connection.fetch(sql["known_addresses"], workspace_id, *_addresses(person)):
            person.learn(
                user_id=row["telegram_user_id"],
                handle=row["handle"],
                phone_hash=row["phone_hash"],
                phone=_phone(row, sealer, workspace_id),
            )
    sealed = sealer.seal(orjson.dumps(person.packed()).decode(), owner=owner)
    erasure_id: int = await connection.fetchval(sql["begin_erasure"], workspace_id, person.hashes(sealer), sealed)
    await connection.execute(sql["keep_person_hashes"], workspace_id, person.hashes(sealer))
    return erasure_id


async def erase_some(
    connection: Connection, sealer: Sealer, workspace_id: int, person: Person, erased: Erased, *, limit: int
) -> bool:
    """Erase some of the person's contacts with their messages; False when there are none any more."""
    found = await connection.fetch(sql["people_to_erase"], workspace_id, *_addresses(person), limit)
    former = await connection.fetch(sql["former_to_erase"], workspace_id, person.hashes(sealer), limit)
    if not found and not former:
        return False
    campaigns, contacts = _columns(found)
    both = _columns([*found, *former])
    await connection.execute(sql["hold_admissions"], both[0])
    erased.contacts += await connection.fetchval(sql["erase_contacts"], campaigns, contacts)
    await connection.execute(sql["erase_former_contacts"], *_columns(former))
    jobs = [job_id("broadcast", campaign, contact) for campaign, contact in zip(*both, strict=True)]
    jobs += [row["job_id"] for row in await connection.fetch(sql["jobs_under_way"], *both)]
    await _erase_messages(connection, erased, *both, jobs=jobs)
    return True


async def erase_outside_campaigns(connection: Connection, workspace_id: int, person: Person, erased: Erased) -> None:
    """Test sends, and what the log has of this person without a campaign, on other channels too."""
    await connection.execute(sql["hold_test_admissions"], workspace_id, *_addresses(person))
    tests = await connection.fetch(sql["erase_test_sends"], workspace_id, *_addresses(person))
    await _erase_messages(
        connection,
        erased,
        [0] * len(tests),
        [row["id"] for row in tests],
        destinations=person.destinations(),
        phones=person.phone_destinations(),
        jobs=[row["job_id"] for row in tests],
    )


async def _erase_messages(
    connection: Connection,
    erased: Erased,
    campaigns: Sequence[int],
    contacts: Sequence[int],
    *,
    destinations: Sequence[str] = (),
    phones: Sequence[str] = (),
    jobs: Sequence[UUID],
) -> None:
    messages = await connection.fetch(sql["erase_messages"], campaigns, contacts, destinations, phones)
    erased.messages += len(messages)
    everything = [*jobs, *(row["job_id"] for row in messages)]
    erased.ledger_entries += await connection.fetchval(sql["erase_sends"], everything)


async def end(connection: Connection, workspace_id: int, erasure_id: int, person: Person, erased: Erased) -> None:
    """Forget whom the accounts have met, what they wrote, the lines that name the person, and the erasure itself."""
    await connection.execute(sql["erase_inbound"], list(person.user_ids))
    erased.peers += await connection.fetchval(sql["erase_peers"], *_addresses(person))
    erased.suppressions += await connection.fetchval(sql["erase_suppressions"], workspace_id, *_addresses(person))
    await connection.execute(sql["end_erasure"], erasure_id)


async def imports_with_errors(connection: Connection, workspace_id: int, after: int) -> list[int]:
    """Some imports that have a report, by id."""
    return [row["id"] for row in await connection.fetch(sql["imports_with_errors"], workspace_id, after)]


async def erase_import_errors(
    connection: Connection, import_id: int, place: tuple[int, str], person: Person, erased: Erased, *, limit: int
) -> tuple[int, str] | None:
    """Values of a piece of a report that name the person; the place after which to go on, None at the end."""
    row = await connection.fetchrow(
        sql["erase_import_errors"], import_id, *place, person.pattern(), person.phone_digits(), limit
    )
    erased.import_errors += row["erased"]
    return (row["line"], row["column"]) if row["read"] == limit else None


def _addresses(person: Person) -> tuple[list[int], list[str], list[bytes]]:
    return list(person.user_ids), list(person.handles), list(person.phones)


def _columns(rows: Sequence[Any]) -> tuple[list[int], list[int]]:
    return [row["campaign_id"] for row in rows], [row["id"] for row in rows]


def _phone(row: Any, sealer: Sealer, workspace_id: int) -> str | None:
    if row["phone_sealed"] is None:
        return None
    campaign = row["campaign_id"]
    owner = f"suppression-phone:{workspace_id}" if campaign is None else f"contact-phone:{campaign}"
    try:
        return sealer.open(row["phone_sealed"], owner=owner)
    except SealError:
        return None  # under a key that is gone: its hash is enough


def _owner(workspace_id: int) -> str:
    return f"erasure:{workspace_id}"
