"""Faults on order: which requests go wrong, how, how often. Rules are durable, with their counts."""

import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from relaygram_sandbox.store import Store


@dataclass(slots=True)
class Action:
    """What happens to a request; exactly one field is set."""

    error: str | None = None
    drop: str | None = None
    delay_seconds: float | None = None
    silent: bool | None = None
    revoke_session: bool | None = None


@dataclass(slots=True)
class Rule:
    """Which requests, after how many of them, how often, and the action."""

    name: str
    action: Action
    method: str | None = None
    account_id: int | None = None
    peer_id: int | None = None
    after: int = 0
    times: int | None = None
    probability: float = 1.0
    matched: int = 0
    fired: int = 0

    def fires(self, chance: random.Random) -> bool:
        """Count one request that matches; whether the rule acts on it."""
        if self.times is not None and self.fired >= self.times:
            return False
        self.matched += 1
        if self.matched <= self.after:
            return False
        if self.probability < 1 and chance.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def as_json(self) -> dict[str, Any]:
        """The rule as it was given, with its counts."""
        shown = asdict(self)
        shown["action"] = {name: value for name, value in shown["action"].items() if value is not None}
        return shown


@dataclass(slots=True)
class Verdict:
    """What the rules together do to one request: waits add up, of the rest the first one counts."""

    delay_seconds: float = 0.0
    action: Action | None = None


_NOTHING = Verdict()


class FaultBook:
    """The rules in the order in which they were made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: dict[str, Rule] = {}
        self.load()

    def load(self) -> None:
        """Read the rules from the store."""
        self._rules.clear()
        for rule, matched, fired in self._store.rows("SELECT rule, matched, fired FROM faults ORDER BY position"):
            given = json.loads(rule)
            self._rules[given["name"]] = Rule(
                **{**given, "action": Action(**given["action"]), "matched": matched, "fired": fired}
            )

    def list(self) -> list[dict[str, Any]]:
        """Every rule with its counts."""
        return [rule.as_json() for rule in self._rules.values()]

    def put(self, rule: Rule) -> dict[str, Any]:
        """Add a rule; one of the same name is replaced and counts anew."""
        self.remove(rule.name)
        self._rules[rule.name] = rule
        self._store.write(
            "INSERT INTO faults SELECT ?, coalesce(max(position), 0) + 1, ?, 0, 0 FROM faults",
            rule.name,
            json.dumps(rule.as_json()),
        )
        return rule.as_json()

    def remove(self, name: str) -> bool:
        """Remove one rule; whether there was one."""
        self._store.write("DELETE FROM faults WHERE name = ?", name)
        return self._rules.pop(name, None) is not None

    def clear(self) -> None:
        """Remove every rule."""
        self._rules.clear()
        self._store.write("DELETE FROM faults")

    def consult(
        self, method: str, account_id: int | None, peer_id: Callable[[], int | None], chance: random.Random
    ) -> Verdict:
        """What happens to this request. The peer is looked up only when a rule asks for it."""
        if not self._rules:
            return _NOTHING
        verdict = Verdict()
        for rule in self._rules.values():
            if rule.method not in (None, method) or rule.account_id not in (None, account_id):
                continue
            if rule.peer_id is not None and rule.peer_id != peer_id():
                continue
            is_delay = rule.action.delay_seconds is not None
            if verdict.action is not None and not is_delay:
                continue
            if rule.fires(chance):
                if is_delay:
                    verdict.delay_seconds += rule.action.delay_seconds or 0.0
                else:
                    verdict.action = rule.action
            self._store.write(
                "UPDATE faults SET matched = ?, fired = ? WHERE name = ?",
                rule.matched,
                rule.fired,
                rule.name,
            )
        return verdict
