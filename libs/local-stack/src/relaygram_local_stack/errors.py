"""What a person can do something about: said in one line, without a traceback."""


class StackError(Exception):
    """The stack cannot do what was asked; the message says why and, where it can, what to do."""
