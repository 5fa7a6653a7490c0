"""`ampfix watch` on scripts: their exit codes, output and arguments stay their own, and a replay finds the bad op."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ampfix.hardware.watching import explained
from ampfix.watch import log
from ampfix.watch.alarms import Alarm

SCRIPT = """
import sys
import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(0)
model = nn.Linear(8, 4).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cuda", init_scale=256.0)
for step in range(16):
    x = torch.randn(6, 8, device="cuda") * (1e6 if step >= 3 else 1.0)
    optimizer.zero_grad()
    with torch.autocast("cuda"):
        loss = model(x).float().square().mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
print("arguments", sys.argv[1:], __name__)
sys.exit(7)
"""


def ampfix(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "ampfix", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(root)})


def test_a_script_is_watched_replayed_and_keeps_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    ended = ampfix(
        "watch", "--emulate", "cuda", "--replay", "--out", "seen", "--", "train.py", "--lr", "1", cwd=tmp_path
    )
    assert (ended.returncode, ended.stdout) == (7, "arguments ['--lr', '1'] __main__\n")
    assert "loss-not-finite" in ended.stderr
    assert "replayed 4 steps; its losses were the same bit by bit" in ended.stderr
    assert "train.py:15: first-bad-op: _to_copy in Linear made float16 that is not finite" in ended.stderr
    records = list(log.read(tmp_path / "seen" / "watch-0.jsonl"))
    assert sum(record["kind"] == "step" for record in records) == 16
    assert records[-1]["kind"] == "end"


def test_an_uncaught_exception_is_shown_from_the_scripts_own_frame(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__main__.py").write_text("raise ValueError('mine')\n")
    ended = ampfix("watch", "-m", "pkg", cwd=tmp_path)
    assert ended.returncode == 1
    assert "ValueError: mine" in ended.stderr
    assert "hardware/watching.py" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no script: give one behind --"),
        (("--", "absent.py"), "absent.py: no such file"),
        (("--emulate", "cuda", "--profile", "Z80", "--", "train.py"), "Z80"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    (tmp_path / "train.py").write_text("pass\n")
    ended = ampfix("watch", *arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert message in ended.stderr


def test_an_alarm_without_a_code_gets_that_of_the_finding_on_its_line(tmp_path: Path) -> None:
    path = tmp_path / "loop.py"
    path.write_text(
        textwrap.dedent(
            """
            import torch

            def train(model, loader, optimizer):
                scaler = torch.amp.GradScaler("cuda")
                for x in loader:
                    optimizer.zero_grad()
                    with torch.autocast("cuda", dtype=torch.float16):
                        scores = model(x).masked_fill(x == 0, -1e9).softmax(-1)
                        loss = scores.float().mean()
                    scaler.scale(loss).backward()
                    scaler.step(optimizer)
                    scaler.update()
            """
        )
    )
    bare = Alarm("", "first-bad-op", "an op", str(path), 9)
    (named,) = explained([bare])
    assert named.code == "AMP405"
    assert explained([Alarm("", "first-bad-op", "an op", str(path), 4)])[0].code == ""
