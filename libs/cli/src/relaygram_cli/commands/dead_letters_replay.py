"""``relaygram dead-letters replay``: publish messages again when what was wrong is mended."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from relaygram_cli.errors import CommandError
from relaygram_cli.nats_connection import NatsUrl, with_nats
from relaygram_cli.options import Json, OfStream, Yes, known_stream
from relaygram_cli.output import note, print_json
from relaygram_cli.prompts import sure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.aio.client import Client

    from relaygram_common.jetstream.letter_box import Letter, LetterBox


class _Chosen(NamedTuple):
    sequences: list[int]  # empty: all of the stream, or of all streams
    stream: str | None
    last: int  # letters that come of the replay are not replayed themselves
    number: int


def replay(
    nats_url: NatsUrl,
    letters: Annotated[list[int] | None, typer.Argument(metavar="LETTER...", min=1, help="Their sequences.")] = None,
    stream: OfStream = None,
    take_all: Annotated[bool, typer.Option("--all", help="All of them, or all of --stream.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be published.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Publish messages again, to the subjects they came from; a letter is removed when its message is stored."""
    if bool(letters) == take_all or (stream and not take_all):
        raise typer.BadParameter("give sequences of letters, or --all, with --stream for those of one stream")
    known = known_stream(stream)
    sequences = list(dict.fromkeys(letters or []))
    chosen = with_nats(nats_url, lambda nats: _chosen(nats, sequences, known))
    if take_all and chosen.number and not dry_run:
        sure(f"Publish {_messages(chosen.number)} again?", yes=yes)
    done, failed = with_nats(nats_url, lambda nats: _replayed(nats, chosen, dry_run=dry_run, as_json=as_json))
    if as_json:
        failures = [{"sequence": sequence, "reason": why} for sequence, why in failed]
        print_json({"replayed": 0 if dry_run else done, "would_replay": done if dry_run else 0, "failed": failures})
    elif dry_run:
        note(f"{_messages(done)} would be published again; nothing was done.")
    else:
        note(f"{_messages(done)} published again." if done or not failed else "Nothing was published.")
    if failed and not as_json:
        raise CommandError(
            f"{_messages(len(failed))} could not be replayed; what has a letter keeps it",
            details=[f"{sequence}: {why}" for sequence, why in failed[:_SHOWN]],
        )
    raise typer.Exit(1 if failed else 0)


_SHOWN = 20


async def _chosen(nats: "Client", sequences: list[int], stream: str | None) -> _Chosen:
    from relaygram_common.jetstream.letter_box import LetterBox

    box = LetterBox(nats)
    last = await box.last_sequence()
    return _Chosen(sequences, stream, last, len(sequences) or await box.count(stream))


async def _replayed(
    nats: "Client", chosen: _Chosen, *, dry_run: bool, as_json: bool
) -> tuple[int, list[tuple[int, str]]]:
    """How many, and which could not be and why. What breaks off in the middle says how far it came."""
    from nats.errors import Error

    from relaygram_common.jetstream.letter_box import LetterBox, NotReplayedError

    box = LetterBox(nats)
    done, failed = 0, []
    try:
        async for sequence, letter in _letters(box, chosen):
            if letter is None:
                failed.append((sequence, "there is no such letter"))
                continue
            try:
                if dry_run:
                    _tell(letter, as_json=as_json)
                else:
                    await box.replay(letter)
            except NotReplayedError as error:
                failed.append((sequence, str(error)))
            else:
                done += 1
    except (Error, TimeoutError, OSError):
        if done and not dry_run:
            note(f"{_messages(done)} published again before it broke off; the letters of the others are still there.")
        raise
    return done, failed


async def _letters(box: "LetterBox", chosen: _Chosen) -> "AsyncIterator[tuple[int, Letter | None]]":
    from relaygram_common.jetstream.letter_box import NoSuchLetterError

    for sequence in chosen.sequences:
        try:
            yield sequence, await box.get(sequence)
        except NoSuchLetterError:
            yield sequence, None
    if not chosen.sequences:
        async for letter in box.oldest_first(chosen.stream, last=chosen.last):
            yield letter.sequence, letter


def _tell(letter: "Letter", *, as_json: bool) -> None:
    from relaygram_common.jetstream.letter_box import NotReplayedError

    if letter.subject is None:
        raise NotReplayedError("it is not a letter of Relaygram's, or of a newer version")
    if not as_json:
        note(f"would publish {letter.sequence} to {letter.subject} ({letter.payload_bytes} bytes)")


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
