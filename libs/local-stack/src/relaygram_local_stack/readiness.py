"""Questions that tell whether a part is ready. Each blocks for a second at most."""

import http.client
import socket
from collections.abc import Callable


def http_ok(port: int, path: str, host: str = "127.0.0.1") -> Callable[[int], bool]:
    """Ready when a GET of the path answers 200."""

    def ask(_pid: int) -> bool:
        connection = http.client.HTTPConnection(host, port, timeout=1.0)
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
            with socket.create_connection((host, port), timeout=1.0) as connection:
                return word in connection.recv(8192)
        except OSError:
            return False

    return ask
