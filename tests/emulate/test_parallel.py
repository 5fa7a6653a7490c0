"""Distributed training over gloo, whatever backend the program names, every rank on the one emulated device."""

import multiprocessing

import pytest
import torch

from ampfix.emulate import cuda


def rank(number, world, store, results, backend):
    torch.set_num_threads(1)
    with cuda():
        address = f"file://{store}"
        torch.distributed.init_process_group(backend, init_method=address, rank=number, world_size=world)
        torch.manual_seed(0)
        model = torch.nn.Linear(4, 2).to(0)
        replica = torch.nn.parallel.DistributedDataParallel(model, device_ids=[0])
        optimizer = torch.optim.SGD(replica.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cuda", init_scale=256.0)
        torch.manual_seed(number)
        with torch.autocast("cuda"):
            output = replica(torch.randn(8, 4).cuda())
        scaler.scale(output.float().sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        results.put((number, str(output.dtype), scaler.get_scale(), model.weight.tolist()))
        torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed package")
@pytest.mark.parametrize("backend", ["gloo", "nccl", "cpu:gloo,cuda:nccl", None])
def test_ranks_average_their_gradients(tmp_path, backend):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    ranks = [context.Process(target=rank, args=(n, 2, tmp_path / "store", results, backend)) for n in range(2)]
    for process in ranks:
        process.start()
    (_, dtype, scale, first), (_, _, _, second) = sorted(results.get(timeout=300) for _ in ranks)
    for process in ranks:
        process.join(60)
    assert [process.exitcode for process in ranks] == [0, 0]
    assert (dtype, scale) == ("torch.float16", 256.0)
    assert first == second


def autocast_at_work(results):
    with torch.autocast("cuda"):
        results.put(str(torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype))


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_child_processes_inherit_the_emulation(method):
    context = torch.multiprocessing.get_context(method)
    with cuda():
        results = context.Queue()
        child = context.Process(target=autocast_at_work, args=(results,))
        child.start()
        assert results.get(timeout=300) == "torch.float16"
        child.join(60)
    assert child.exitcode == 0


def test_torchs_spawn_inherits_the_emulation(tmp_path):
    with cuda():
        torch.multiprocessing.spawn(leave_dtype, args=(tmp_path,), nprocs=1)
    assert (tmp_path / "0").read_text() == "torch.float16"


def leave_dtype(number, folder):
    with torch.autocast("cuda"):
        (folder / str(number)).write_text(str(torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype))
