"""Rows of the table, held against their targets."""

import math
from dataclasses import dataclass, field

from benchmarks import rounds as r
from benchmarks.rounds import Rounds, Spread


@dataclass(frozen=True, slots=True)
class Check:
    """Hold one target: what it says, whether it is reached, and whether it is not even nearly."""

    text: str
    reached: bool
    far_off: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one measure: ours beside its references. ``details`` are texts for the last column."""

    work: str
    unit: str
    rounds: Rounds
    ours: str
    references: tuple[str, ...]
    first: tuple[Check, ...] = ()
    then: tuple[Check, ...] = ()
    details: tuple[str, ...] = ()

    @property
    def ratio(self) -> Spread:
        return r.ratio(self.rounds, self.ours, self.references[0])

    @property
    def verdict(self) -> str:
        if not self.first:
            return ""
        if not all(check.reached for check in self.first):
            return "**missed**"
        return (
            "reached, and the next" if self.then and all(check.reached for check in self.then) else "reached"
        )

    def number(self, name: str) -> str:
        """Write the median of one contender."""
        median = r.values(self.rounds, name).median
        return f"{median:,.2f}" if median < 10 else f"{median:,.0f}"


@dataclass(slots=True)
class Report:
    """Collect rows, what grows with the table, and remarks."""

    rows: list[Row] = field(default_factory=list)
    growth: dict[str, dict[int, float]] = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(line(row), flush=True)

    def grew(self, what: str, size: int, value: float) -> None:
        self.growth.setdefault(what, {})[size] = value

    @property
    def far_off(self) -> list[str]:
        """Name what is so far from its target that noise cannot be the reason."""
        return [f"{row.work}: {check.text}" for row in self.rows for check in row.first if check.far_off]


def at_least(rounds: Rounds, ours: str, reference: str, wanted: float, floor: float = 0) -> Check:
    """Check that *ours* is *wanted* times *reference*; far off is what does not even reach *floor*."""
    median = r.ratio(rounds, ours, reference).median
    return Check(f"≥ {wanted:g} of {reference}", median >= wanted, median < floor)


def at_most(text: str, value: float, limit: float, ceiling: float = math.inf) -> Check:
    """Check that *value* stays within *limit*; far off is what exceeds *ceiling*."""
    return Check(text, value <= limit, value > ceiling)


def cost(row: Row) -> str:
    """Write the CPU-µs of one request, of ours and of the first reference."""

    def of(name: str) -> str:
        parts = [(tree, r.cost(row.rounds, name, tree)) for tree in ("app", "db", "load")]
        return " + ".join(f"{value:,.0f} {tree}" for tree, value in parts if value >= 1)

    both = [(name, of(name)) for name in (row.ours, row.references[0])]
    return "; ".join(f"{name} {text}" for name, text in both if text)


def line(row: Row) -> str:
    """Write a row for the terminal."""
    values = ", ".join(f"{name} {row.number(name)}" for name in (row.ours, *row.references))
    ratio = row.ratio
    parts = [
        f"{row.work} [{row.unit}]: {values}",
        f"ratio {ratio.median:.2f} ({ratio.least:.2f}-{ratio.most:.2f})",
        *row.details,
        row.verdict.strip("*"),
        f"CPU-µs {cost(row)}" if cost(row) else "",
        f"others {r.foreign(row.rounds):.0%}",
    ]
    return " | ".join(part for part in parts if part)
