"""``relaygram audit``: who changed what."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from relaygram_cli.asking import ask
from relaygram_cli.options import Json, Limit
from relaygram_cli.output import Column, print_things, taken

if TYPE_CHECKING:
    from relaygram_client import Change

_COLUMNS: "list[Column[Change]]" = [
    Column("when", lambda c: c.happened_at),
    Column("who", lambda c: c.actor),
    Column("did", lambda c: c.action),
    Column("what", lambda c: f"{c.kind} {c.thing_id}"),
    Column("how", lambda c: _shown(c)),
]


def audit(
    kind: Annotated[str | None, typer.Option(help="Only of this kind, like campaign.")] = None,
    thing: Annotated[int | None, typer.Option(min=1, help="Only of the thing with this number.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only by this one, like user:7.")] = None,
    action: Annotated[Literal["created", "changed", "deleted"] | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List every change in the workspace, newest first."""
    found = ask(lambda r: taken(r.audit.list(kind=kind, thing_id=thing, actor=actor, action=action), limit))
    print_things(found, _COLUMNS, as_json=as_json, nothing="There are no such changes.")


def _shown(change: "Change") -> str:
    """`status: draft → running`; of what is new or gone only the values that there are."""
    before, after = change.before or {}, change.after or {}
    fields = []
    for name in {**before, **after}:
        was, is_now = before.get(name), after.get(name)
        if change.action == "changed":
            fields.append(f"{name}: {_value(was)} → {_value(is_now)}")
        elif (known := is_now if is_now is not None else was) is not None:
            fields.append(f"{name}: {_value(known)}")
    return ", ".join(fields)


def _value(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
