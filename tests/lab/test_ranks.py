"""Loops that several ranks run: what each rank is given, and how the failure of one of them is told."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ampfix.lab.bench import Bench, write_files
from ampfix.lab.measurement import Measurement, measure
from ampfix.lab.process import ProcessRunner
from ampfix.lab.spec import ScenarioSpec

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed package")

SEED = 11
START = """\
import os, sys, time
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel


def train(task):
    dist.init_process_group("nccl")
    rank = dist.get_rank()
"""
STEPS = """\
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    model = DistributedDataParallel(task.modules["model"].cuda(), device_ids=[0])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda")
    for features, targets in task.batches:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.mse_loss(model(features.cuda()), targets.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""
ONLY_ONE = START + "    for _ in task.batches: pass\n    if rank == 1:\n"
END = "    dist.destroy_process_group()\n"


def measured(runner: ProcessRunner, toy: ScenarioSpec, loop: str, processes: int = 2) -> Measurement:
    """Run a loop in several ranks on the toy's inputs, beside the toy's own reference."""
    spec = toy.model_copy(update={"processes": processes})
    with Bench(runner) as bench:
        ground = bench.ground(toy, SEED).result()
        folder = bench._fresh()
        write_files(folder, {spec.entry: loop})
        execution = bench.runner.execute(spec, folder, ground.inputs, bench._fresh())
        return measure(bench.runner, spec, ground.inputs, execution, ground.run)


@pytest.mark.parametrize("processes", [2, 3])
def test_ranks_train_one_model_on_shares_of_the_data(
    runner: ProcessRunner, toy: ScenarioSpec, processes: int, tmp_path: Path
) -> None:
    checks = f"""\
    assert dist.get_world_size() == {processes} == int(os.environ["WORLD_SIZE"]) and rank == int(os.environ["RANK"])
    shares = [None] * {processes}
    dist.all_gather_object(shares, [float(features.sum()) for features, _ in task.batches])
    assert len({{len(share) for share in shares}}) == 1 and len({{tuple(share) for share in shares}}) == {processes}
    weights = [torch.zeros_like(p) for p in model.parameters() for _ in range({processes})]
    for parameter in model.parameters():
        everywhere = [torch.zeros_like(parameter) for _ in range({processes})]
        dist.all_gather(everywhere, parameter.detach())
        assert all(torch.equal(everywhere[0], other) for other in everywhere)
"""
    run = measured(runner, toy, START + STEPS + checks + END, processes)
    assert run.ended is None
    assert run.weights is None
    assert run.attempts == toy.steps
    assert run.half_share is not None
    assert run.half_share > 0.9
    assert run.fp32_distance is not None
    assert run.fp32_distance > 1e-3  # other batches than the single process saw


def test_the_rank_that_failed_first_is_named(runner: ProcessRunner, toy: ScenarioSpec) -> None:
    loop = START + "    if rank == 1:\n        raise ValueError('nothing to learn')\n" + STEPS + END
    ended = measured(runner, toy, loop).ended
    assert ended is not None
    assert ended.cause == "crashed"
    assert ended.detail == "ValueError: rank 1: nothing to learn (loop.py:12)"


def test_a_rank_that_dies_without_a_word_fails_the_run(runner: ProcessRunner, toy: ScenarioSpec) -> None:
    ended = measured(runner, toy, ONLY_ONE + "        os._exit(3)\n").ended
    assert ended is not None
    assert ended.detail == "ChildProcessError: rank 1 ended with exit code 3"


def test_a_rank_that_waits_for_ever_is_ended(runner: ProcessRunner, toy: ScenarioSpec) -> None:
    ended = measured(runner, toy, ONLY_ONE + "        dist.all_reduce(torch.ones(1))\n").ended
    assert ended is not None
    assert ended.detail.startswith("TimeoutError: rank 1 was still waiting")
