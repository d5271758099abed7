"""What a person reads when the stack is up."""

from relaygram_local_stack.preparation import EMAIL
from relaygram_local_stack.stack import LocalStack


def summary(stack: LocalStack) -> str:
    """What is where; the password only right after it was made."""
    info, folder = stack.info, stack.folder
    password = stack.new_password or f"kept in {folder.credentials}"
    rows = [
        ("HTTP API", f"{info.api_url}/api/v1   (pages: {info.api_url}/docs)"),
        ("sign in", f"{EMAIL}, password: {password}"),
        ("API token", f"kept in {folder.token}"),
        ("sandbox", info.sandbox_url or "none: this stack would talk to the real Telegram"),
        ("NATS", info.nats_url),
        ("PostgreSQL", info.postgres_dsn),
        ("data", str(folder.path)),
    ]
    lines = [f"  {name:<11} {value}" for name, value in rows]
    return "\n".join(["", "Relaygram is up. Ctrl-C stops it.", "", *lines, ""])
