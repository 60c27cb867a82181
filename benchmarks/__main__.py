"""Measure the server beside its references: ``python -m benchmarks [--quick] [--rounds N] [--only NAME]``."""

import argparse
import asyncio
import sys
from dataclasses import replace

import uvloop

from benchmarks.measures import MEASURES
from benchmarks.report import Report
from benchmarks.scale import Scale
from benchmarks.stand import standing


async def main() -> int:
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument(
        "--quick", action="store_true", help="less of everything; fails where a ratio is far off"
    )
    options.add_argument("--write", action="store_true", help="write the document after such a run too")
    options.add_argument("--rounds", type=int, help="rounds of each measure")
    options.add_argument(
        "--only", choices=MEASURES, action="append", help="measure this alone (may be repeated)"
    )
    chosen = options.parse_args()
    scale = Scale.quick() if chosen.quick else Scale.full()
    scale = replace(scale, rounds=chosen.rounds or scale.rounds)
    report = Report()
    with standing() as stand:
        await stand.ready()
        for number, name in enumerate(names := chosen.only or list(MEASURES), 1):
            print(f"==> {number}/{len(names)} {name}", flush=True)
            await MEASURES[name](stand, scale, report)
        machine = stand.description()
    if chosen.write or not (chosen.quick or chosen.only):
        await asyncio.to_thread(report.write, machine)
    far_off = [row.work for row in report.rows if row.far_off]
    if chosen.quick and far_off:
        print("far below the target:", "; ".join(far_off))
        return 1
    return 0


sys.exit(uvloop.run(main()))
