"""Errors that a person can act on."""

from collections.abc import Sequence


class CommandError(Exception):
    """The command cannot do what was asked. Its text is one line; it is shown without a traceback, exit status 1."""

    def __init__(self, message: str, *, details: Sequence[str] = (), what_to_do: str = "") -> None:
        super().__init__(message)
        #: One line each, shown below the first: the fields that are wrong, for example.
        self.details = list(details)
        self.what_to_do = what_to_do
