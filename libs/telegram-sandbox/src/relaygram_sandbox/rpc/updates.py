"""updates.*: where an account stands and what it has missed."""

from typing import Any

from telethon.tl import functions, types

from relaygram_sandbox import clock
from relaygram_sandbox.rpc.registry import Call, answers
from relaygram_sandbox.world.account import Account, Message

_SLICE = 500
_SEQ = 1


def state_at(pts: int) -> Any:
    """The state of an account's updates at a pts."""
    now = clock.as_datetime(clock.now())
    return types.updates.State(pts=pts, qts=0, date=now, seq=_SEQ, unread_count=0)


@answers(functions.updates.GetStateRequest)
def get_state(call: Call, _: Any) -> Any:
    """Where the account stands now."""
    return state_at(call.account.pts)


@answers(functions.updates.GetDifferenceRequest)
def get_difference(call: Call, request: Any) -> Any:
    """What happened after the client's pts, in slices that always advance."""
    account: Account = call.account
    limit = call.telegram.world.settings.difference_limit
    if limit is not None and account.pts - request.pts > limit:
        return types.updates.DifferenceTooLong(account.pts)
    events = call.telegram.world.record.events_after(account, request.pts, _SLICE)
    if not events:
        return types.updates.DifferenceEmpty(clock.as_datetime(clock.now()), _SEQ)
    views = call.telegram.views
    messages, others, ids = [], [], set()
    for event in events:
        if isinstance(event, Message):
            messages.append(views.message(account, event))
            ids.add(event.peer_of(account.id))
        else:
            others.append(views.read_update(event))
            ids.add(event.peer_id)
    last = events[-1]
    reached = last.pts_for(account.id) if isinstance(last, Message) else last.pts
    kind = types.updates.DifferenceSlice if reached < account.pts else types.updates.Difference
    return kind(messages, [], others, [], views.users(account, ids), state_at(reached))
