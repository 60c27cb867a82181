"""Rows of the table, held against their targets; the document and its plot."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt

from benchmarks import rounds as r
from benchmarks.rounds import Rounds, Spread

DOCS = Path(__file__).parent.parent / "docs"


@dataclass(frozen=True, slots=True)
class Target:
    """Say what a ratio must reach: *at_least* first, *then* later; *floor* is where ``--quick`` fails."""

    at_least: float
    then: float
    floor: float
    then_against: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one measure: ours beside its reference."""

    work: str
    unit: str
    rounds: Rounds
    ours: str
    reference: str
    target: Target | None = None
    note: str = ""

    @property
    def ratio(self) -> Spread:
        return r.ratio(self.rounds, self.ours, self.reference)

    @property
    def reached(self) -> bool:
        return self.target is None or self.ratio.median >= self.target.at_least

    @property
    def far_off(self) -> bool:
        return self.target is not None and self.ratio.median < self.target.floor

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        then = r.ratio(self.rounds, self.ours, self.target.then_against or self.reference).median
        return "then" if then >= self.target.then else "first" if self.reached else "**missed**"


@dataclass(slots=True)
class Report:
    """Collect rows, and write the document."""

    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(line(row), flush=True)

    def write(self, machine: str) -> None:
        """Write docs/benchmarks.md and its plot."""
        table = [
            f"| {row.work} | {_number(r.values(row.rounds, row.ours).median)} | "
            f"{_number(r.values(row.rounds, row.reference).median)} ({row.reference}) | "
            f"{row.ratio.median:.2f} ({row.ratio.least:.2f} to {row.ratio.most:.2f}) | "
            f"{row.target.at_least if row.target else ''} | {row.verdict} | {row.note} |"
            for row in self.rows
        ]
        today = dt.datetime.now(tz=dt.UTC).date()
        text = HEAD.format(machine=machine, date=today, table="\n".join(table))
        (DOCS / "benchmarks.md").write_text(text)
        self._plot()

    def _plot(self) -> None:
        pages = [row for row in self.rows if row.work.startswith("page of 50 among")]
        sizes = [int(row.work.rpartition(" ")[2].replace(",", "")) for row in pages]
        figure, axes = plt.subplots(figsize=(6, 3), dpi=90, layout="constrained")
        for name in ("server", "server, deep", "FastAPI"):
            axes.plot(sizes, [r.values(row.rounds, name).median for row in pages], marker="o", label=name)
        axes.set(xscale="log", xlabel="rows in the table", ylabel="pages of 50 a second", ylim=(0, None))
        axes.legend(frameon=False)
        figure.savefig(DOCS / "benchmarks.png")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


HEAD = """# Benchmarks

Written by `python -m benchmarks` on {date}.
{machine}

The load generator runs on the same cores, so absolute figures are low and drift; the ratio is taken inside
each round against the reference that ran in the same round (median, least to most). *first* says that the
first target is reached, *then* the second.

| work | server | reference | ratio | target | reached | |
| --- | --- | --- | --- | --- | --- | --- |
{table}

Every figure of the server is of the whole public endpoint: key, limits, idempotency, item, event and stream
in one durable transaction. The references do less on purpose: FastAPI with asyncpg makes two plain inserts
and knows no keys; pgbench is the bare database; the bare uvloop server writes one frame to open sockets.

![Pages of 50 a second, by the rows in the table](benchmarks.png)
"""


def line(row: Row) -> str:
    s = row.ratio
    cost = " / ".join(
        f"{name}: "
        + " ".join(f"{tree} {r.cost(row.rounds, name, tree):.0f}" for tree in ("app", "db", "store", "load"))
        for name in (row.ours, row.reference)
    )
    values = "  ".join(f"{name} {r.values(row.rounds, name).median:,.0f}" for name in row.rounds[0])
    return (
        f"{row.work}: {values}  ratio {s.median:.2f} ({s.least:.2f}-{s.most:.2f}) {row.verdict}"
        f"  us/req {cost}  foreign {r.foreign(row.rounds):.0%}"
    )
