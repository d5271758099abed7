"""What a person can do something about: said in one line, without a traceback."""

from relaygram_cli.errors import CommandError


class StackError(CommandError):
    """The stack cannot do what was asked; the message says why and, where it can, what to do."""
