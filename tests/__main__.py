"""Run the suite twice, on SQLite and on real PostgreSQL and Redis: ``python -m tests [pytest options]``."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from xml.etree import ElementTree

RUNS = {"sqlite": "SQLite", "production": "PostgreSQL and Redis"}
STOPPED = {2, 128 + signal.SIGINT, 128 + signal.SIGTERM}  # by ctrl-C or a signal: no second run then


def main(options: list[str]) -> int:
    worst, results = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for step, (backend, title) in enumerate(RUNS.items(), 1):
            say(f"==> tests {step}/{len(RUNS)}: {title}")
            report = Path(folder, f"{backend}.xml")
            code = run_pytest(backend, [*options, f"--junit-xml={report}"])
            worst = worst or code
            results.append(f"{'ok    ' if code == 0 else 'FAILED'}  {title}: {summary(report)}")
            if code in STOPPED:
                break
    say("==> tests in all", *results)
    return worst


def run_pytest(backend: str, options: list[str]) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options], env={**os.environ, "HITL_TEST_BACKEND": backend}
    )

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the terminal has told pytest as well: let it clean up
            continue


def summary(report: Path) -> str:
    if not report.exists():
        return "not finished"
    suite = ElementTree.parse(report).getroot()[0].attrib
    failed = int(suite["failures"]) + int(suite["errors"])
    passed = int(suite["tests"]) - failed - int(suite["skipped"])
    return f"{passed} passed, {failed} failed, {suite['skipped']} skipped in {float(suite['time']):.0f} s"


def say(*lines: str) -> None:
    print("", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
