"""``relaygram dead-letters``: what no service could process, and why."""

import base64
import json
from typing import TYPE_CHECKING, Any

import typer

from relaygram_cli.commands.dead_letters_replay import replay
from relaygram_cli.errors import CommandError
from relaygram_cli.nats_connection import NatsUrl, with_nats
from relaygram_cli.options import Json, LetterNumber, Limit, OfStream, known_stream
from relaygram_cli.output import as_text, note, print_fields, print_json, print_table, show

if TYPE_CHECKING:
    from nats.aio.client import Client

    from relaygram_common.jetstream.letter_box import Letter, LetterHead

app = typer.Typer(no_args_is_help=True, help="What no service could process, and why; kept for 30 days.")
app.command()(replay)
_COLUMNS = [("sequence", "number"), ("stream", "text"), ("when", "text"), ("subject", "text"), ("reason", "text")]


@app.command("list")
def list_letters(nats_url: NatsUrl, stream: OfStream = None, limit: Limit = 50, as_json: Json = False) -> None:
    """List dead letters, newest first."""
    chosen = known_stream(stream)
    found = with_nats(nats_url, lambda nats: _newest(nats, chosen, limit))
    if as_json:
        print_json([{**head._asdict(), "at": _iso(head.at)} for head in found])
    elif found:
        print_table(_COLUMNS, [[head.sequence, head.stream, head.at, head.subject, head.reason] for head in found])
    else:
        note(f"There are no dead letters of {chosen}." if chosen else "There are no dead letters.")


@app.command("show")
def show_letter(letter: LetterNumber, nats_url: NatsUrl, as_json: Json = False) -> None:
    """Show one with its message; passwords and tokens in it are hidden."""
    found = with_nats(nats_url, lambda nats: _letter(nats, letter))
    text = _payload_text(found.payload)
    if as_json:
        print_json({**_fields(found), "headers": _headers(found), **_payload_json(found, text)})
        return
    shown = {name: (as_text(value), "text") for name, value in {**_fields(found), "at": found.at}.items()}
    shown |= {f"header {name}": (value, "text") for name, value in _headers(found).items()}
    if not found.is_whole:
        shown["kept"] = (f"the first {len(found.payload)} bytes: it was too large for a letter", "text")
    print_fields({name.replace("_", " "): value for name, value in shown.items() if value[0]})
    _print_payload(found.payload, text)


async def _newest(nats: "Client", stream: str | None, limit: int) -> "list[LetterHead]":
    from relaygram_common.jetstream.letter_box import LetterBox

    heads: list[LetterHead] = []
    async for head in LetterBox(nats).newest_first(stream):
        if limit and len(heads) == limit:
            note(f"More follow: --limit takes more than {limit}, --limit 0 takes all.")
            break
        heads.append(head)
    return heads


async def _letter(nats: "Client", sequence: int) -> "Letter":
    from relaygram_common.jetstream.letter_box import LetterBox, NoSuchLetterError

    try:
        return await LetterBox(nats).get(sequence)
    except NoSuchLetterError as error:
        raise CommandError(str(error), what_to_do="relaygram dead-letters list") from error


def _fields(letter: "Letter") -> dict[str, Any]:
    return {
        "sequence": letter.sequence,
        "at": _iso(letter.at),
        "stream": letter.stream,
        "stream_sequence": letter.stream_sequence,
        "subject": letter.subject,
        "reason": letter.reason,
        "payload_bytes": letter.payload_bytes,
    }


def _headers(letter: "Letter") -> dict[str, str]:
    from relaygram_common.logging import without_secrets

    hidden: dict[str, str] = without_secrets(dict(letter.headers))
    return hidden


def _payload_text(payload: bytes) -> str | None:
    """The payload as text without secrets; None of what is no text."""
    from relaygram_common.logging import without_secrets

    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    try:
        parsed = json.loads(text)
        hidden = without_secrets(parsed)
    except (ValueError, RecursionError):
        return str(without_secrets(text))
    return text if hidden == parsed else json.dumps(hidden, ensure_ascii=False)


def _payload_json(letter: "Letter", text: str | None) -> dict[str, Any]:
    binary = base64.b64encode(letter.payload).decode() if text is None else None
    return {"payload": text, "payload_base64": binary, "is_whole": letter.is_whole}


def _print_payload(payload: bytes, text: str | None) -> None:
    """Below the fields, as it is: JSON with a line for each of its fields."""
    from rich.text import Text

    from relaygram_cli.plain_text import plain

    if text is None:
        shown, kind = base64.b64encode(payload).decode(), "payload in base64, because it is no text"
    else:
        shown, kind = text, "payload"
        try:
            shown = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            kind = "payload, which is no JSON"
    show(Text(f"\n{kind}", style="dim"))
    show(Text(plain(shown)))


def _iso(at: Any) -> str:
    return str(at.isoformat()).replace("+00:00", "Z")
