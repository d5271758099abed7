"""The console script ``relaygram``, also ``python -m relaygram_cli``."""

import sys

from relaygram_cli.app import app
from relaygram_cli.errors import CommandError


def main() -> None:
    """Run the command; a CommandError becomes one line and exit status 1."""
    try:
        app(prog_name="relaygram")
    except CommandError as error:
        sys.stderr.write(f"relaygram: {' '.join(str(error).split())}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
