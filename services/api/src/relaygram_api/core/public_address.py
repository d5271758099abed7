"""Which addresses a stranger may have us connect to."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# IPv6 that only carries some IPv4 address, by ways that nobody needs.
_CARRIERS = (ipaddress.IPv6Network("2002::/16"), ipaddress.IPv6Network("2001::/32"), ipaddress.IPv6Network("::/96"))


def is_public(text: str) -> bool:
    """Whether this address is one of the public internet, also where it carries another one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if any(address in network for network in _CARRIERS):
            return False
        address = _carried(address) or address
    return address.is_global and not address.is_multicast


def _carried(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped
