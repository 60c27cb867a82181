"""Check requirements/*.txt: all that pyproject.toml asks for, each pin with a hash, no address anywhere."""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    base, groups = project["project"]["dependencies"], project["dependency-groups"]
    problems = [
        *check("base", base),
        *check("dev", base + groups["dev"]),
        *check("frameworks", groups["frameworks"]),
        *check("crewai", groups["crewai"]),
        *check("uv", groups["installer"]),
    ]
    print("\n".join(problems) or "requirements/*.txt: complete and hashed")
    return 1 if problems else 0


def check(name: str, asked: list[str]) -> Iterator[str]:
    """Yield what is wrong with the lock called *name*, which has to fulfil *asked*."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    where = f"requirements/{name}.txt"
    if "://" in text:
        yield f"{where} names an address; run make lock without a registry in its options"
    locked: dict[str, list[Version]] = {}
    for entry in re.split(r"\n(?=\S)", text.strip()):
        pin = re.match(r"([\w.-]+)==(\S+)", entry)
        if not pin or "--hash=sha256:" not in entry:
            yield f"{where}: no pinned version or no hash in {entry.splitlines()[0]!r}"
            continue
        locked.setdefault(canonicalize_name(pin[1]), []).append(Version(pin[2]))
    for requirement in map(Requirement, asked):
        versions = locked.get(canonicalize_name(requirement.name), [])
        if not versions or not all(version in requirement.specifier for version in versions):
            yield f"{where} does not fulfil {requirement}; run make lock"


if __name__ == "__main__":
    sys.exit(main())
