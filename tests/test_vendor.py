"""What other people wrote for browsers lies here unchanged, each with its licence."""

import hashlib
from pathlib import Path

VENDOR = Path(__file__).parent.parent / "static/vendor"
SUMS = dict(line.split("  ")[::-1] for line in (VENDOR / "SHA256SUMS").read_text().splitlines())


def test_every_file_is_listed_with_its_sum() -> None:
    """`cd static/vendor && sha256sum */* > SHA256SUMS` writes the list."""
    files = [path for path in VENDOR.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]

    found = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }

    assert found == SUMS


def test_every_package_names_its_version_and_has_its_licence() -> None:
    packages = [path for path in VENDOR.iterdir() if path.is_dir()]

    assert packages
    for package in packages:
        assert package.name.rpartition("-")[2][:1].isdigit(), package.name
        assert [path for path in package.iterdir() if path.name.upper().startswith("LICENSE")], package.name
