"""Errors that a person can act on."""


class CommandError(Exception):
    """The command cannot do what was asked. Its text is one line; it is shown without a traceback, exit status 1."""
