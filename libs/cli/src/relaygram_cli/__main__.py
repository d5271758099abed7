"""The console script ``relaygram``, also ``python -m relaygram_cli``."""

import io
import os
import sys

from relaygram_cli.app import app
from relaygram_cli.errors import CommandError


def main() -> None:
    """Run the command. What goes wrong is said in a line or a few on standard error, exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal can not show must not end a command
    try:
        app(prog_name="relaygram")
    except CommandError as error:
        _say(error)
        sys.exit(1)
    except Exception as error:
        if "RELAYGRAM_DEBUG" in os.environ:
            raise
        hint = "this is a fault of relaygram: RELAYGRAM_DEBUG=1 shows where it happened"
        _say(CommandError(f"{type(error).__name__}: {error}", what_to_do=hint))
        sys.exit(1)


def _say(error: CommandError) -> None:
    from relaygram_cli.plain_text import one_line

    if "--json" in sys.argv[1:]:
        import json

        said = {"message": str(error), "details": error.details, "what_to_do": error.what_to_do}
        sys.stderr.write(json.dumps({"error": said}) + "\n")
        return
    lines = [f"relaygram: {one_line(str(error))}", *(f"  {one_line(detail)}" for detail in error.details)]
    if error.what_to_do:
        lines.append(f"  What to do: {one_line(error.what_to_do)}")
    sys.stderr.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
