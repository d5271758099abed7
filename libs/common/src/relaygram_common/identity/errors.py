"""The one error of this package."""


class IdentityError(Exception):
    """What was asked for can not be made; the text says why."""
