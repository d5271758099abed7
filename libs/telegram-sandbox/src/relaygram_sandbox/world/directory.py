"""Who exists, and by which name, phone or token each is found."""

import re
import struct
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from relaygram_sandbox.store import Store
from relaygram_sandbox.world.account import PROFILE_COLUMNS, Account

_FIRST_ID = 100_001
_MARKS = ",".join("?" * len(PROFILE_COLUMNS))
_USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,31}")
_BOT_TOKEN = re.compile(r"([1-9]\d{0,14}):")
_PHONE = re.compile(r"\d{5,15}")


class TakenError(Exception):
    """A new person's id, username, phone or token belongs to somebody else."""


def is_username(name: str) -> bool:
    """Whether Telegram would accept this as a username."""
    return _USERNAME.fullmatch(name) is not None


def phone_digits(phone: str) -> str | None:
    """The phone as clients write it, without the plus; None when it is no phone number."""
    digits = phone.removeprefix("+")
    return digits if _PHONE.fullmatch(digits) else None


class Directory:
    """All accounts. Phones are kept with a plus, usernames as they were given and found in any case."""

    def __init__(self, store: Store, secret: bytes, open_world: bool) -> None:
        self._store = store
        self._secret = secret
        self._open_world = open_world
        self.by_id: dict[int, Account] = {}
        self._by_phone: dict[str, Account] = {}
        self._by_username: dict[str, Account] = {}
        self._by_token: dict[str, Account] = {}
        self._next_id = _FIRST_ID
        for row in store.iterate(f"SELECT {', '.join(PROFILE_COLUMNS)} FROM users"):  # noqa: S608 - constant names
            self._index(Account(*row))
        for account_id, person_id in store.iterate("SELECT account_id, person_id FROM contacts"):
            self.by_id[account_id].contacts.add(person_id)

    def create(self, profiles: Iterable[dict[str, Any]]) -> list[Account]:
        """Make all of these people, or none when one of them is taken."""
        made: list[Account] = []
        try:
            # Each is indexed before the next is checked, so that two of one list cannot share a name.
            made.extend(self._index(self._new_account(profile)) for profile in profiles)
        except TakenError:
            for account in made:
                self._unindex(account)
            raise
        rows = [account.row() for account in made]
        self._store.write_many(f"INSERT INTO users VALUES ({_MARKS})", rows)  # noqa: S608 - question marks only
        return made

    def change(self, account: Account, changes: dict[str, Any]) -> None:
        """Change parts of a profile; nothing is changed when the new name is taken."""
        before = {column: getattr(account, column) for column in changes}
        self._unindex(account)
        try:
            self._assign(account, changes)
            self._refuse_taken(account)
        except TakenError:
            self._assign(account, before)
            raise
        finally:
            self._index(account)
        self._store.write(f"INSERT OR REPLACE INTO users VALUES ({_MARKS})", *account.row())  # noqa: S608 - marks

    def find_username(self, username: str, known_only: bool = False) -> Account | None:
        """The person of that name; in an open world there always is one."""
        found = self._by_username.get(username.lower())
        if found is None and self._open_world and not known_only:
            found = self.create([{"username": username, "first_name": username.split("_")[0].title()}])[0]
        return found

    def find_phone(self, digits: str, known_only: bool = False) -> Account | None:
        """The person with that phone; in an open world there always is one."""
        phone = f"+{digits}"
        found = self._by_phone.get(phone)
        if found is None and self._open_world and not known_only:
            found = self.create([{"phone": phone, "first_name": f"Person {digits[-4:]}"}])[0]
        return found

    def find_bot(self, token: str) -> Account | None:
        """The bot with that token."""
        return self._by_token.get(token)

    def access_hash(self, viewer_id: int, target_id: int) -> int:
        """The number with which the viewer, and nobody else, may address the target."""
        pair = struct.pack("<qq", viewer_id, target_id)
        return int.from_bytes(blake2b(pair, key=self._secret, digest_size=8).digest(), "little", signed=True)

    def add_contact(self, account: Account, person: Account) -> None:
        """Keep a person in an account's contacts."""
        account.contacts.add(person.id)
        self._store.write("INSERT OR IGNORE INTO contacts VALUES (?, ?)", account.id, person.id)

    def remove_contact(self, account: Account, person: Account) -> None:
        """Take a person out of an account's contacts."""
        account.contacts.discard(person.id)
        self._store.write("DELETE FROM contacts WHERE account_id = ? AND person_id = ?", account.id, person.id)

    def _new_account(self, profile: dict[str, Any]) -> Account:
        account = Account(profile.get("id") or self._id_of_bot(profile.get("bot_token")) or self._next_id)
        self._assign(account, {**profile, "id": account.id})
        if account.id in self.by_id:
            raise TakenError(f"id {account.id} is taken")
        self._refuse_taken(account)
        return account

    def _id_of_bot(self, token: str | None) -> int | None:
        """A bot's token begins with its id, as Telegram makes them."""
        found = _BOT_TOKEN.match(token) if token else None
        return int(found[1]) if found and int(found[1]) not in self.by_id else None

    @staticmethod
    def _assign(account: Account, values: dict[str, Any]) -> None:
        for column, value in values.items():
            setattr(account, column, value)

    def _refuse_taken(self, account: Account) -> None:
        if account.username is not None and account.username.lower() in self._by_username:
            raise TakenError(f"username {account.username} is taken")
        if account.phone is not None and account.phone in self._by_phone:
            raise TakenError(f"phone {account.phone} is taken")
        if account.bot_token is not None and account.bot_token in self._by_token:
            raise TakenError("bot_token is taken")

    def _index(self, account: Account) -> Account:
        self.by_id[account.id] = account
        if account.username is not None:
            self._by_username[account.username.lower()] = account
        if account.phone is not None:
            self._by_phone[account.phone] = account
        if account.bot_token is not None:
            self._by_token[account.bot_token] = account
        while self._next_id in self.by_id:
            self._next_id += 1
        return account

    def _unindex(self, account: Account) -> None:
        del self.by_id[account.id]
        if account.username is not None:
            del self._by_username[account.username.lower()]
        if account.phone is not None:
            del self._by_phone[account.phone]
        if account.bot_token is not None:
            del self._by_token[account.bot_token]
