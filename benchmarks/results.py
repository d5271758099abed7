"""What a measurement found, and where it is written down."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.charts import Range, chart

_FOLDER = Path(__file__).parent
RESULTS = _FOLDER / "results.json"
PAGE = _FOLDER.parent / "docs" / "performance.md"
PLOTS = PAGE.with_suffix("")

_HEAD = """# Performance

Ratios, each measured in one run on one machine against a named peer or limit: absolute rates differ from machine to
machine, ratios hardly do. `make bench` measures again and rewrites this page (`make bench ROWS=10000000` with ten
million rows, `make bench ONLY=log_write,log_query` some parts of it). Median, least and most of paired runs in turns.
What a run of a page takes is the quick fifth of 60 readings, each in turn with one by key, by the owner of the
database (without row-level security): on a busy machine the slower ones tell of the machine. The log rests in a
PostgreSQL with 1 GB of shared buffers. Parts may be of several runs of the bench; absolute rates below are of a machine
that others used too.
"""
_COLUMNS = ("what", "median", "min", "max", "goal", "figures", "why not")


@dataclass(frozen=True, slots=True)
class Result:
    """One ratio, the median of paired runs. Without a goal it is for information; `note` says why a goal is missed."""

    name: str
    ratio: float
    goal: float | None
    figures: str
    note: str = ""
    low: float | None = None
    high: float | None = None
    is_limit: bool = False  # the goal is the most, not the least

    @property
    def ok(self) -> bool:
        """Whether the goal is met; a result without a goal always is."""
        if self.goal is None:
            return True
        return self.ratio <= self.goal if self.is_limit else self.ratio >= self.goal

    @property
    def aim(self) -> str:
        """The goal, for people."""
        return "–" if self.goal is None else f"{'≤' if self.is_limit else '≥'} {self.goal:g}"

    @property
    def cells(self) -> tuple[str, ...]:
        """As the table has it."""
        least, most = ("–" if value is None else f"{value:.2f}" for value in (self.low, self.high))
        return (self.name, f"{self.ratio:.2f}", least, most, self.aim, self.figures, self.note)


def of_runs(
    name: str, ratios: Sequence[float], goal: float | None, figures: str, *, is_limit: bool = False, note: str = ""
) -> Result:
    """A result of several runs."""
    told = f"{figures}; {len(ratios)} paired runs"
    found = Result(name, median(ratios), goal, told, note, min(ratios), max(ratios), is_limit)
    return replace(found, note="") if found.ok else found


@dataclass(frozen=True, slots=True)
class Part:
    """What one module measured: its title, results, and plots of its own by file name."""

    title: str
    results: Sequence[Result]
    plots: dict[str, str]


def publish(name: str, part: Part) -> bool:
    """Print the table, write results.json, plots and page; whether every goal is met or has a note that says why not.

    Other parts stay as they were measured last.
    """
    kept: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    PLOTS.mkdir(exist_ok=True)
    results = [{**asdict(one), "ok": one.ok} for one in part.results]
    kept[name] = {"title": part.title, "plots": [*part.plots], "results": results}
    for file, svg in part.plots.items():
        (PLOTS / file).write_text(svg, encoding="utf-8")
    RESULTS.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(_page(kept), encoding="utf-8")
    _print(part)
    return all(one.ok or one.note for one in part.results)


def _page(kept: dict[str, Any]) -> str:
    page = _HEAD
    shown: list[Range] = []
    for part in kept.values():
        results = [Result(**{key: value for key, value in one.items() if key != "ok"}) for one in part["results"]]
        page += f"\n## {part['title']}\n\n| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}\n"
        page += "".join(f"| {' | '.join(one.cells)} |\n" for one in results)
        page += "".join(f"\n![{part['title']}](performance/{file})\n" for file in part["plots"])
        shown += [_share(one) for one in results if one.goal is not None]
    plot = chart("Each ratio as a share of its goal; right of the line it is met", shown, mark=1.0)
    (PLOTS / "goals.svg").write_text(plot, encoding="utf-8")
    return page + "\n## All goals\n\n![How far each ratio is from its goal](performance/goals.svg)\n"


def _share(result: Result) -> Range:
    assert result.goal is not None
    values = (result.low or result.ratio, result.ratio, result.high or result.ratio)
    shares = sorted(result.goal / value if result.is_limit else value / result.goal for value in values)
    return Range(result.name, *shares)


def _print(part: Part) -> None:
    table = Table(title=part.title, title_justify="left")
    for heading in _COLUMNS:
        table.add_column(heading)
    for one in part.results:
        table.add_row(*one.cells)
    Console(width=180).print(table)
