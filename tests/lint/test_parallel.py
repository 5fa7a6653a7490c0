"""Sharing work out changes nothing but the time it takes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.findings import Applicability, Position, Repair, Span
from ampfix.lint import check_paths, parallel
from ampfix.records import replace
from tests.lint.test_engine import BUG


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for number in range(24):
        folder = tmp_path / f"pkg{number % 5}"
        folder.mkdir(exist_ok=True)
        (folder / f"m{number:02}.py").write_text(BUG.replace("1.0", f"{number}.0"), encoding="utf-8")
    (tmp_path / "pkg0" / "broken.py").write_text("import torch.cuda.amp.autocast\ndef f(:\n", encoding="utf-8")
    monkeypatch.setattr(parallel, "WORTH_BYTES", 0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("processes", [2, 3])
def test_the_report_is_the_same(many: Path, processes: int) -> None:
    alone = check_paths(["."])
    assert check_paths(["."], processes=processes) == alone
    assert (len(alone.findings), len(alone.errors), alone.files_checked) == (24, 1, 24)


def test_it_is_the_same_where_processes_cannot_fork(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_context", lambda: multiprocessing.get_context("spawn"))
    assert check_paths(["."], processes=2) == check_paths(["."])


@pytest.mark.skipif(sys.platform != "linux", reason="hands a patched function to workers by fork")
def test_a_worker_that_dies_costs_nothing_but_time(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, own = parallel._check_chunk, os.getpid()

    def dying(jobs: list[parallel.Job]) -> list[parallel.Outcome]:
        if os.getpid() != own and any("m17" in job.path for job in jobs):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(jobs)

    alone = check_paths(["."])
    dying.__module__, dying.__qualname__ = parallel.__name__, "_check_chunk"
    monkeypatch.setattr(parallel, "_check_chunk", dying)
    monkeypatch.setattr(parallel, "_context", lambda: multiprocessing.get_context("fork"))
    taken_over: list[parallel.Job] = []
    carry_on = parallel._check_alone
    monkeypatch.setattr(parallel, "_check_alone", lambda jobs: taken_over.extend(jobs) or carry_on(jobs))
    assert check_paths(["."], processes=2) == alone
    assert any("m17" in job.path for job in taken_over)


def test_little_work_starts_no_process(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "WORTH_BYTES", 10**9)
    monkeypatch.setattr(parallel, "_context", lambda: pytest.fail("started processes"))
    assert check_paths(["."], processes=2).findings


@given(st.lists(st.integers(0, 50), min_size=1, max_size=400), st.integers(2, 8))
def test_chunks_keep_the_order_and_none_but_a_single_large_file_is_long(sizes: list[int], processes: int) -> None:
    jobs = [parallel.Job(str(number), None, size) for number, size in enumerate(sizes)]  # type: ignore[arg-type]
    chunks = list(parallel._chunks(jobs, processes))
    assert [job for chunk in chunks for job in chunk] == jobs
    left = sum(sizes)
    for chunk in chunks:
        assert sum(job.size for job in chunk[:-1]) * processes <= left
        left -= sum(job.size for job in chunk)


def test_findings_survive_the_way_between_processes() -> None:
    at = Span(Position(1, 2), Position(3, 4))
    repair = Repair("insert_unscale", Applicability.SAFE, "m", at)
    for one in (repair, replace(repair, arguments={"scaler": "s"})):
        assert pickle.loads(pickle.dumps(one)) == one


def test_the_command_uses_processes_and_cleans_up(many: Path) -> None:
    command = [sys.executable, "-m", "ampfix", "check", ".", "--no-cache", "--statistics", "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stdout.split()[:3] == ["24", "AMP101", "clip-before-unscale"]
    assert done.stderr.count("\n") == 1
