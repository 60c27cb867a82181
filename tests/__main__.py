"""Run the suite on SQLite and on real PostgreSQL and Redis: ``python -m tests [pytest options]``.

What does not notice the database is tried beside one of them. The drills, which mostly wait for processes,
are a part of their own. Parts run at the same time where there are two processors; what they say is printed
one after another.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from xml.etree import ElementTree

# What pages look like, and the client against its own loopback, has nothing to do with the database.
OWN = "--ignore=tests/frameworks"
PARTS = {
    "SQLite": ("sqlite", [OWN, "-m", "not drill", "--deselect=client/tests"]),
    "PostgreSQL and Redis": ("production", [OWN, "-m", "not drill and not browser and not sqlite"]),
    "Drills on SQLite": ("sqlite", [OWN, "-m", "drill"]),
    "Drills on PostgreSQL and Redis": ("production", [OWN, "-m", "drill"]),
    "Frameworks": ("sqlite", ["tests/frameworks"]),
}
ORDER = ("SQLite", "PostgreSQL and Redis", "Drills on PostgreSQL and Redis", "Drills on SQLite", "Frameworks")
AT_ONCE = 3
NOTHING_CHOSEN = 5
STOPPED = {2, 128 + signal.SIGINT, 128 + signal.SIGTERM}  # by ctrl-C or a signal: nothing more then


class Part:
    """One run of pytest, its output in a file."""

    process: "subprocess.Popen[bytes] | None" = None
    code: int | None = None

    def __init__(self, title: str, options: list[str], folder: str) -> None:
        self.title = title
        self.backend, own = PARTS[title]
        self.report, self.output = Path(folder, f"{title}.xml"), Path(folder, f"{title}.txt")
        self.command = [sys.executable, "-u", "-m", "pytest", *own, *options, f"--junit-xml={self.report}"]
        self.output.touch()

    def run(self) -> int:
        """Run it to its end; return its exit code."""
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, "HITL_TEST_BACKEND": self.backend},
            stdout=self.output.open("wb"),
            stderr=subprocess.STDOUT,
        )
        self.code = self.process.wait()
        return self.code

    def follow(self) -> None:
        """Print what it says until it ends."""
        with self.output.open("rb") as output:
            while True:
                try:
                    ended = self.code is not None
                    sys.stdout.buffer.write(output.read())
                    sys.stdout.flush()
                    if ended:
                        return
                    time.sleep(0.5)
                except KeyboardInterrupt:  # the terminal has told pytest as well: let it clean up
                    continue

    def stop(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def summary(self) -> str:
        if not self.report.exists():
            return "not finished"
        suite = ElementTree.parse(self.report).getroot()[0].attrib
        failed = int(suite["failures"]) + int(suite["errors"])
        passed = int(suite["tests"]) - failed - int(suite["skipped"])
        return f"{passed} passed, {failed} failed, {suite['skipped']} skipped in {float(suite['time']):.0f} s"


def main(options: list[str]) -> int:
    at_once = AT_ONCE if (os.cpu_count() or 1) > 1 else 1
    with tempfile.TemporaryDirectory() as folder:
        parts = {title: Part(title, options, folder) for title in PARTS}
        stopped = threading.Event()

        def pass_on(number: int, frame: FrameType | None) -> None:
            stopped.set()
            for part in parts.values():
                part.stop(number)

        signal.signal(signal.SIGTERM, pass_on)
        # A shell in the background has its children ignore Ctrl+C; some tests press it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        waiting = iter([parts[title] for title in ORDER])
        threads = [threading.Thread(target=_run, args=[waiting, stopped]) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for number, part in enumerate(parts.values(), 1):
            say(f"==> tests {number}/{len(parts)}: {part.title}")
            part.follow()
        for thread in threads:
            thread.join()
        return report(list(parts.values()))


def _run(waiting: Iterator[Part], stopped: threading.Event) -> None:
    """Run one part after another that still waits."""
    for part in waiting:
        if stopped.is_set():
            part.code = 2
        elif part.run() in STOPPED:
            stopped.set()


def report(parts: list[Part]) -> int:
    """Say how it went; return the exit code of it all."""
    tried = [part for part in parts if part.code != NOTHING_CHOSEN]
    say(
        "==> tests in all",
        *(f"{'ok    ' if part.code == 0 else 'FAILED'}  {part.title}: {part.summary()}" for part in tried),
    )
    codes = [part.code or 0 for part in tried] or [NOTHING_CHOSEN]
    return next((code for code in codes if code), 0)


def say(*lines: str) -> None:
    print("", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
