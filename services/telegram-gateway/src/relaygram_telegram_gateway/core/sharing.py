"""Sharing accounts out: as even as can be, with as few moves as can be.

Everybody works this out for themselves from what all say that they run, and comes to the same answer; a difference of
one moves nothing, so nothing goes to and fro.
"""

from collections.abc import Mapping


def to_let_go(loads: Mapping[str, int], me: str) -> int:
    """How many of its accounts this gateway hands on, so that no two differ by more than one."""
    loads_then = dict(loads)
    given = 0
    while True:
        fullest = min(loads_then, key=lambda name: (-loads_then[name], name))
        emptiest = min(loads_then, key=lambda name: (loads_then[name], name))
        if loads_then[fullest] - loads_then[emptiest] < 2:
            return given
        loads_then[fullest] -= 1
        loads_then[emptiest] += 1
        given += fullest == me


def to_take(loads: Mapping[str, int], me: str, free: int) -> int:
    """How many of the accounts that nobody runs this gateway takes: each goes to whoever has the fewest."""
    loads_then = dict(loads)
    for _ in range(free):
        emptiest = min(loads_then, key=lambda name: (loads_then[name], name))
        loads_then[emptiest] += 1
    return loads_then[me] - loads[me]
