"""Logs an account in, a step at a time. Each step has a connection of its own; what is half way rests in PostgreSQL."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from relaygram_common.security.sealing import Sealer, SealError
from relaygram_telegram_gateway.adapters import telethon_login
from relaygram_telegram_gateway.adapters.nats_leases import Lease
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRow, AccountRows
from relaygram_telegram_gateway.adapters.telethon_client import TelegramLink, TelegramPlace, TelegramRefusedError
from relaygram_telegram_gateway.adapters.telethon_login import LoggedIn
from relaygram_telegram_gateway.core.login_steps import Step, next_step, refusal
from relaygram_telegram_gateway.core.outcomes import Wait
from relaygram_telegram_gateway.core.telegram_errors import TelegramError, outcome_of, rule_for

log = structlog.get_logger(__name__)

_SECRET_OF_STEP = {
    Step.SEND_CODE: "phone",
    Step.SIGN_IN: "code",
    Step.CHECK_PASSWORD: "password",
    Step.BOT: "bot_token",
    Step.SESSION: "session_string",
}


class LoginWaitError(Exception):
    """Telegram asks for patience before this step."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Telegram asks to wait {seconds:.0f} s")
        self.seconds = seconds


class Login:
    """The log-in of one account under one lease."""

    def __init__(
        self, rows: AccountRows, place: TelegramPlace, sealer: Sealer, account: AccountRow, lease: Lease, term: int
    ) -> None:
        self._rows = rows
        self._place = place
        self._sealer = sealer
        self._account = account
        self._lease = lease
        self._term = term
        self._secrets: dict[str, bytes] = {}  # as they were when the step began

    async def advance(self) -> bool:
        """Do the next step if there is one to do; whether there was. Raises ConnectionError or LoginWaitError."""
        # Not as it was when the account was last read: a step that was done must not be done again, since asking for
        # another code would make the one that the person is entering worthless.
        status, secrets = await self._rows.login_now(self._account.id)
        account = self._account = replace(self._account, status=status)
        self._secrets = secrets
        half_way = await self._rows.half_way(account.id)
        step = next_step(account.status, secrets.keys(), half_way=half_way is not None)
        if step is Step.NOTHING:
            return False
        log.info("login.step", account_id=account.id, step=step.value)
        kind = _SECRET_OF_STEP[step]
        try:
            opened = {name: self._open(name, sealed) for name, sealed in secrets.items()}
            session = self._half_way_session(half_way.session_sealed) if half_way is not None else ""
            await self._do(step, opened, session, half_way.phone_code_hash if half_way else None)
        except TelegramRefusedError as error:
            if step in (Step.SIGN_IN, Step.CHECK_PASSWORD):
                await self._rows.forget_used_secrets(account.id, {kind: secrets[kind]})
            await self._refused(error.error)
        except (SealError, ValueError) as error:
            log.error("login.secret_unreadable", account_id=account.id, error=str(error))
            await self._end("SESSION_STRING_INVALID" if step is Step.SESSION else "SECRET_UNREADABLE")
        return True

    async def tell(self, reason: str) -> None:
        """The step can not be done as things are: what a person should know. A log-in that has not begun is over."""
        account = self._account
        if account.status == "new":
            await self._rows.move(account, "disabled", reason)
            await self._rows.forget_used_secrets(account.id, self._secrets)
        else:
            await self._rows.move(account, account.status, reason)

    def _fingerprint(self, session: str) -> bytes:
        return self._sealer.fingerprint(telethon_login.session_key(session))

    async def _do(self, step: Step, secrets: dict[str, str], half_way: str, code_hash: str | None) -> None:
        saved = secrets["session_string"] if step is Step.SESSION else half_way
        if step is Step.SESSION and await self._rows.session_is_in_use(self._account.id, self._fingerprint(saved)):
            await self._end("SESSION_IN_USE")  # not even a connection may be made with it
            return
        async with TelegramLink(self._place, saved, self._lease.is_valid) as link:
            await link.connect()
            if step is Step.SEND_CODE:
                await self._send_code(link, secrets["phone"])
                return
            await self._finish(step, link, await self._sign_in(step, link, secrets, code_hash))

    async def _sign_in(
        self, step: Step, link: TelegramLink, secrets: dict[str, str], code_hash: str | None
    ) -> LoggedIn:
        steps: dict[Step, Callable[[], Awaitable[LoggedIn]]] = {
            Step.SIGN_IN: lambda: telethon_login.sign_in(link, secrets["phone"], secrets["code"], code_hash or ""),
            Step.CHECK_PASSWORD: lambda: telethon_login.check_password(link, secrets["password"]),
            Step.BOT: lambda: telethon_login.sign_in_bot(link, self._place, secrets["bot_token"]),
            Step.SESSION: lambda: telethon_login.who_am_i(link),
        }
        return await steps[step]()

    async def _send_code(self, link: TelegramLink, phone: str) -> None:
        code_hash = await telethon_login.send_code(link, self._place, phone)
        account = self._account
        sealed = self._sealer.seal(link.session_string(), owner=f"login-session:{account.id}")
        await self._rows.written(
            account, self._term,
            ("save_login", account.id, account.workspace_id, sealed, code_hash),
            ("forget_secrets", account.id, ["code", "password"]),
        )  # fmt: skip
        await self._rows.move(account, "code_required", None)

    async def _finish(self, step: Step, link: TelegramLink, person: LoggedIn) -> None:
        account = self._account
        if account.telegram_user_id not in (None, person.telegram_user_id):
            # What is known of people, of what was sent and of the limits is the other one's.
            if step in (Step.SIGN_IN, Step.CHECK_PASSWORD):
                # Made for us, and of no use; a session string is somebody's.
                with contextlib.suppress(TelegramRefusedError, ConnectionError):
                    await telethon_login.log_out(link)
            await self._end("SESSION_OF_ANOTHER")
            return
        if person.is_bot != account.is_bot:
            await self._end("SESSION_OF_A_BOT" if person.is_bot else "SESSION_OF_A_USER")
            return
        sealed = self._sealer.seal(link.session_string(), owner=f"session:{account.id}")
        await self._rows.written(
            account, self._term,
            ("save_session", account.id, account.workspace_id, sealed, self._fingerprint(link.session_string())),
            ("forget_login", account.id),
        )  # fmt: skip
        await self._rows.move(account, "active", None, telegram_user_id=person.telegram_user_id, handle=person.handle)
        await self._rows.forget_used_secrets(account.id, self._secrets)
        log.info("login.done", account_id=account.id)

    async def _refused(self, error: TelegramError) -> None:
        account = self._account
        if error.name == "SESSION_PASSWORD_NEEDED":
            await self._rows.move(account, "password_required", None)
            return
        if error.name == "AUTH_KEY_UNREGISTERED" and account.status == "password_required":
            # Telegram no longer remembers that the code was right.
            await self._rows.written(account, self._term, ("forget_login", account.id))
            await self._rows.move(account, "code_required", "That took too long: a new code is on its way.")
            return
        outcome = outcome_of(error)
        if isinstance(outcome, Wait) and outcome.seconds is not None:
            reason = f"Telegram asks to wait {outcome.seconds:.0f} seconds before the next try."
            if account.status in ("code_required", "password_required"):
                await self._rows.move(account, account.status, reason)
            raise LoginWaitError(outcome.seconds)
        verdict = refusal(error.name, message=rule_for(error).message)
        if verdict.status == "disabled":
            await self._end(error.name)
        else:
            await self._rows.move(account, verdict.status, verdict.reason)

    async def _end(self, name: str) -> None:
        """There is no way on from here but to begin anew."""
        account = self._account
        message = "A log-in secret can not be opened with this installation's keys."
        if name != "SECRET_UNREADABLE":
            message = rule_for(TelegramError(name, 400)).message
        verdict = refusal(name, message=message)
        await self._rows.written(account, self._term, ("forget_login", account.id))
        await self._rows.move(account, "disabled", verdict.reason)
        await self._rows.forget_used_secrets(account.id, self._secrets)

    def _open(self, kind: str, sealed: bytes) -> str:
        return self._sealer.open(sealed, owner=f"login:{self._account.id}:{kind}")

    def _half_way_session(self, sealed: bytes) -> str:
        return self._sealer.open(sealed, owner=f"login-session:{self._account.id}")
