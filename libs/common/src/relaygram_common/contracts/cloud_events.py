"""CloudEvents 1.0 in binary mode: the attributes travel as message headers."""

from datetime import datetime
from uuid import UUID


def cloud_event_headers(*, event_id: UUID, event_type: str, workspace_id: int, time: datetime) -> dict[str, str]:
    """Headers of a public event; `Nats-Msg-Id` spares subscribers most of the doubles."""
    return {
        "ce-specversion": "1.0",
        "ce-id": str(event_id),
        "ce-type": event_type,
        "ce-source": f"/workspaces/{workspace_id}",
        "ce-time": time.isoformat().replace("+00:00", "Z"),
        "content-type": "application/json",
        "Nats-Msg-Id": str(event_id),
    }
