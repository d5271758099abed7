"""Routes about people: making and changing them, their sessions, and what they do by order."""

import base64
import gc
import ipaddress
import struct
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from relaygram_sandbox.control.access import PersonInPath, Running, known_person
from relaygram_sandbox.control.models import InboundMessage, NewUser, NewUsers, ReadMark, UserChange
from relaygram_sandbox.control.record import message_as_json
from relaygram_sandbox.tl import DC_ID
from relaygram_sandbox.world.directory import TakenError, phone_digits

router = APIRouter(tags=["people"])
_FREEZE_FROM = 1000


@router.post("/users", status_code=201)
async def create_users(sandbox: Running, body: NewUsers) -> JSONResponse:
    """Make one person, or up to 10,000 at once: all of them or none."""
    new = [body] if isinstance(body, NewUser) else body
    try:
        made = sandbox.telegram.world.directory.create(person.columns() for person in new)
    except TakenError as taken:
        raise HTTPException(409, str(taken)) from taken
    sandbox.commit()
    if len(made) >= _FREEZE_FROM:
        gc.freeze()  # people live as long as the process: the collector need not look at them again
    profiles = [account.profile() for account in made]
    return JSONResponse(profiles[0] if isinstance(body, NewUser) else profiles, status_code=201)


@router.get("/users/{user_id}")
async def read_user(person: PersonInPath) -> dict[str, Any]:
    """One person."""
    return person.profile()


@router.patch("/users/{user_id}")
async def change_user(sandbox: Running, person: PersonInPath, body: UserChange) -> dict[str, Any]:
    """Change a person; what is left out stays."""
    try:
        sandbox.telegram.world.directory.change(person, body.columns())
    except TakenError as taken:
        raise HTTPException(409, str(taken)) from taken
    sandbox.commit()
    return person.profile()


@router.post("/users/{user_id}/session", status_code=201)
async def make_session(sandbox: Running, person: PersonInPath, request: Request) -> dict[str, str]:
    """A session that is logged in as this account, as a Telethon StringSession."""
    key = sandbox.telegram.keys.provision(person.id)
    sandbox.commit()
    address = ipaddress.ip_address(sandbox.address_for(request)).packed
    packed = struct.pack(f">B{len(address)}sH256s", DC_ID, address, sandbox.mtproto_port, key.secret)
    return {"session_string": "1" + base64.urlsafe_b64encode(packed).decode()}


@router.get("/login-codes/{phone}")
async def read_login_code(sandbox: Running, phone: str) -> dict[str, str]:
    """The code that the last auth.sendCode made for this phone."""
    digits = phone_digits(phone.strip())
    store = sandbox.telegram.world.store
    rows = store.rows("SELECT code FROM login_codes WHERE phone = ?", f"+{digits}") if digits else []
    if not rows:
        raise HTTPException(404, f"no login code was sent to {phone}")
    return {"code": rows[0][0]}


@router.post("/users/{user_id}/messages", status_code=201)
async def write_message(sandbox: Running, person: PersonInPath, body: InboundMessage) -> dict[str, Any]:
    """The person writes to an account; connected clients of it are told."""
    account = known_person(sandbox, body.to_id, "to_id")
    message = sandbox.telegram.write_inbound(person, account, body.text)
    sandbox.commit()
    return message_as_json(message, None)


@router.post("/users/{user_id}/read")
async def read_messages(sandbox: Running, person: PersonInPath, body: ReadMark) -> dict[str, int]:
    """The person reads what a peer wrote, up to an id of the person's own box or all of it."""
    peer = known_person(sandbox, body.peer_id, "peer_id")
    sandbox.telegram.read_history(person, peer, body.max_id)
    sandbox.commit()
    dialog = person.dialogs.get(peer.id)
    return {"read_inbox_max_id": dialog.read_inbox_max_id if dialog else 0}
