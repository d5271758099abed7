"""The services' health pages, and the API with the saved token."""

import asyncio
from typing import TYPE_CHECKING

from relaygram_cli.doctor.findings import Installation, NotChecked, Wrong

if TYPE_CHECKING:
    import httpx

_SECONDS = 4.0
_DEFAULT_PORTS = (8081, 8083)


async def services(installation: Installation) -> str:
    """Each says by itself whether it has what it needs."""
    import httpx

    async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
        pages = installation.health or await _at_default_ports(client, installation)
        if not pages:
            raise NotChecked("no addresses: give --health or --ready-file")
        problems = await asyncio.gather(*(_problem(client, name, url) for name, url in pages.items()))
    if wrong := [problem for problem in problems if problem]:
        raise Wrong("; ".join(wrong), "look into the log of that service, and at the checks above")
    return f"{', '.join(pages)}: ready"


async def _at_default_ports(client: "httpx.AsyncClient", installation: Installation) -> dict[str, str]:
    """Health pages of this machine, of services that say nothing of where they are."""
    import httpx

    found = {}
    for port in _DEFAULT_PORTS if installation.dsn is not None else ():
        url = f"http://127.0.0.1:{port}"
        try:
            if "checks" in (await client.get(f"{url}/readyz")).json():
                found[f"port {port}"] = url
        except (httpx.HTTPError, ValueError, TypeError):
            continue  # nobody, or somebody else
    return found


async def api(installation: Installation) -> str:
    """The API takes our token."""
    from relaygram_client import NoAnswerError, Relaygram, RelaygramError, UnauthenticatedError

    login = installation.login
    try:
        async with Relaygram(login.url, login.token, timeout_seconds=_SECONDS, attempts=1) as relaygram:
            me = await relaygram.session.me()
    except UnauthenticatedError:
        if login.token is None:
            raise NotChecked(f"{login.url} answers, but nobody is logged in: relaygram login") from None
        raise Wrong(f"{login.url} refuses the saved token", "log in again: relaygram login") from None
    except NoAnswerError as error:
        raise Wrong(str(error), "start the api, or give its address: relaygram login URL") from None
    except (RelaygramError, ValueError) as error:
        raise Wrong(str(error), "is this the address of Relaygram's api? relaygram login URL") from None
    return f"{login.url} answers {me.email} in workspace {me.workspace.name}"


async def _problem(client: "httpx.AsyncClient", name: str, url: str) -> str | None:
    import httpx

    try:
        answer = await client.get(f"{url.rstrip('/')}/readyz")
        checks = answer.json().get("checks", {})
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError) as error:
        return f"{name}: {error or type(error).__name__}"
    if answer.is_success:
        return None
    said = ", ".join(f"{check} {state}" for check, state in checks.items() if state != "ok")
    return f"{name}: {said or answer.status_code}"
