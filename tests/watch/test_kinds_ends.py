"""Runs that hang and are ended from outside: what was seen until then is on disk, and says how far they came."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ampfix.watch import log

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """\
import sys, time
import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
model = nn.Linear(8, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for step in range(20):
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.float16):
        loss = model(torch.randn(4, 8) * (1e6 if "overflow" in sys.argv else 1.0)).square().mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    if step == 6:
        try:
            print("hangs", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            if "goes on" not in sys.argv:
                raise
"""


@dataclass
class Ended:
    code: int
    error: str
    lines: list[dict]

    @property
    def attempts(self) -> list[int]:
        return [line["attempt"] for line in self.lines if line["kind"] == "step"]


def ended_by(sign: signal.Signals, folder: Path, *arguments: str, watch: tuple[str, ...] = ()) -> Ended:
    (folder / "train.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "ampfix", "watch", "--out", "seen", *watch, "--", "train.py", *arguments]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n", process.communicate()
        process.send_signal(sign)
        _, error = process.communicate(timeout=300)
    return Ended(process.returncode, error, list(log.read(folder / "seen" / "watch-0.jsonl")))


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_leaves_every_step_and_can_be_drawn(sign: signal.Signals, tmp_path: Path) -> None:
    ended = ended_by(sign, tmp_path)
    assert ended.code == -sign
    assert ended.attempts == list(range(7))
    assert "end" not in {line["kind"] for line in ended.lines}
    command = [sys.executable, "-m", "ampfix", "report", "seen", "--html", "page.html"]
    subprocess.run(command, cwd=tmp_path, check=True, env={"PYTHONPATH": str(ROOT)})
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "7 steps attempted" in page
    assert "it was killed, or goes on; attempt 6 is the last that was seen" in page


def test_an_interrupted_run_says_where_it_was_and_what_was_seen(tmp_path: Path) -> None:
    ended = ended_by(signal.SIGINT, tmp_path, watch=("--html", "page.html"))
    assert ended.code == 130
    assert ended.attempts == list(range(7))
    assert [line["kind"] for line in ended.lines[-2:]] == ["error", "end"]
    assert ended.lines[-2]["type"] == "KeyboardInterrupt"
    assert SCRIPT.splitlines()[ended.lines[-2]["line"] - 1].strip() in ("time.sleep(60)", 'print("hangs", flush=True)')
    first, *_ = ended.error.splitlines()
    assert first == "Traceback (most recent call last):"
    assert "hardware/watching.py" not in ended.error and 'File "train.py", line' in ended.error
    assert "ampfix: 7 steps attempted, 7 applied, 0 skipped" in ended.error
    assert "ended by KeyboardInterrupt at" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_an_interrupted_run_that_was_going_wrong_is_not_run_again(tmp_path: Path) -> None:
    ended = ended_by(signal.SIGINT, tmp_path, "overflow", watch=("--replay",))
    assert "loss-not-finite" in ended.error
    assert "replayed" not in ended.error and not (tmp_path / "seen" / "replay").exists()


def test_a_script_that_answers_the_interrupt_goes_on(tmp_path: Path) -> None:
    ended = ended_by(signal.SIGINT, tmp_path, "goes on")
    assert ended.code == 0
    assert ended.attempts == list(range(20))
    assert ended.lines[-1]["kind"] == "end"
