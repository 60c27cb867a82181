"""The command line: take the measures, print the table, write the document."""

import argparse
import resource
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop

from benchmarks import document
from benchmarks.measures import create, embedded, fanout, policies, status, table
from benchmarks.report import Report
from benchmarks.scale import Scale
from benchmarks.stand import Stand, standing

MEASURES: dict[str, Callable[[Stand, Scale, Report], Awaitable[None]]] = {
    "create": create.measure,
    "status": status.measure,
    "policies": policies.measure,
    "fanout": fanout.measure,
    "embedded": embedded.measure,
    "table": table.measure,
}


async def measure(names: list[str], scale: Scale) -> Report:
    """Start the stand and take the measures called *names*."""
    report = Report()
    with standing() as stand:
        await stand.ready()
        report.versions = stand.versions()
        for name in names:
            started = time.monotonic()
            await MEASURES[name](stand, scale, report)
            print(f"--- {name}: {time.monotonic() - started:.0f} s", flush=True)
    return report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds; fail where a ratio is far off")
    parser.add_argument("--rounds", type=int, help="how often each is measured in turn")
    parser.add_argument("--only", choices=MEASURES, action="append", help="one measure, or several")
    asked = parser.parse_args()
    scale = Scale.quick() if asked.quick else Scale.full()
    if asked.rounds:
        scale = scale.with_rounds(asked.rounds)
    # Thousands of sockets, here and in the servers, which inherit the limit.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))
    report = uvloop.run(measure(asked.only or list(MEASURES), scale))
    if asked.quick:
        for what in report.far_off:
            print(f"far off: {what}")
        return 1 if report.far_off else 0
    if not asked.only:
        document.write(report, scale)
    return 0


if __name__ == "__main__":
    sys.exit(main())
