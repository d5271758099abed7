"""Questions that tell whether a part is ready. Each blocks for a few seconds at most."""

import http.client
import socket
from collections.abc import Callable

_TIMEOUT_SECONDS = 3.0  # a page under /readyz gives each of its checks 2 s


def http_ok(port: int, path: str, host: str = "127.0.0.1") -> Callable[[int], bool]:
    """Ready when a GET of the path answers 200."""

    def ask(_pid: int) -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ask


def greets(port: int, word: bytes, host: str = "127.0.0.1") -> Callable[[int], bool]:
    """Ready when the server opens the talk with something that contains the word."""

    def ask(_pid: int) -> bool:
        try:
            with socket.create_connection((host, port), timeout=_TIMEOUT_SECONDS) as connection:
                return word in connection.recv(8192)
        except OSError:
            return False

    return ask
