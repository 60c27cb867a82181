"""Write docs/benchmarks.md and the plot of growth beside it."""

import datetime as dt
from pathlib import Path

import matplotlib as mpl

from benchmarks import machine
from benchmarks import rounds as r
from benchmarks.report import Report, cost
from benchmarks.scale import Scale

DOCS = Path(__file__).resolve().parent.parent / "docs"
PLOT = "benchmarks.png"

HEAD = """# Benchmarks

`make bench` measures the server beside small references and writes this page; `make bench ARGS=--quick`
takes three minutes and fails where a ratio is far off. Figures differ from machine to machine and from hour
to hour: each contender is measured in turn ({rounds} rounds of {seconds:g} s), and what counts is the ratio
inside a round, given as the median with the least and the greatest.

Measured on {date}: {machine}.

- **server** is this server: two gunicorn workers with eight threads each for REST, one process for sockets
  and waits, PostgreSQL with durable commits, Redis for nudges. Every call is whole: key, limits, schema,
  idempotency key, item, event in its stream, one transaction.
- **FastAPI** is a plain program with asyncpg in two processes, without keys and limits: two inserts to
  create, one select to read. **pgbench** is the database alone. **bare uvloop** only writes encoded frames to
  sockets. **FastAPI + sqlite3** opens a connection a request, as tutorials do.
- The load comes from the same machine and shares its cores. *CPU-µs* is what one request cost each part; it
  drifts least. *Others* is the greatest share of the machine that other programs had during a sample.
- After each sample of asking, every acknowledged row is there and none stands alone.
"""


def write(report: Report, scale: Scale) -> None:
    """Write the page and its plot."""
    DOCS.mkdir(exist_ok=True)
    head = HEAD.format(
        rounds=scale.rounds,
        seconds=scale.seconds,
        date=dt.datetime.now(dt.UTC).date(),
        machine=", ".join([*machine.description(), *report.versions]),
    )
    parts = [head, _table(report), _costs(report)]
    if report.growth:
        plot(report.growth, DOCS / PLOT)
        parts.append(
            "## Growth\n\n"
            f"![Requests per second by the rows in the table]({PLOT})\n\n{_growth(report.growth)}"
        )
    parts.append(
        "## Not measured here\n\nEvents after a cursor among ten million rows; decided items from a cache.\n"
    )
    (DOCS / "benchmarks.md").write_text("\n".join(parts))


def _table(report: Report) -> str:
    lines = [
        "## Results\n",
        "| work | unit | server | references | ratio: median (least to greatest) | target | |",
        "|---|---|---:|---|---:|---|---|",
    ]
    for row in report.rows:
        references = ", ".join(f"{name} {row.number(name)}" for name in row.references)
        targets = "; ".join(check.text + ("" if check.reached else " ✗") for check in row.first)
        ratio = row.ratio
        lines.append(
            f"| {row.work} | {row.unit} | {row.number(row.ours)} | {references} |"
            f" {ratio.median:.2f} ({ratio.least:.2f} to {ratio.most:.2f}) | {targets} | {row.verdict} |"
        )
    return "\n".join(lines) + "\n"


def _costs(report: Report) -> str:
    lines = ["## What it costs\n", "| work | CPU-µs | others | |", "|---|---|---:|---|"]
    lines += [
        f"| {row.work} | {cost(row)} | {r.foreign(row.rounds):.0%} | {'; '.join(row.details)} |"
        for row in report.rows
        if cost(row) or row.details
    ]
    return "\n".join(lines) + "\n"


def _growth(growth: dict[str, dict[int, float]]) -> str:
    sizes = sorted({size for values in growth.values() for size in values})
    lines = [
        f"| requests/s at rows | {' | '.join(f'{size:,}' for size in sizes)} |",
        "|---|" + "---:|" * len(sizes),
    ]
    lines += [
        f"| {what} | {' | '.join(f'{values[size]:,.0f}' for size in sizes)} |"
        for what, values in growth.items()
    ]
    return "\n".join(lines) + "\n"


def plot(growth: dict[str, dict[int, float]], path: Path) -> None:
    """Draw requests per second by the rows in the table."""
    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415 - only once the backend is chosen

    figure, axes = pyplot.subplots(figsize=(6, 3.2), dpi=80)
    for what, values in growth.items():
        axes.plot(list(values), list(values.values()), marker="o", label=what)
    axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="requests/s")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
