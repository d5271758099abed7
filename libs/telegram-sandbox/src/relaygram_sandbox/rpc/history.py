"""messages.*: looking back at conversations."""

from typing import Any

from telethon.tl import functions, types

from relaygram_sandbox.errors import TelegramError
from relaygram_sandbox.rpc.registry import Call, answers
from relaygram_sandbox.rpc.updates import state_at
from relaygram_sandbox.world.account import Account, Dialog, Message

_MAX_PAGE = 100


@answers(functions.messages.GetHistoryRequest, allows_bots=False)
def get_history(call: Call, request: Any) -> Any:
    """A page of one conversation, newest first."""
    account, peer = call.account, call.user(request.peer)
    dialog = account.dialogs.get(peer.id, Dialog())
    found = call.telegram.world.record.history(
        account,
        dialog,
        limit=min(max(request.limit, 0), _MAX_PAGE),
        offset_id=request.offset_id,
        # "No date" arrives as 1970.
        offset_date=request.offset_date.timestamp() or None if request.offset_date else None,
        add_offset=request.add_offset,
        min_id=request.min_id,
        max_id=request.max_id,
    )
    views = call.telegram.views
    messages = [views.message(account, message) for message in found]
    users = views.users(account, [peer.id])
    if len(found) == len(dialog.seqs):
        return types.messages.Messages(messages, [], [], users)
    return types.messages.MessagesSlice(len(dialog.seqs), messages, [], [], users)


@answers(functions.messages.GetMessagesRequest)
def get_messages(call: Call, request: Any) -> Any:
    """Messages of the account by their ids; absent ones come back empty."""
    account, views = call.account, call.telegram.views
    messages, peers = [], set()
    for given in request.id:
        message_id = getattr(given, "id", 0)
        found = call.telegram.world.record.by_message_id(account, message_id)
        if found is None:
            messages.append(types.MessageEmpty(message_id))
        else:
            messages.append(views.message(account, found))
            peers.add(found.peer_of(account.id))
    return types.messages.Messages(messages, [], [], views.users(account, peers))


@answers(functions.messages.GetDialogsRequest, allows_bots=False)
def get_dialogs(call: Call, request: Any) -> Any:
    """The account's conversations, the last active first."""
    account = call.account
    active = [(dialog.seqs[-1], peer_id) for peer_id, dialog in account.dialogs.items() if dialog.seqs]
    active.sort(reverse=True)
    total = len(active)
    if request.offset_id:
        offset = call.telegram.world.record.by_message_id(account, request.offset_id)
        if offset is None:
            raise TelegramError("OFFSET_INVALID")
        active = [entry for entry in active if entry[0] < offset.seq]
    page = [peer_id for _, peer_id in active[: min(max(request.limit, 0), _MAX_PAGE) or _MAX_PAGE]]
    dialogs, messages, users = _shown(call, account, page)
    if len(page) == total:
        return types.messages.Dialogs(dialogs, messages, [], users)
    return types.messages.DialogsSlice(total, dialogs, messages, [], users)


@answers(functions.messages.GetPeerDialogsRequest, allows_bots=False)
def get_peer_dialogs(call: Call, request: Any) -> Any:
    """Certain conversations: how far the other side has read is told here."""
    account = call.account
    peers = [call.user(given.peer).id for given in request.peers if hasattr(given, "peer")]
    dialogs, messages, users = _shown(call, account, peers)
    return types.messages.PeerDialogs(dialogs, messages, [], users, state_at(account.pts))


def _shown(call: Call, account: Account, peer_ids: list[int]) -> tuple[list[Any], list[Any], list[Any]]:
    dialogs, messages = [], []
    for peer_id in peer_ids:
        dialog = account.dialogs.get(peer_id, Dialog())
        top: Message | None = None
        if dialog.seqs:
            top = call.telegram.world.record.message(dialog.seqs[-1])
            messages.append(call.telegram.views.message(account, top))
        dialogs.append(_dialog(call, account, peer_id, dialog, top))
    return dialogs, messages, call.telegram.views.users(account, peer_ids)


def _dialog(call: Call, account: Account, peer_id: int, dialog: Dialog, top: Message | None) -> Any:
    return types.Dialog(
        peer=types.PeerUser(peer_id),
        top_message=top.id_for(account.id) if top else 0,
        read_inbox_max_id=dialog.read_inbox_max_id,
        read_outbox_max_id=dialog.read_outbox_max_id,
        unread_count=call.telegram.world.record.count_unread(account, peer_id, dialog),
        unread_mentions_count=0,
        unread_reactions_count=0,
        unread_poll_votes_count=0,
        notify_settings=types.PeerNotifySettings(),
    )
