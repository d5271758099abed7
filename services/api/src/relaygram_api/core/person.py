"""All addresses of one person, and what is looked for by them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from relaygram_api.core.addresses import handle_text, user_id_text
from relaygram_common.security.sealing import Sealer


@dataclass(slots=True)
class Person:
    """Grows while lines are found that know more. Phones by their hash; in clear where somebody knew them."""

    user_ids: set[int] = field(default_factory=set)
    handles: set[str] = field(default_factory=set)
    phones: dict[bytes, str | None] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many addresses are known."""
        return len(self.user_ids) + len(self.handles) + len(self.phones)

    def learn(
        self,
        *,
        user_id: int | None = None,
        handle: str | None = None,
        phone_hash: bytes | None = None,
        phone: str | None = None,
    ) -> None:
        """These are addresses of the same person."""
        if user_id is not None:
            self.user_ids.add(user_id)
        if handle is not None:
            self.handles.add(handle)
        if phone_hash is not None:
            self.phones[phone_hash] = phone or self.phones.get(phone_hash)

    def hashes(self, sealer: Sealer) -> list[bytes]:
        """What stays of an erased person: a keyed fingerprint of each address."""
        return [*address_hashes(sealer, self.user_ids, self.handles), *self.phones]

    def destinations(self) -> list[str]:
        """As the log writes whom a message went to."""
        return [*(f"@{handle}" for handle in self.handles), *(str(user_id) for user_id in self.user_ids)]

    def pattern(self) -> str:
        """Finds a handle or id that stands in a text as a word of its own; nothing, when there is neither."""
        words = "|".join(sorted({*self.handles, *map(str, self.user_ids)}))
        return rf"(^|[^a-z0-9_])({words})($|[^a-z0-9_])" if words else "(?!)"

    def phone_digits(self) -> list[str]:
        """Phones as a text has them when all but digits is taken away."""
        digits = [re.sub("[^0-9]", "", phone) for phone in self.phones.values() if phone]
        return [written for one in digits for written in (one, f"00{one}")]

    def phone_destinations(self) -> list[str]:
        """As gateways of other channels write phones."""
        return [written for one in self.phone_digits() for written in (one, f"+{one}") if not written.startswith("+00")]

    def packed(self) -> dict[str, Any]:
        """For JSON, to be sealed."""
        phones = [[phone_hash.hex(), phone] for phone_hash, phone in self.phones.items()]
        return {"user_ids": sorted(self.user_ids), "handles": sorted(self.handles), "phones": phones}

    def learn_packed(self, packed: Mapping[str, Any]) -> None:
        """What another erasure of the same person knew."""
        for user_id in packed["user_ids"]:
            self.learn(user_id=user_id)
        for handle in packed["handles"]:
            self.learn(handle=handle)
        for phone_hash, phone in packed["phones"]:
            self.learn(phone_hash=bytes.fromhex(phone_hash), phone=phone)


def address_hashes(sealer: Sealer, user_ids: Iterable[int], handles: Iterable[str]) -> list[bytes]:
    """The fingerprints that erased people are known by. (That of a phone is the phone's own hash.)"""
    texts = [*map(user_id_text, user_ids), *map(handle_text, handles)]
    return [sealer.fingerprint(text) for text in texts]
