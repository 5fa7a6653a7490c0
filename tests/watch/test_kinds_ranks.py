"""Two ranks over gloo, each under `ampfix watch`: a record each, and a rank that leaves the others named."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from ampfix.report import watch_html
from ampfix.watch import log

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed package")

SCRIPT = """\
import os, signal, sys
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

bug = sys.argv[1]
torch.set_num_threads(1)
dist.init_process_group("gloo")
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
model = DistributedDataParallel(net)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20)
for step in range(16):
    chosen = torch.Generator().manual_seed(100 * step + dist.get_rank())
    inputs, labels = torch.randn(6, 8, generator=chosen), torch.randint(0, 4, (6,), generator=chosen)
    if step == 9 and dist.get_rank() == 1:
        inputs = inputs * 1e30
        if bug == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.float16):
        loss = nn.functional.cross_entropy(model(inputs), labels)  # desync
    bad = torch.tensor(float(not torch.isfinite(loss)))
    if bug == "agreed":
        dist.all_reduce(bad)
    if bug in ("agreed", "desync") and bad:
        continue
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
torch.save(net.state_dict(), f"{sys.argv[2]}-{dist.get_rank()}.pt")
dist.destroy_process_group()
"""


@dataclass
class Ended:
    folder: Path
    codes: list[int]
    texts: list[str]

    def lines(self, rank: int, kind: str) -> list[dict[str, Any]]:
        return [line for line in log.read(self.folder / "seen" / f"watch-{rank}.jsonl") if line["kind"] == kind]

    def told(self, rank: int) -> list[tuple[str, int]]:
        alarms = self.lines(rank, "alarm")
        return [(alarm["code"] if "code" in alarm else alarm["name"], alarm["line"]) for alarm in alarms]


def both(folder: Path, bug: str, name: str, *watch: str) -> Ended:
    """Run the script in two processes, as launchers start them."""
    (folder / "train.py").write_text(SCRIPT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [
        subprocess.Popen(
            [sys.executable, *watch, "train.py", bug, name], cwd=folder, stderr=subprocess.PIPE, text=True,
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": "2",
                 "MASTER_PORT": str(port), "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]  # fmt: skip
    texts = [process.communicate(timeout=300)[1] for process in started]
    return Ended(folder, [process.returncode for process in started], texts)


WATCH = ("-m", "ampfix", "watch", "--out", "seen", "--")


def line_of(mark: str) -> int:
    return next(at for at, line in enumerate(SCRIPT.splitlines(), 1) if line.endswith(f"# {mark}"))


def test_ranks_that_agree_are_left_as_they_are(tmp_path: Path) -> None:
    assert both(tmp_path, "agreed", "plain").codes == [0, 0]
    ended = both(tmp_path, "agreed", "watched", *WATCH)
    assert ended.codes == [0, 0]
    for rank in range(2):
        (begin,), (end,) = ended.lines(rank, "begin"), ended.lines(rank, "end")
        assert begin["rank"] == rank
        assert (end["attempts"], end["skipped"], end["alarms"]) == (15, 3, [])
        plain, seen = (torch.load(tmp_path / f"{name}-{rank}.pt") for name in ("plain", "watched"))
        assert all(torch.equal(plain[key], seen[key]) for key in plain)


def test_a_rank_that_leaves_out_a_backward_is_named_in_its_own_record(tmp_path: Path) -> None:
    ended = both(tmp_path, "desync", "watched", *WATCH)
    assert ended.told(1) == [("AMP209", line_of("desync"))]
    assert ended.told(0) == []
    assert "train.py" in ended.texts[1] and "AMP209 rank-desync" in ended.texts[1]


def test_a_rank_that_is_killed_leaves_how_far_it_came_and_the_other_says_why_it_ended(tmp_path: Path) -> None:
    ended = both(tmp_path, "killed", "watched", *WATCH)
    # gloo's threads now and then abort the process once the error has been told, under watch as without it
    assert ended.codes[0] in (1, -signal.SIGABRT) and ended.codes[1] == -signal.SIGKILL
    assert [line["attempt"] for line in ended.lines(1, "step")] == list(range(9))
    assert not ended.lines(1, "end")
    (error,), (end,) = ended.lines(0, "error"), ended.lines(0, "end")
    assert error["type"] == "RuntimeError" and error["path"].endswith("train.py")
    assert end["attempts"] == 9 and end["alarms"] == []
    page = watch_html.render(tmp_path / "seen")
    assert "ended by RuntimeError" in page and "watch-1.jsonl" in page
