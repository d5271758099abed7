"""What follows from the outcome of an attempt."""

import random

from relaygram_telegram_gateway.adapters.pg_ledger import Entry
from relaygram_telegram_gateway.adapters.telethon_requests import SEND_MESSAGE
from relaygram_telegram_gateway.core.outcomes import Accepted, Outcome, Refused, Unknown, Wait
from relaygram_telegram_gateway.core.retries import network_retry
from relaygram_telegram_gateway.core.telegram_errors import SUPPRESSING_CODES
from relaygram_telegram_gateway.metrics import SENDS
from relaygram_telegram_gateway.sending.attachments import Attachments
from relaygram_telegram_gateway.sending.giving_back import put_off
from relaygram_telegram_gateway.sending.held import Held
from relaygram_telegram_gateway.sending.lookups import Lookups
from relaygram_telegram_gateway.sending.recorder import Recorder
from relaygram_telegram_gateway.sending.resolver import Resolver
from relaygram_telegram_gateway.sending.wire import Wire
from relaygram_telegram_gateway.sending.work import Work


class Aftermath:
    """Carries outcomes on: to the recorder, to a look into the chat, or to another attempt."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.wire: Wire
        self.recorder: Recorder
        self.resolver: Resolver
        self.lookups: Lookups
        self.attachments: Attachments

    def follow(self, held: Held, outcome: Outcome) -> None:
        """One attempt has ended."""
        self.wire.blocks.note_outcome(held, outcome)
        match outcome:
            case Accepted(message_id):
                self._accepted(held, message_id)
            case Refused():
                self._refused(held, outcome)
            case Wait():
                SENDS.labels("wait").inc()
                self._wait(held, outcome)
            case Unknown(network_failure=True):
                self._network_failed(held, outcome)
            case Unknown():
                SENDS.labels("unknown").inc()
                self._work.admit_again(held)

    def _accepted(self, held: Held, message_id: int | None) -> None:
        chat = held.peer.user_id if held.peer else None
        entry = Entry(held.job.job_id, "accepted", chat=chat, message_id=message_id)
        if message_id is None:
            # Only its repetition was refused: the chat knows the id.
            held.on_absent = entry
            self.lookups.add(held)
        else:
            self.recorder.record(held, entry)

    def _refused(self, held: Held, refused: Refused) -> None:
        findable = held.line.contact_handle or held.line.contact_phone_hash
        if refused.stale_peer and findable and held.peer is not None and not held.re_resolved:
            self._find_anew(held)
            return
        if refused.stale_media and held.file is not None and not held.was_refreshed:
            self.attachments.refresh(held)
            return
        if refused.pauses_campaign and held.job.campaign_id:  # not for one person's test
            self.recorder.pause_campaign(held.job.campaign_id)
        self._suppress(held, refused)
        chat = held.peer.user_id if held.peer else None
        entry = Entry(held.job.job_id, "refused", chat=chat, code=refused.code, message=refused.message)
        if held.may_be_on_wire:
            # This attempt was refused; an earlier one, whose answer never came, may have been accepted.
            held.on_absent = held.on_absent or entry
            self.lookups.look(held)
        else:
            self.recorder.record(held, entry)

    def _suppress(self, held: Held, refused: Refused) -> None:
        """If it is lost with this process, the next message to this person tells the same."""
        if held.peer is None or refused.code not in SUPPRESSING_CODES:
            return
        work, person = self._work, held.target.user_id
        what = (work.account.workspace_id, person, held.line.contact_handle, refused.code)
        statement = ("suppress_refused", *what)
        work.in_background(work.insist(lambda: work.tools.rows.written(work.account, work.term, statement)))

    def _find_anew(self, held: Held) -> None:
        user_id = held.target.user_id
        held.re_resolved = True
        held.peer = None
        self._work.in_background(self._work.insist(lambda: self._work.ledger.forget_peer(user_id)))
        self.resolver.add(held)
        self.resolver.pump()

    def _wait(self, held: Held, wait: Wait) -> None:
        work = self._work
        if wait.scope == "account":
            work.end_account(wait.code, wait.message)
            return
        if wait.scope == "cold":
            seconds = self.wire.blocks.peer_flood(held, wait)
        elif wait.scope == "chat":
            seconds = wait.seconds or 1.0
            self.wire.close_chat(held.target.user_id, seconds)
        else:
            seconds = self.wire.blocks.close(SEND_MESSAGE, wait)
        put_off(work, held, seconds)
        self.wire.pump()  # which gives back what would wait for long

    def _network_failed(self, held: Held, unknown: Unknown) -> None:
        failures = held.failures + 1
        pause = network_retry(
            failures,
            jitter=random.random(),  # noqa: S311 - jitter
            first_seconds=self._work.settings.network_retry_first_seconds,
        )
        message = f"Telegram could not be reached properly: {unknown.reason}."
        if pause is not None:
            entry = Entry(held.job.job_id, "sending", code="NETWORK", message=message, network_failed=True)
            self.recorder.record(held, entry, retry_seconds=pause)
            return
        entry = Entry(held.job.job_id, "refused", code="NETWORK", message=message, network_failed=True)
        if held.may_be_on_wire:
            held.on_absent = entry  # the last word is the chat's
            self.lookups.add(held)
        else:
            self.recorder.record(held, entry)
