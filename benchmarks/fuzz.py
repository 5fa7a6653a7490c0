"""Coverage-guided fuzzing of the checker and of every codemod, with atheris.

    python benchmarks/fuzz.py [--seconds N] [--targets NAME ...] [--keep FOLDER] [--output FILE]

Each target runs in a process of its own for its share of the seconds. A text that breaks what must hold
(`tests/fuzz/oracles.py`) is written to FOLDER/TARGET/, once per place in the code, and the run goes on. Exits with 1
where anything broke. Prints JSON: executions, coverage and what broke, per target. Inputs that reached new code stay in
FOLDER, so that a later run goes on from there.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("bytes", "check-grammar", "check-examples", "fix-grammar", "fix-examples", "ignore-files", "notebook")
# A program of 120 bytes takes some 10 ms alone, and a hundred times that when instrumented on a busy machine.
LIMITS = ("-timeout=180", "-report_slow_units=180", "-rss_limit_mb=2048", "-max_len=160", "-print_final_stats=1")


def target_of(name: str) -> tuple[Callable[[bytes], str], Callable[[str], None]]:
    """How bytes become a text, and what must hold of it."""
    from tests.fuzz import oracles, programs

    def latin(data: bytes) -> str:
        return data.decode("latin-1")

    return {
        "bytes": (latin, lambda text: oracles.bytes_are_checked(b"import torch.cuda.amp\n" + text.encode("latin-1"))),
        "check-grammar": (programs.program, oracles.text_is_checked),
        "check-examples": (programs.spliced, oracles.text_is_checked),
        "fix-grammar": (programs.program, oracles.text_is_fixed),
        "fix-examples": (programs.spliced, oracles.text_is_fixed),
        "ignore-files": (latin, oracles.ignore_file_is_read),
        "notebook": (programs.notebook, oracles.notebook_is_checked),
    }[name]


def place(error: BaseException) -> str:
    """What broke and where in our code, as a file name."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "ampfix" in frame.filename]
    last = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    said = re.sub(r"\W+", "-", str(error))[:40].strip("-") if isinstance(error, AssertionError) else last.name
    return f"{type(error).__name__}-{Path(last.filename).stem}-{said}"


def child(name: str, folder: Path, seconds: int) -> None:
    """Fuzz one target for so long. Does not return."""
    import atheris

    with atheris.instrument_imports(include=["ampfix"]):
        make, holds = target_of(name)
    broken, corpus = folder / name / "broken", folder / name / "corpus"
    broken.mkdir(parents=True, exist_ok=True)
    corpus.mkdir(parents=True, exist_ok=True)

    def one(data: bytes) -> None:
        text = make(data)
        try:
            holds(text)
        except Exception as error:
            path = broken / f"{place(error)}.txt"
            if not path.exists() or len(path.read_bytes()) > len(text.encode()):
                path.write_bytes(text.encode())
                path.with_suffix(".trace").write_text("".join(traceback.format_exception(error)), encoding="utf-8")

    arguments = [sys.argv[0], *LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix={broken}/", str(corpus)]
    atheris.Setup(arguments, one)
    atheris.Fuzz()


def fuzz(name: str, folder: Path, seconds: int) -> dict[str, object]:
    """One target in a process of its own: its figures, and the files of what broke."""
    command = [sys.executable, __file__, "--child", name, "--keep", str(folder), "--seconds", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = done.stderr + done.stdout
    runs = re.search(r"number_of_executed_units: *(\d+)", said)
    covered = re.findall(r"cov: (\d+) ft: (\d+)", said)
    broken = sorted(path for path in (folder / name / "broken").glob("*") if path.suffix != ".trace")
    result: dict[str, object] = {
        "seconds": seconds,
        "executions": int(runs[1]) if runs else 0,
        "edges": int(covered[-1][0]) if covered else 0,
        "broken": [path.name for path in broken],
    }
    if runs is None:
        result["died"] = said[-400:]
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--targets", nargs="*", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--keep", type=Path, default=Path("fuzz-output"), help="inputs and what broke")
    parser.add_argument("--output", type=Path, help="the figures as JSON")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    folder = args.keep.resolve()
    if args.child:
        child(args.child, folder, args.seconds)
    share = max(1, args.seconds // len(args.targets))
    result = {}
    for name in args.targets:
        result[name] = fuzz(name, folder, share)
        print(name, json.dumps(result[name]), file=sys.stderr, flush=True)
    shown = json.dumps(result, indent=2)
    print(shown)
    if args.output:
        args.output.write_text(shown + "\n", encoding="utf-8")
    return int(any(each["broken"] or "died" in each for each in result.values()))


if __name__ == "__main__":
    sys.exit(main())
