"""Auth keys: the identity of a client across connections, restarts of it and restarts of the sandbox."""

import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from relaygram_sandbox.protocol.crypto import key_id_of
from relaygram_sandbox.store import Store

if TYPE_CHECKING:
    from relaygram_sandbox.protocol.session import Session

_SESSIONS_KEPT = 8


class AuthKey:
    """One key, whom it is logged in as, and the sessions that clients opened with it."""

    __slots__ = (
        "dead",
        "id",
        "owner",
        "owner_since",
        "password_challenge",
        "password_user_id",
        "salt",
        "secret",
        "sessions",
        "user_id",
    )

    def __init__(self, secret: bytes) -> None:
        self.id = key_id_of(secret)
        self.secret = secret
        # Telegram's salts change by the hour; one per key, the same after a restart, is enough for clients.
        self.salt = int.from_bytes(sha256(b"salt" + secret).digest()[:8], "little", signed=True)
        self.user_id: int | None = None
        self.password_user_id: int | None = None
        self.dead: str | None = None
        self.sessions: dict[int, Session] = {}
        self.password_challenge: Any = None
        self.owner: object | None = None
        self.owner_since = 0

    def keep_session(self, session: "Session") -> None:
        """Remember a session; the oldest that no connection uses makes room."""
        self.sessions[session.id] = session
        if len(self.sessions) > _SESSIONS_KEPT:
            unused = next((each for each in self.sessions.values() if each.connection is None), None)
            if unused is not None:
                del self.sessions[unused.id]

    def is_used_twice(self, connection: object, message_id: int, already_known: bool) -> bool:
        """Whether this request shows that two clients use the key at once.

        The newest connection owns the key from its first request on. An older one may still deliver what it wrote
        before that (bytes of a half-dead connection arrive late), so the time in the message id decides, not the
        time of arrival: only a request that was made after the take-over is a second client's.
        """
        if self.owner is connection:
            return False
        if not already_known:
            self.owner, self.owner_since = connection, message_id
            return False
        return message_id > self.owner_since


class KeyRing:
    """All auth keys, durable, found by their id and by the account they are logged in as."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_id: dict[bytes, AuthKey] = {}
        self._by_user: dict[int, dict[bytes, AuthKey]] = {}
        self.load()

    def load(self) -> None:
        """Read every key from the store."""
        rows = self._store.iterate("SELECT secret, user_id, password_user_id, dead FROM auth_keys")
        for secret, user_id, password_user_id, dead in rows:
            key = AuthKey(secret)
            key.user_id, key.password_user_id, key.dead = user_id, password_user_id, dead
            self._index(key)

    def find(self, key_id: bytes) -> AuthKey | None:
        """The key with this id."""
        return self._by_id.get(key_id)

    def of_user(self, user_id: int) -> list[AuthKey]:
        """The keys that are logged in as this account."""
        return list(self._by_user.get(user_id, {}).values())

    def add(self, secret: bytes, user_id: int | None = None) -> AuthKey:
        """Keep a new key."""
        key = AuthKey(secret)
        key.user_id = user_id
        self._index(key)
        self._save(key)
        return key

    def provision(self, user_id: int) -> AuthKey:
        """A key that is logged in already. Clients drop leading zero bytes, so it has none."""
        return self.add(bytes((1 + secrets.randbelow(255),)) + secrets.token_bytes(255), user_id)

    def log_in(self, key: AuthKey, user_id: int) -> None:
        """The client with this key is this account from now on."""
        self._link(key, user_id)
        key.password_user_id = key.password_challenge = None
        self._save(key)

    def await_password(self, key: AuthKey, user_id: int) -> None:
        """The code was right; the 2FA password is still owed."""
        key.password_user_id = user_id
        self._save(key)

    def log_out(self, key: AuthKey) -> None:
        """The key is nobody's from now on."""
        self._link(key, None)
        self._save(key)

    def kill(self, key: AuthKey, error: str) -> None:
        """Every request with this key gets this error from now on."""
        key.dead = error
        self._save(key)

    def log_out_all(self) -> None:
        """After a reset: clients keep their keys and find that they are nobody's."""
        for key in self._by_id.values():
            key.user_id = key.password_user_id = key.dead = key.password_challenge = None
            self._save(key)
        self._by_user.clear()

    def _link(self, key: AuthKey, user_id: int | None) -> None:
        if key.user_id is not None:
            self._by_user.get(key.user_id, {}).pop(key.id, None)
        key.user_id = user_id
        if user_id is not None:
            self._by_user.setdefault(user_id, {})[key.id] = key

    def _index(self, key: AuthKey) -> None:
        self._by_id[key.id] = key
        self._link(key, key.user_id)

    def _save(self, key: AuthKey) -> None:
        self._store.write(
            "INSERT OR REPLACE INTO auth_keys VALUES (?, ?, ?, ?, ?)",
            key.id,
            key.secret,
            key.user_id,
            key.password_user_id,
            key.dead,
        )
