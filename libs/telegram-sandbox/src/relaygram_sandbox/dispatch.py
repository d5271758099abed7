"""The way of every request: takeover check, faults, login check, handler, wire log, answer. One synchronous step."""

import asyncio
import logging
from typing import Any

from telethon.tl import types

from relaygram_sandbox import rpc  # noqa: F401 - importing it registers the handlers
from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.faults import Action
from relaygram_sandbox.protocol.server import Request
from relaygram_sandbox.rpc.registry import ROUTES, Call
from relaygram_sandbox.telegram import Telegram
from relaygram_sandbox.tl import method_name
from relaygram_sandbox.wire import WireLog
from relaygram_sandbox.world.directory import phone_digits

log = logging.getLogger(__name__)


class Dispatcher:
    """Decides what happens to a request and writes down that it arrived."""

    def __init__(self, telegram: Telegram, wire: WireLog) -> None:
        self._telegram = telegram
        self._wire = wire

    def handle(self, request: Request) -> None:
        """Take one request to its outcome."""
        telegram = self._telegram
        method = method_name(type(request.body))
        account_id = request.key.user_id
        self._refuse_second_client(request)
        verdict = telegram.faults.consult(
            method, account_id, lambda: self._peer_id(request.body), telegram.world.random
        )
        action = verdict.action
        if action is not None and (action.drop == "before" or action.silent):
            self._wire.add(request, method, account_id, "dropped_before", None)
            if action.drop:
                request.connection.cut()
            return
        call = Call(telegram, request)
        outcome, error, result = self._outcome(call, action)
        if action is not None and action.drop == "after":
            self._wire.add(request, method, account_id, "dropped_after", error)
            request.connection.cut()
            return
        # A login has no account before it, only after.
        self._wire.add(request, method, account_id or request.key.user_id, outcome, error)
        if verdict.delay_seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(verdict.delay_seconds, telegram.server.respond, request, result)
        else:
            telegram.server.respond(request, result)

    def _outcome(self, call: Call, action: Action | None) -> tuple[str, str | None, Any]:
        try:
            self._apply(call, action)
            result = self._run(call)
        except TelegramError as error:
            outcome = "duplicate" if error.name == "RANDOM_ID_DUPLICATE" else "error"
            return outcome, error.name, types.RpcError(error.code, error.name)
        return "duplicate" if call.is_duplicate else "accepted", None, result

    def _apply(self, call: Call, action: Action | None) -> None:
        if call.request.key.dead is not None:
            raise TelegramError(call.request.key.dead)
        if action is None:
            return
        if action.revoke_session:
            self._telegram.keys.log_out(call.request.key)
            raise TelegramError("SESSION_REVOKED")
        if action.error is not None:
            raise TelegramError(action.error)

    def _run(self, call: Call) -> Any:
        request = call.request
        route = ROUTES.get(type(request.body))
        if route is None:
            raise TelegramError("METHOD_INVALID")
        if route.needs_login:
            account = call.account
            if account.state == "deactivated":
                raise TelegramError("USER_DEACTIVATED_BAN")
            if account.is_bot and not route.allows_bots:
                raise TelegramError("BOT_METHOD_INVALID")
        try:
            return route.handler(call, request.body)
        except TelegramError:
            raise
        except Exception as error:
            log.exception("the handler of %s failed", method_name(type(request.body)))
            raise TelegramError("RPC_CALL_FAIL") from error

    def _refuse_second_client(self, request: Request) -> None:
        key, connection = request.key, request.connection
        already_known = key.id in connection.keys_used
        connection.keys_used.add(key.id)
        is_second = key.is_used_twice(connection, request.message_id, already_known)
        if is_second and key.dead is None and self._telegram.world.settings.strict_sessions:
            self._telegram.keys.kill(key, "AUTH_KEY_DUPLICATED")

    def _peer_id(self, body: Any) -> int | None:
        """Whom a request is about, for faults that hit one person only."""
        directory = self._telegram.world.directory
        peer = getattr(body, "peer", None) or getattr(body, "user_id", None)
        found = None
        if peer is not None and hasattr(peer, "user_id"):
            return int(peer.user_id)
        if hasattr(body, "username"):
            found = directory.find_username(body.username.removeprefix("@"), known_only=True)
        elif hasattr(body, "phone") and (digits := phone_digits(body.phone)) is not None:
            found = directory.find_phone(digits, known_only=True)
        return found.id if found else None
