"""Tidy a folder, with a person's leave: delete duplicate and stale files, each only after it was approved.

    HITL_API_KEY=hitl_… python examples/file_janitor.py FOLDER [--days 90]
    HITL_API_KEY=hitl_… python examples/file_janitor.py /tmp/try-me --make-sample

Every deletion is a question in the admin. Approve it and the file goes; edit the path and that file goes
instead, as long as it lies in the folder; reject it or let it expire and the file stays. Stop the janitor
whenever you like: run again, it finds its questions, and what was decided meanwhile, and carries on. A file
that somebody said no to is not asked about again in the same session.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import logging
import os
import stat
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hitl_client import HITL, Cancelled, Decision, Expired, HITLError, InterruptSignal, Rejected

DAY = 86_400
OPEN_AT_ONCE = 200
ARGS_SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string", "minLength": 1, "title": "File to delete"}},
    "required": ["path"],
    "additionalProperties": False,
}


class Refused(Exception):
    """What was approved must not, or can no longer, be deleted."""


@dataclass(frozen=True)
class Suspect:
    """A file that may have to go, as it was when it was looked at."""

    path: Path
    size: int
    modified: float
    changed_ns: int
    sha256: str
    original: Path | None
    why: str

    @property
    def facts(self) -> dict[str, Any]:
        """Return what a person should know before saying yes."""
        modified = datetime.fromtimestamp(self.modified, UTC)
        return {
            "reason": self.why,
            "size": self.size,
            "last_modified": modified.isoformat(timespec="seconds"),
            "duplicate_of": str(self.original) if self.original else None,
            "sha256": self.sha256,
        }

    def key(self, session: str, attempt: int) -> str:
        """Name the question, alike in every run until the file is another one.

        The time of the last change of its directory data (ctime) is part of it: a file that was deleted and
        put back looks the same in all else, and a yes to deleting it must not count twice.
        """
        identity = [session, str(self.path), self.sha256, str(self.changed_ns), str(attempt)]
        return hashlib.sha256("\0".join(identity).encode()).hexdigest()


# -- Looking ------------------------------------------------------------------------------------------


def scan(folder: Path, days: int) -> list[Suspect]:
    """Return the duplicate and the stale files under *folder*, ordered by path.

    Of equal files the oldest counts as the original. Empty files are no duplicates of each other, nor are
    several names of one file.
    """
    found = {path: path.lstat() for path in sorted(walk(folder))}
    say(f"{len(found)} files, {size(sum(entry.st_size for entry in found.values()))}")
    originals = duplicates(found)
    suspects = []
    for path, entry in found.items():
        age = int((time.time() - entry.st_mtime) // DAY)
        why = []
        if path in originals:
            why.append(f"a duplicate of {shown(str(originals[path].relative_to(folder)))}")
        if age >= days:
            why.append(f"unchanged for {age} days")
        if why:
            suspect = Suspect(
                path=path,
                size=entry.st_size,
                modified=entry.st_mtime,
                changed_ns=entry.st_ctime_ns,
                sha256=sha256(path),
                original=originals.get(path),
                why=" and ".join(why),
            )
            suspects.append(suspect)
    return suspects


def walk(folder: Path) -> Iterator[Path]:
    """Yield the regular files under *folder*; pass over hidden ones, links, and what cannot be read."""
    for root, folders, names in os.walk(folder, onerror=lambda error: say(f"Passed over: {error}")):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(root, name)
            if name.startswith(".") or not stat.S_ISREG(path.lstat().st_mode):
                continue
            if os.access(path, os.R_OK) and is_text(str(path)):
                yield path
            else:
                say(f"Passed over: {shown(str(path))} cannot be read, or has a name that is no text")


def duplicates(found: Mapping[Path, os.stat_result]) -> dict[Path, Path]:
    """Return {duplicate: original}."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    one_name_each = {(entry.st_dev, entry.st_ino): path for path, entry in reversed([*found.items()])}
    for path in one_name_each.values():
        by_size[found[path].st_size].append(path)
    by_content: dict[str, list[Path]] = defaultdict(list)
    for length, paths in by_size.items():
        if length and len(paths) > 1:
            for path in paths:
                by_content[sha256(path)].append(path)
    originals: dict[Path, Path] = {}
    for paths in by_content.values():
        original, *others = sorted(paths, key=lambda path: (found[path].st_mtime, len(path.parts), path))
        originals |= dict.fromkeys(others, original)
    return originals


def sha256(path: Path) -> str:
    """Return the hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# -- Asking and doing ---------------------------------------------------------------------------------


class Janitor:
    """Ask about suspects and act on the answers."""

    def __init__(self, hitl: HITL, folder: Path, session: str, expires_in: int | None) -> None:
        self.hitl = hitl
        self.folder = folder
        self.session = session
        self.expires_in = expires_in
        self.freed = 0
        self.tally = Counter[str]()

    def all_at_once(self, suspects: Sequence[Suspect]) -> None:
        """Ask about everything, and act on the decisions as they come."""
        queue, waiting = deque(suspects), dict[str, Suspect]()
        while queue or waiting:
            while queue and len(waiting) < OPEN_AT_ONCE:
                suspect = queue.popleft()
                if question := self.ask(suspect):
                    waiting[question] = suspect
            if waiting:
                self.hitl.wait(next(iter(waiting)), timeout=2)
                undecided = self.hitl.list(session_id=self.session, pending_only=True, limit=200)
                for question in waiting.keys() - {interrupt["id"] for interrupt in undecided}:
                    self.act(waiting.pop(question), self.hitl.wait(question))

    def one_by_one(self, suspects: Sequence[Suspect]) -> None:
        """Ask about one file, wait, act, and go on to the next."""
        for suspect in suspects:
            if question := self.ask(suspect):
                self.act(suspect, self.hitl.wait(question))

    def ask(self, suspect: Suspect) -> str | None:
        """Return the id of the open question about *suspect*; act where it has been decided already.

        A question of an earlier run that expired or was cancelled is asked anew.
        """
        name = self.local(suspect.path)
        for attempt in itertools.count():
            try:
                decision = self.hitl.require_approval(
                    f"Delete {shown(suspect.path.name)[:500]}? It is {suspect.why[:400]}.",
                    suspect.facts,
                    tool_name="delete_file",
                    tool_args={"path": str(suspect.path)},
                    args_schema=ARGS_SCHEMA,
                    session_id=self.session,
                    expires_in=self.expires_in,
                    key=suspect.key(self.session, attempt),
                    mode="raise",
                )
            except InterruptSignal as signal:
                say(f"asked      {name}: {suspect.why}")
                return signal.interrupt_id
            except Rejected as refusal:
                decision = refusal.decision
            except (Expired, Cancelled):
                continue
            self.act(suspect, decision)
            break
        return None

    def act(self, suspect: Suspect, decision: Decision) -> None:
        """Delete what was approved, or say why the file stays."""
        name, outcome = self.local(suspect.path), decision.status
        by = f" by {decision.resolved_by}" if decision.resolved_by else ""
        if decision.approved:
            try:
                path = self.delete(suspect, decision.arguments["path"])
            except (Refused, OSError) as refusal:
                outcome, said = "refused", f"not deleted: {refusal}"
            else:
                outcome, said = "deleted", f"deleted {self.local(path)}, approved{by}"
            self.report(decision.id, said)
            say(f"{outcome:10} {name}: {said}")
        else:
            why = f": {decision.rejection_reason}" if decision.rejection_reason else ""
            say(f"{outcome:10} {name} stays; {outcome}{by}{shown(why)}")
        self.tally[outcome] += 1

    def delete(self, suspect: Suspect, approved: str) -> Path:
        """Delete the file that was approved and return its path."""
        path = self.inside(approved)
        if path == suspect.path:
            if sha256(path) != suspect.sha256:
                raise Refused("it has changed since it was asked about")
            if suspect.original and not is_same(suspect.original, suspect.sha256):
                raise Refused(f"{self.local(suspect.original)}, which it duplicates, is gone or has changed")
        length = path.lstat().st_size
        path.unlink()
        self.freed += length
        return path

    def inside(self, given: str) -> Path:
        """Return the file that an approved path names, absolute or from the folder.

        Raises Refused unless it is a regular file that lies in the folder without a link leading out.
        """
        path = self.folder / given
        try:
            place = path.parent.resolve()
            mode = path.lstat().st_mode if place.is_relative_to(self.folder) else None
        except (OSError, ValueError, RuntimeError):
            raise Refused(f"{shown(given)} is not there") from None
        if mode is None:
            raise Refused(f"{shown(given)} lies outside {shown(str(self.folder))}")
        if not stat.S_ISREG(mode):
            kind = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link"}.get(
                stat.S_IFMT(mode), "special"
            )
            raise Refused(f"{shown(given)} is {kind}, not a file")
        return place / path.name

    def report(self, question: str, said: str) -> None:
        """Tell the operator what became of it."""
        try:
            self.hitl.comment(question, said)
        except HITLError as error:
            say(f"(the operator could not be told: {error})")

    def local(self, path: Path) -> str:
        """Return a path as it is to be shown, seen from the folder."""
        return shown(str(path.relative_to(self.folder)))


# -- The command --------------------------------------------------------------------------------------


def say(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)


def shown(text: str) -> str:
    """Write control characters and the like visibly: file names may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_text(name: str) -> bool:
    """Tell a name from raw bytes that stand for none."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def is_same(path: Path, digest: str) -> bool:
    """Tell whether a file is still there, no link in its place, with this content."""
    return path.is_file() and not path.is_symlink() and sha256(path) == digest


def size(length: float) -> str:
    """Write a number of bytes for people."""
    for unit in ("B", "kB", "MB"):
        if length < 1000:
            return f"{round(length, 1):g} {unit}"
        length /= 1000
    return f"{round(length, 1):g} GB"


def make_sample(folder: Path) -> None:
    """Fill a new or empty folder with two duplicates, a stale file and some that are neither."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        say(f"{shown(str(folder))} is not empty: no sample is made")
        return
    files = {
        "report.txt": ("Figures of the third quarter\n" * 40, 3),
        "report (copy).txt": ("Figures of the third quarter\n" * 40, 1),
        "photos/beach.txt": ("pretend this is a picture\n" * 900, 20),
        "photos/backup/beach.txt": ("pretend this is a picture\n" * 900, 10),
        "old/invoice.txt": ("Invoice 17\n", 400),
        "notes.txt": ("Buy milk\n", 0),
    }
    for name, (text, days) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        moment = time.time() - days * DAY
        os.utime(path, (moment, moment))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Delete duplicate and stale files, each only after a person approved it."
    )
    parser.add_argument("folder", type=Path, help="the folder to tidy")
    parser.add_argument(
        "--days", type=int, default=90, help="a file is stale when unchanged this long (%(default)s)"
    )
    parser.add_argument("--expires-in", type=int, metavar="SECONDS", help="how long a question stays open")
    parser.add_argument("--session", help="remember decisions under this name (default: one for each folder)")
    parser.add_argument(
        "--one-by-one", action="store_true", help="ask the next question after the last is decided"
    )
    parser.add_argument(
        "--make-sample", action="store_true", help="fill the folder with a small sample if it is empty"
    )
    parser.add_argument("--url", help="the server (default: HITL_URL, else http://127.0.0.1:8000)")
    parser.add_argument("--api-key", help="the agent's key (default: HITL_API_KEY)")
    options = parser.parse_args()
    if options.make_sample:
        make_sample(options.folder)
    if not options.folder.is_dir():
        parser.error(f"{shown(str(options.folder))} is not a folder")
    return options


def main() -> int:
    """Return 0 when everything was decided, 1 on an error, 130 when stopped."""
    options = arguments()
    folder = options.folder.resolve()
    session = options.session or f"janitor-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    try:
        hitl = HITL(options.url, options.api_key)
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    with hitl:
        janitor = Janitor(hitl, folder, session, options.expires_in)
        try:
            say(f"Looking through {shown(str(folder))} …")
            suspects = scan(folder, options.days)
            if suspects:
                say(f"{len(suspects)} to ask about. Decide at {hitl.base_url}/admin/ (session {session})")
            (janitor.one_by_one if options.one_by_one else janitor.all_at_once)(suspects)
        except (HITLError, OSError) as error:
            print(f"Error: {error}\nNothing is lost: run this again to carry on.", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            say("\nStopped. Open questions stay open: run this again to carry on.")
            return 130
    kept = ", ".join(f"{count} {outcome}" for outcome, count in janitor.tally.items() if outcome != "deleted")
    say(f"Done: {janitor.tally['deleted']} deleted, {size(janitor.freed)} freed{kept and f'; {kept}'}.")
    return 0


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not know every letter
    sys.exit(main())
