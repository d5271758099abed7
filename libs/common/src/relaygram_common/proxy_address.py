"""The address of a proxy: `socks5://user:password@host:port` or `http://…`."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_SCHEMES = ("socks5", "http")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:_-]{0,252}[A-Za-z0-9])?|::1?")
_EXAMPLE = "such as socks5://user:password@proxy.example.com:1080"


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """Where a proxy listens, and as whom it is asked."""

    scheme: str
    host: str
    port: int
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


def parse_proxy(url: str) -> ProxyAddress:
    """The parts of a proxy's URL. Raises ValueError, whose text says what is wrong and nothing of the password."""
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("is not a proxy address: it contains a space or control character")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"is not a proxy address, {_EXAMPLE}") from None
    if parts.scheme not in _SCHEMES or not url.lower().startswith(f"{parts.scheme}://"):
        raise ValueError("must begin with socks5:// or http://")
    if not parts.hostname or not _HOST.fullmatch(parts.hostname):
        raise ValueError(f"has no host, {_EXAMPLE}")
    if not port:
        raise ValueError(f"has no port between 1 and 65535, {_EXAMPLE}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"must end after the port, {_EXAMPLE}")
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if username is not None and max(len(username.encode()), len((password or "").encode())) > 255:
        raise ValueError("has a user or password of more than 255 bytes")
    if username is None and password is not None:
        raise ValueError("has a password without a user")
    return ProxyAddress(parts.scheme, parts.hostname, port, username, password)
