"""Run the suite twice, on SQLite and on real PostgreSQL and Redis: ``python -m tests [pytest options]``.

Browser and client, which do not notice the database, are tried beside SQLite alone.

Both run at the same time where there are two processors; the output of the second follows the first's.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from xml.etree import ElementTree

RUNS = {"sqlite": "SQLite", "production": "PostgreSQL and Redis"}
# What pages look like, and the client against its own loopback, has nothing to do with the database.
ONCE = {"sqlite": [], "production": ["-m", "not browser", "--deselect=client/tests"]}
STOPPED = {2, 128 + signal.SIGINT, 128 + signal.SIGTERM}  # by ctrl-C or a signal: no second run then


class Run:
    """One run of pytest, its output in a file."""

    def __init__(self, backend: str, options: list[str], folder: str) -> None:
        self.title, self.report = RUNS[backend], Path(folder, f"{backend}.xml")
        self.output = Path(folder, f"{backend}.txt")
        command = [
            sys.executable,
            "-u",
            "-m",
            "pytest",
            *ONCE[backend],
            *options,
            f"--junit-xml={self.report}",
        ]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "HITL_TEST_BACKEND": backend},
            stdout=self.output.open("wb"),
            stderr=subprocess.STDOUT,
        )

    def follow(self) -> int:
        """Print what it says until it ends; return its exit code."""
        with self.output.open("rb") as output:
            while True:
                try:
                    code = self.process.poll()
                    sys.stdout.buffer.write(output.read())
                    sys.stdout.flush()
                    if code is not None:
                        return code
                    time.sleep(0.5)
                except KeyboardInterrupt:  # the terminal has told pytest as well: let it clean up
                    continue

    def summary(self) -> str:
        if not self.report.exists():
            return "not finished"
        suite = ElementTree.parse(self.report).getroot()[0].attrib
        failed = int(suite["failures"]) + int(suite["errors"])
        passed = int(suite["tests"]) - failed - int(suite["skipped"])
        return f"{passed} passed, {failed} failed, {suite['skipped']} skipped in {float(suite['time']):.0f} s"


def main(options: list[str]) -> int:
    worst, runs = 0, list[Run]()
    at_once = (os.cpu_count() or 1) > 1

    def pass_on(number: int, frame: FrameType | None) -> None:
        for run in runs:
            run.process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    with tempfile.TemporaryDirectory() as folder:
        results = []
        for step, backend in enumerate(RUNS, 1):
            if not runs or not at_once:
                runs += [Run(each, options, folder) for each in (RUNS if at_once else [backend])]
            run = runs[step - 1]
            say(f"==> tests {step}/{len(RUNS)}: {run.title}")
            code = run.follow()
            worst = worst or code
            results.append(f"{'ok    ' if code == 0 else 'FAILED'}  {run.title}: {run.summary()}")
            if code in STOPPED:
                pass_on(signal.SIGTERM, None)
                break
        for run in runs:
            run.process.wait()
    say("==> tests in all", *results)
    return worst


def say(*lines: str) -> None:
    print("", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
