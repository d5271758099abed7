"""How an account connects if other than the installation does: as its own application, through its own proxy."""

import re

from relaygram_common.proxy_address import parse_proxy

_API_HASH = re.compile(r"[0-9a-f]{32}")


def connection_problems(api_id: int | None, api_hash: str | None, proxy: str | None) -> dict[str, list[str]]:
    """What is wrong, by field; empty when nothing is."""
    problems: dict[str, list[str]] = {}
    if api_id is None and api_hash is not None:
        problems["api_id"] = ["is required together with api_hash"]
    if api_hash is None and api_id is not None:
        problems["api_hash"] = ["is required together with api_id"]
    if api_hash is not None and not _API_HASH.fullmatch(api_hash):
        problems["api_hash"] = ["should be 32 hexadecimal digits, as my.telegram.org shows it"]
    if proxy is not None and (problem := proxy_problem(proxy)):
        problems["proxy"] = [problem]
    return problems


def proxy_problem(proxy: str) -> str | None:
    """Why this is no proxy; None when it is one."""
    try:
        parse_proxy(proxy)
    except ValueError as error:
        return str(error)
    return None
