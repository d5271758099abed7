"""contacts.*: finding people by username or phone, and the account's own contacts."""

from typing import Any

from telethon.tl import functions, types

from relaygram_sandbox import clock
from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.rpc.registry import Call, answers
from relaygram_sandbox.world.account import Account
from relaygram_sandbox.world.directory import is_username, phone_digits


def _resolved(call: Call, found: Account) -> Any:
    return types.contacts.ResolvedPeer(
        types.PeerUser(found.id), [], call.telegram.views.users(call.account, [found.id])
    )


@answers(functions.contacts.ResolveUsernameRequest)
def resolve_username(call: Call, request: Any) -> Any:
    """The person with that username."""
    username = request.username.removeprefix("@")
    if not is_username(username):
        raise TelegramError("USERNAME_INVALID")
    found = call.telegram.world.directory.find_username(username)
    if found is None:
        raise TelegramError("USERNAME_NOT_OCCUPIED")
    return _resolved(call, found)


@answers(functions.contacts.ResolvePhoneRequest, allows_bots=False)
def resolve_phone(call: Call, request: Any) -> Any:
    """The person with that phone."""
    digits = phone_digits(request.phone)
    found = call.telegram.world.directory.find_phone(digits) if digits is not None else None
    if found is None:
        raise TelegramError("PHONE_NOT_OCCUPIED")
    return _resolved(call, found)


@answers(functions.contacts.ImportContactsRequest, allows_bots=False)
def import_contacts(call: Call, request: Any) -> Any:
    """Add people by phone; unknown phones are simply absent from the answer."""
    directory = call.telegram.world.directory
    imported, ids = [], []
    for entry in request.contacts:
        digits = phone_digits(entry.phone)
        found = directory.find_phone(digits) if digits is not None else None
        if found is not None:
            directory.add_contact(call.account, found)
            imported.append(types.ImportedContact(found.id, entry.client_id))
            ids.append(found.id)
    users = call.telegram.views.users(call.account, ids) if ids else []
    return types.contacts.ImportedContacts(imported, [], [], users)


@answers(functions.contacts.DeleteContactsRequest, allows_bots=False)
def delete_contacts(call: Call, request: Any) -> Any:
    """Take people out of the account's contacts; their phones are hidden from it again."""
    people = [call.user(given) for given in request.id]
    for person in people:
        call.telegram.world.directory.remove_contact(call.account, person)
    return call.telegram.views.updates(call.account, [], [person.id for person in people], clock.now())


@answers(functions.contacts.GetContactsRequest, allows_bots=False)
def get_contacts(call: Call, _: Any) -> Any:
    """The account's contacts."""
    contacts = sorted(call.account.contacts)
    return types.contacts.Contacts(
        [types.Contact(person_id, mutual=False) for person_id in contacts],
        len(contacts),
        call.telegram.views.users(call.account, contacts) if contacts else [],
    )
