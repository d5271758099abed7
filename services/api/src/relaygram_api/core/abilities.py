"""What tokens may do."""

from collections.abc import Iterable

from relaygram_common.security.tokens import ABILITIES, ANY_ABILITY, allows


def unknown_abilities(asked: Iterable[str]) -> list[str]:
    """Of the abilities asked for, those that do not exist."""
    return sorted(set(asked) - {*ABILITIES, ANY_ABILITY})


def abilities_lacked(own: list[str], asked: Iterable[str]) -> list[str]:
    """Of the abilities asked for, those that a token with `own` can not give."""
    return sorted(ability for ability in set(asked) if not allows(own, ability))
