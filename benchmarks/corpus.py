"""The published packages that ampfix is measured on, unpacked into a folder.

    python benchmarks/corpus.py FOLDER [--sample dev|holdout]

Versions come from tests/data/real/sources.csv. A package that lies in FOLDER already is left as it is.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "tests" / "data" / "real" / "sources.csv"


def packages(sample: str = "dev") -> dict[str, str]:
    """Name -> version of the packages in a sample that mention AMP."""
    with SOURCES.open(encoding="utf-8", newline="") as rows:
        return {
            row["source"]: row["version"]
            for row in csv.DictReader(rows)
            if row["sample"] == sample and row["kind"] == "package" and int(row["amp_files"])
        }


def unpack(name: str, version: str, folder: Path) -> None:
    """Download a package's wheel, or its source archive where it has none, and unpack its Python files.

    Nothing is installed or run. Raises RuntimeError where it cannot be downloaded.
    """
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch]
        tries = (["--only-binary", ":all:"], ["--no-binary", ":all:", "--no-build-isolation"])
        if all(subprocess.run([*pip, *how, f"{name}=={version}"], capture_output=True).returncode for how in tries):
            raise RuntimeError(f"{name} {version} cannot be downloaded")
        for path, data in _members(next(Path(scratch).iterdir())):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """The Python files of a wheel or source archive; none that would leave the folder."""
    if archive.name.endswith((".whl", ".zip")):
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if _wanted(name):
                    yield name, wheel.read(name)
        return
    with tarfile.open(archive) as source:
        for member in source:
            data = source.extractfile(member) if member.isfile() and _wanted(member.name) else None
            if data is not None:
                yield member.name, data.read()


def _wanted(name: str) -> bool:
    return name.endswith(".py") and not name.startswith("/") and ".." not in name.split("/")


def fill(folder: Path, sample: str = "dev") -> list[Path]:
    """The folders of a sample's packages, downloading what is missing."""
    for name, version in packages(sample).items():
        if not (folder / name).is_dir():
            unpack(name, version, folder / name)
    return [folder / name for name in packages(sample)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sample", choices=("dev", "holdout"), default="dev")
    args = parser.parse_args()
    for path in fill(args.folder, args.sample):
        print(path, sum(1 for _ in path.rglob("*.py")))


if __name__ == "__main__":
    main()
