"""Group commit: whatever the process is about to tell anybody waits for one commit per turn of the event loop."""

import asyncio
from collections.abc import Callable

from relaygram_sandbox.protocol.session import Outgoing, Session
from relaygram_sandbox.store import Store


class Outbox:
    """Holds answers and pushes until the rows they rest on are in the store."""

    def __init__(self, store: Store, on_failure: Callable[[Exception], None]) -> None:
        self._store = store
        self._on_failure = on_failure
        self._sessions: dict[Session, None] = {}
        self._plain: list[Callable[[], None]] = []
        self._is_due = False

    def add(self, session: Session, message: Outgoing) -> None:
        """Send a message to a session after the next commit."""
        session.queue.append(message)
        self._sessions[session] = None
        self.soon()

    def add_plain(self, send: Callable[[], None]) -> None:
        """Do something that may only happen after the next commit."""
        self._plain.append(send)
        self.soon()

    def soon(self) -> None:
        """Commit when every socket that is readable now has been read."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> bool:
        """Commit, then send. When the store fails nothing may be answered any more: the process ends."""
        self._is_due = False
        try:
            self._store.commit()
        except Exception as error:  # noqa: BLE001 - whatever it is, an unrecorded message must not be answered
            self._store.give_up()
            self._sessions.clear()
            self._plain.clear()
            self._on_failure(error)
            return False
        plain, self._plain = self._plain, []
        for send in plain:
            send()
        sessions, self._sessions = self._sessions, {}
        for session in sessions:
            if session.connection is None:
                session.queue.clear()
            else:
                for packet in session.packets():
                    session.connection.send(packet)
        return True
