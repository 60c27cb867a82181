"""What the machine does meanwhile: CPU by process tree, foreign load, the disk's fsync, memory."""

import os
import platform
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1


class Meter:
    """Measure, between start and :meth:`read`, the CPU seconds of process trees and of everybody else."""

    def __init__(self, trees: Mapping[str, Iterable[int]]) -> None:
        self._trees = {name: list(roots) for name, roots in trees.items()}
        self._started = time.monotonic()
        self._busy, self._spent = busy_seconds(), self._all()

    def read(self) -> tuple[dict[str, float], float]:
        """Return the CPU seconds by tree, and the share of the machine that others took."""
        elapsed = time.monotonic() - self._started
        spent = {name: seconds - self._spent[name] for name, seconds in self._all().items()}
        foreign = (busy_seconds() - self._busy - sum(spent.values())) / (elapsed * CORES)
        return spent, max(0.0, foreign)

    def _all(self) -> dict[str, float]:
        processes = _processes()
        return {name: _tree_seconds(processes, roots) for name, roots in self._trees.items()}


def busy_seconds() -> float:
    """Return the CPU seconds that the machine has spent on anything since it started."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(word) for word in words[:8])
    return (user + nice + system + irq + softirq + steal) / TICKS


def resident_kib(pid: int) -> int:
    """Return the resident memory of one process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def fsync_microseconds(folder: Path, times: int = 20) -> float:
    """Return how long the disk takes to keep one page: what a durable commit cannot beat alone."""
    path = folder / "fsync-probe"
    with path.open("wb", buffering=0) as file:
        started = time.perf_counter()
        for _ in range(times):
            os.pwrite(file.fileno(), b"x" * 8192, 0)
            os.fdatasync(file.fileno())
        took = time.perf_counter() - started
    path.unlink()
    return took / times * 1e6


def description() -> list[str]:
    """Describe the machine without naming it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"{CORES} cores, {memory:.0f} GiB of memory, {platform.system()} on {platform.machine()}",
        f"Python {platform.python_version()}",
    ]


def _processes() -> dict[int, tuple[int, float]]:
    """Return ``{pid: (parent, CPU seconds)}``; those of children that have ended count as their parent's."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            found[int(entry.name)] = int(words[1]), sum(int(word) for word in words[11:15]) / TICKS
    return found


def _tree_seconds(processes: dict[int, tuple[int, float]], roots: Iterable[int]) -> float:
    tree = set(roots)
    grown = True
    while grown:
        children = {pid for pid, (parent, _) in processes.items() if parent in tree and pid not in tree}
        tree |= children
        grown = bool(children)
    return sum(processes[pid][1] for pid in tree if pid in processes)
