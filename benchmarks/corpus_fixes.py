"""Whether every repair of real code holds: made in a copy, checked again, made again.

    python benchmarks/corpus_fixes.py FOLDER... [--output FILE]

Each FOLDER is copied and `ampfix fix --unsafe-fixes` rewrites the copy. Afterwards every changed file must be valid
Python with the comments and line ends it had, no file may have more findings of any rule than before, and a second
`fix` must change nothing. Prints JSON per folder: what was found and changed, and what broke. Exits with 1 where
anything broke. Nothing of the code is run.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPTIONS = ("--no-cache", "--isolated", "--no-respect-gitignore")


def _ampfix(folder: Path, command: str, *options: str) -> str:
    """What a command prints about a folder; files that are not valid Python are passed by."""
    call = [sys.executable, "-m", "ampfix", command, *OPTIONS, *options, "."]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 1) and "is not valid Python" not in done.stderr:
        raise SystemExit(f"ampfix {command} ended with {done.returncode}: {done.stderr[-400:]}")
    return done.stdout


def _findings(folder: Path) -> Counter[tuple[str, str]]:
    """How often each rule speaks in each file."""
    found = json.loads(_ampfix(folder, "check", "--output-format", "json"))["findings"]
    return Counter((finding["path"], finding["code"]) for finding in found)


def _texts(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py") if path.is_file()}


def _comments(text: bytes) -> Counter[str]:
    tokens = tokenize.tokenize(io.BytesIO(text).readline)
    return Counter(token.string for token in tokens if token.type == tokenize.COMMENT)


def _broken(before: bytes, after: bytes) -> Iterator[str]:
    """What a repair did to a file that it must not."""
    try:
        ast.parse(after)
    except SyntaxError as error:
        yield f"is not valid Python: {error.msg}"
        return
    if _comments(before) - _comments(after):
        yield "has lost a comment"
    if before.count(b"\n") == before.count(b"\r\n") and after.count(b"\n") != after.count(b"\r\n"):
        yield "has other line ends"


def measure(folder: Path) -> dict[str, Any]:
    """Repair a copy of a folder; what changed, and what broke."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(folder, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        texts, found = _texts(copy), _findings(copy)
        _ampfix(copy, "fix", "--unsafe-fixes")
        once, left = _texts(copy), _findings(copy)
        _ampfix(copy, "fix", "--unsafe-fixes")
        twice = _texts(copy)
    changed = [path for path, text in texts.items() if once[path] != text]
    broken = [f"{path} {what}" for path in changed for what in _broken(texts[path], once[path])]
    broken += [f"{path} has a new finding of {code}" for path, code in left - found]
    broken += [f"{path} is changed by a second fix" for path, text in once.items() if twice[path] != text]
    return {
        "files": len(texts), "findings": found.total(), "findings_left": left.total(),
        "files_changed": len(changed), "broken": sorted(broken),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--output", type=Path, help="the figures as JSON")
    args = parser.parse_args()
    result = {"/".join(folder.resolve().parts[-2:]): measure(folder) for folder in args.folders}
    shown = json.dumps(result, indent=1) + "\n"
    print(shown, end="")
    if args.output:
        args.output.write_text(shown, encoding="utf-8")
    return int(any(each["broken"] for each in result.values()))


if __name__ == "__main__":
    sys.exit(main())
