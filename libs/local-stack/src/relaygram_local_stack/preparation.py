"""What happens between servers and services: schema, streams, the first user, a token."""

import asyncio
import json
from dataclasses import dataclass

import httpx

from relaygram_common import identity, topology
from relaygram_local_stack.data_folder import DataFolder
from relaygram_local_stack.errors import StackError
from relaygram_local_stack.plan import DATABASE, Plan
from relaygram_local_stack.private_file import write_private

WORKSPACE = "local"
EMAIL = "admin@localhost"
_TOKEN_NAME = "local-stack"  # noqa: S105 - a name, not a secret
_HTTP_SECONDS = 10.0


@dataclass(frozen=True)
class Prepared:
    """The token that is kept in the folder; the password only when the user was made just now."""

    token: str
    new_password: str | None


async def prepare(plan: Plan, folder: DataFolder) -> Prepared:
    """Bring database and JetStream to the newest shape, and see to the first user and a token."""
    _, _ = await asyncio.gather(
        asyncio.to_thread(_prepare_database, plan),
        topology.provision(plan.nats.url),
    )
    first = await identity.bootstrap(plan.dsn, workspace=WORKSPACE, email=EMAIL)
    if first.password is not None:
        kept = {"email": EMAIL, "password": first.password}
        write_private(folder.credentials, json.dumps(kept, indent=2) + "\n")
        folder.token.unlink(missing_ok=True)  # it belonged to a database that is no more
    if not folder.token.exists():
        await new_token(plan, folder)
    return Prepared(token=folder.token.read_text().strip(), new_password=first.password)


async def new_token(plan: Plan, folder: DataFolder) -> str:
    """Make a token with all abilities and keep it."""
    token = await identity.create_token(plan.dsn, EMAIL, _TOKEN_NAME, abilities=["*"])
    write_private(folder.token, token + "\n")
    return token


async def is_accepted(plan: Plan, token: str) -> bool:
    """Whether the api takes the token (somebody may have logged it out in an earlier run)."""
    async with httpx.AsyncClient(timeout=_HTTP_SECONDS, trust_env=False) as client:
        answer = await client.get(
            f"{plan.api_url}/api/v1/campaigns",
            params={"per_page": 1},
            headers={"Authorization": f"Bearer {token}"},
        )
    return answer.status_code != httpx.codes.UNAUTHORIZED


async def sandbox_public_key(plan: Plan) -> str | None:
    """The key (PEM) that clients of the sandbox must know; None without a sandbox."""
    if plan.sandbox is None:
        return None
    async with httpx.AsyncClient(timeout=_HTTP_SECONDS, trust_env=False) as client:
        answer = await client.get(f"{plan.sandbox.url}/info")
    try:
        return str(answer.raise_for_status().json()["public_key_pem"])
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise StackError(f"the sandbox does not tell its public key: {error}") from error


def _prepare_database(plan: Plan) -> None:
    from relaygram_common.database import migrate  # slow to load: here it does so while the sandbox starts

    plan.postgres.ensure_database(DATABASE)
    migrate.upgrade(plan.dsn)
