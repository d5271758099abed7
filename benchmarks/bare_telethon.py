"""The limit to be compared with: a Telethon client that sends as fast as it can and remembers nothing."""

import asyncio
import time
from collections.abc import Sequence

import httpx
from telethon import TelegramClient, functions
from telethon.crypto import rsa
from telethon.sessions import StringSession
from telethon.tl.types import InputPeerUser

IN_FLIGHT = 50


async def messages_per_second(sandbox: httpx.AsyncClient, sender_id: int, handles: Sequence[str]) -> float:
    """One message to each, 50 raw requests in flight; resolving the names is not counted."""
    info = (await sandbox.get("/info")).json()
    rsa.add_key(info["public_key_pem"], old=False)
    session = StringSession((await sandbox.post(f"/users/{sender_id}/session")).json()["session_string"])
    session.set_dc(2, info["host"], info["port"])
    client = TelegramClient(session, 1, "any", flood_sleep_threshold=0, receive_updates=False)
    await client.connect()
    try:
        peers = [await _resolve(client, handle) for handle in handles]
        waiting = asyncio.Semaphore(IN_FLIGHT)

        async def send(number: int, peer: InputPeerUser) -> None:
            async with waiting:
                text = f"Bare message number {number}, about as long as the one of the broadcast."
                await client(functions.messages.SendMessageRequest(peer, text, random_id=number + 1))

        began = time.perf_counter()
        await asyncio.gather(*(send(number, peer) for number, peer in enumerate(peers)))
        return len(peers) / (time.perf_counter() - began)
    finally:
        await client.disconnect()


async def _resolve(client: TelegramClient, handle: str) -> InputPeerUser:
    user = (await client(functions.contacts.ResolveUsernameRequest(handle))).users[0]
    return InputPeerUser(user.id, user.access_hash)
