"""What a measurement found, and where it is written down."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

_FOLDER = Path(__file__).parent
RESULTS = _FOLDER / "results.json"
PAGE = _FOLDER.parent / "docs" / "performance.md"

_HEAD = """# Performance

Ratios, each measured in one run on one machine against a named peer or limit: absolute rates differ from machine to
machine, ratios hardly do. `make bench` measures again and rewrites this page.

| what | ratio | goal | figures | why not |
|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One ratio. Without a goal it is measured for information; `note` says why a goal is missed."""

    name: str
    ratio: float
    goal: float | None
    figures: str
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the goal is met; a result without a goal always is."""
        return self.goal is None or self.ratio >= self.goal


def publish(results: Sequence[Result]) -> bool:
    """Print the table, write results.json and the page; whether every goal is met or has a note that says why not."""
    table = Table(title="Benchmarks", title_justify="left")
    for heading in ("what", "ratio", "goal", "figures", "why not"):
        table.add_column(heading)
    page = _HEAD
    for result in results:
        goal = "–" if result.goal is None else f"≥ {result.goal:g}"
        cells = (result.name, f"{result.ratio:.2f}", goal, result.figures, result.note)
        table.add_row(*cells)
        page += f"| {' | '.join(cells)} |\n"
    Console(width=160).print(table)
    rows = [{**asdict(result), "ratio": round(result.ratio, 3), "ok": result.ok} for result in results]
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(page, encoding="utf-8")
    return all(result.ok or result.note for result in results)
