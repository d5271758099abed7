"""Where and as what one account connects: as the installation does, unless its own row says otherwise."""

from dataclasses import replace

from relaygram_common.proxy_address import parse_proxy
from relaygram_common.security.sealing import Sealer
from relaygram_telegram_gateway.adapters.pg_accounts import AccountRow
from relaygram_telegram_gateway.adapters.telethon_client import TelegramPlace


def place_of(account: AccountRow, installation: TelegramPlace, sealer: Sealer) -> TelegramPlace:
    """The account's application and proxy. Raises SealError or ValueError: not ours to read."""
    own, place, owner = account.connection, installation, f"account:{account.id}"
    if own.proxy_sealed is not None:
        place = replace(place, proxy=parse_proxy(sealer.open(own.proxy_sealed, owner=f"{owner}:proxy")))
    if own.api_id is not None and own.api_hash_sealed is not None:
        place = replace(place, api_id=own.api_id, api_hash=sealer.open(own.api_hash_sealed, owner=f"{owner}:api_hash"))
    return place
