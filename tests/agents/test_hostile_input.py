"""Whatever stands in a predictions file or an agent prints: each answer gets its verdict, and the rest is graded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCENARIOS = ROOT / "golden" / "scenarios"
TOY = SCENARIOS / "toy"
GOLD = (TOY / "fixed.py").read_text(encoding="utf-8")
SECRET = "0123456789abcdef"


def diff(path: str, header: str = "") -> str:
    return f"{header}--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-import os\n+import sys\n"


def link(path: str) -> str:
    head = f"diff --git a/{path} b/{path}\nnew file mode 120000\n--- /dev/null\n+++ b/{path}\n"
    return f"{head}@@ -0,0 +1 @@\n+/etc/passwd\n"


ANSWERS: dict[str, tuple[str, str]] = {
    "plain": (GOLD, "pass"),
    "CRLF": (GOLD.replace("\n", "\r\n"), "pass"),
    "old Mac line ends": (GOLD.replace("\n", "\r"), "pass"),
    "byte order mark": (f"\ufeff{GOLD}", "pass"),
    "another language": (f"Die Gradienten sind skaliert: 梯度仍被缩放 😀\n```python\n{GOLD}```\nГотово.\n", "pass"),
    "identifiers of another script": (f"{GOLD}\nβήτα = 'ж'\n", "pass"),
    "path traversal": (diff("../../task.py"), "path_not_allowed"),
    "absolute path": (diff("/etc/passwd").replace("a//", "/").replace("b//", "/"), "path_not_allowed"),
    "drive letter": (diff("C:\\loop.py").replace("a/", "").replace("b/", ""), "path_not_allowed"),
    "symbolic link": (link("loop.py"), "path_not_allowed"),
    "traversal in JSON": (json.dumps({"files": {"../task.py": GOLD}}), "path_not_allowed"),
    "absolute path in JSON": (json.dumps({"files": {"/tmp/loop.py": GOLD}}), "path_not_allowed"),
    "traversal in a block's title": (f"```python title=../../loop.py\n{GOLD}```\n", "path_not_allowed"),
    "binary patch": ("GIT binary patch\nliteral 3\n", "no_code"),
    "control characters": ("\x00\x01\x02\x1b[2J" * 20, "no_code"),
    "lone surrogate": (GOLD + "# \ud800\n", "not_utf8"),
    "null in code": (f"```python\n{GOLD}\0\n```\n", "syntax_error"),
    "deep nesting": ("```python\n" + "(" * 5000 + "\n```\n", "syntax_error"),
    "empty": ("", "empty"),
}  # fmt: skip


def graded(answers: Path, out: Path, *options: str) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "ampfix", "grade", str(answers), "--out", str(out), "--secret", SECRET]
    done = subprocess.run(
        [*command, "--scenarios-dir", str(SCENARIOS), *options], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    found = [json.loads(line)["verdict"] for line in (out / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all("\n" not in each["detail"] and each["detail"].isprintable() for each in found)
    return found


def why(verdict: dict[str, object]) -> str:
    return str(verdict["reason"] or verdict["status"])


def test_each_line_of_a_predictions_file_gets_its_verdict(tmp_path: Path) -> None:
    good = {"scenario_id": "toy", "answer": GOLD}
    lines: list[tuple[bytes, str]] = [
        (json.dumps({"scenario_id": "toy", "answer": text, "sample": number}).encode(), expected)
        for number, (text, expected) in enumerate(ANSWERS.values())
    ]
    lines += [
        (b'{"scenario_id": "toy", "answer": "x"', "malformed_line"),
        (b"not JSON at all", "malformed_line"),
        (os.urandom(4096).replace(b"\n", b"").replace(b"\r", b"") or b"\xff", "malformed_line"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "malformed_line"),
        (b"[" * 100_000, "malformed_line"),
        (json.dumps({**good, "sample": 0}).encode(), "duplicate_answer"),
        (json.dumps({**good, "scenario_id": "no-such"}).encode(), "unknown_scenario"),
        (json.dumps({**good, "scenario_id": "../toy"}).encode(), "unknown_scenario"),
        (json.dumps({**good, "scenario_id": "/etc"}).encode(), "unknown_scenario"),
        (b'{"scenario_id": "toy", "answer": "' + b"x" * (50 << 20) + b'"}', "too_large"),
        (json.dumps({**good, "answer": "x" * (2 << 20), "sample": 77}).encode(), "too_large"),
        (json.dumps({**good, "sample": 99}).encode() + b"\r", "pass"),
    ]
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join(line for line, _ in lines) + b"\n")
    found = graded(path, tmp_path / "out")
    names = [*ANSWERS, *(f"line {number}" for number in range(len(lines) - len(ANSWERS)))]
    told = dict(zip(names, map(why, found), strict=True))
    assert told == dict(zip(names, (expected for _, expected in lines), strict=True))
    assert (tmp_path / "out" / "verdicts").is_dir()


AGENT = """\
import fcntl, os, sys
counter = open(sys.argv[1], "a+")
fcntl.flock(counter, fcntl.LOCK_EX)
counter.seek(0)
number = len(counter.read())
counter.write("x")
counter.flush()
given = open(sys.argv[2] + "/" + str(number), "rb").read()
if given == b"LINK":
    os.remove("loop.py")
    os.symlink("/etc/passwd", "loop.py")
elif os.environ["AMPFIX_MODE"] == "workspace":
    open("loop.py", "wb").write(given)
else:
    sys.stdout.buffer.write(given)
"""


def evaluated(folder: Path, mode: str, answers: list[bytes]) -> list[dict[str, object]]:
    (folder / "agent.py").write_text(AGENT)
    (folder / "answers").mkdir()
    for number, answer in enumerate(answers):
        (folder / "answers" / str(number)).write_bytes(answer)
    agent = f"{sys.executable} {folder / 'agent.py'} {folder / 'counter'} {folder / 'answers'}"
    command = [sys.executable, "-m", "ampfix", "eval", "--agent", agent, "--name", "odd", "--mode", mode]
    done = subprocess.run(
        [*command, "--jobs", "1", "--samples", str(len(answers)), "--scenario", "toy", "--out", str(folder / "out"),
         "--scenarios-dir", str(SCENARIOS), "--secret", SECRET],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = (folder / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["verdict"] for line in lines]


def test_each_answer_of_an_agent_gets_its_verdict(tmp_path: Path) -> None:
    texts = {name: each for name, each in ANSWERS.items() if name not in ("lone surrogate", "empty")}
    answers = [(text.encode(), expected) for text, expected in texts.values()]
    answers += [(b"\xff\xfe\x00" * 99, "not_utf8"), (b"x" * (50 << 20), "too_large"), (b"", "empty")]
    found = evaluated(tmp_path, "patch", [raw for raw, _ in answers])
    names = [*texts, "binary", "50 MB", "nothing"]
    assert dict(zip(names, map(why, found), strict=True)) == dict(
        zip(names, (expected for _, expected in answers), strict=True)
    )


def test_each_workspace_of_an_agent_gets_its_verdict(tmp_path: Path) -> None:
    answers = {
        "plain": (GOLD.encode(), "pass"),
        "CRLF": (GOLD.replace("\n", "\r\n").encode(), "pass"),
        "byte order mark": (b"\xef\xbb\xbf" + GOLD.encode(), "pass"),
        "link": (b"LINK", "path_not_allowed"),
        "binary": (b"\x00\xff" * 99, "not_utf8"),
        "50 MB": (b"#" * (50 << 20), "too_large"),
        "no Python": (b"def (:", "syntax_error"),
        "Markdown": (b"I would\n```python\nunscale\n```\n", "syntax_error"),
    }
    found = evaluated(tmp_path, "workspace", [raw for raw, _ in answers.values()])
    assert dict(zip(answers, map(why, found), strict=True)) == {name: each for name, (_, each) in answers.items()}


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"\xef\xbb\xbf\n"])
def test_a_file_without_a_prediction_is_an_error_of_one_line(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(raw)
    done = subprocess.run([sys.executable, "-m", "ampfix", "grade", str(path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "holds no prediction" in done.stderr
