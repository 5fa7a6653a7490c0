"""torch.cuda answers for the profile, waits for nothing, and refuses what it cannot do."""

import inspect

import pytest
import torch

from ampfix.emulate import PROFILES, UnsupportedCudaApi, cuda, memory, unsupported_reason


@pytest.fixture
def emulated():
    with cuda("T4") as profile:
        yield profile


@pytest.mark.parametrize("name", PROFILES)
def test_the_device_claims_to_be_its_profile(name):
    profile = PROFILES[name]
    with cuda(profile=name) as active:
        assert active is profile
        assert torch.cuda.get_device_name() == torch.cuda.get_device_name("cuda:0") == profile.device_name
        assert torch.cuda.get_device_capability(torch.device("cuda")) == profile.capability
        properties = torch.cuda.get_device_properties(0)
        assert (properties.major, properties.minor) == profile.capability
        assert properties.total_memory == torch.cuda.mem_get_info()[1] == profile.total_memory
        assert properties.multi_processor_count == profile.multi_processor_count
        ampere = profile.capability >= (8, 0)
        assert torch.cuda.is_bf16_supported(including_emulation=False) is ampere
        assert torch.cuda.is_bf16_supported() is True  # torch counts emulation, on a T4 and a V100 too
        assert profile.accelerates(torch.float16)
        assert profile.accelerates("bfloat16") is profile.accelerates("tfloat32") is ampere


def test_an_unknown_profile_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown device profile 'B1000'.*V100, T4, A100"), cuda("B1000"):
        pass


@pytest.mark.usefixtures("emulated")
class TestAnswers:
    def test_there_is_one_device(self):
        assert torch.cuda.is_available() and torch.cuda.is_initialized()
        assert (torch.cuda.device_count(), torch.cuda.current_device()) == (1, 0)
        torch.cuda.init()
        torch.cuda.set_device(0)
        torch.cuda.set_device("cuda:0")
        for context in (torch.cuda.device(0), torch.cuda.device("cuda:0"), torch.cuda.device_of(torch.ones(1))):
            with context:
                assert torch.cuda.current_device() == 0
        with pytest.raises(UnsupportedCudaApi, match="one GPU"):
            torch.cuda.set_device(1)
        with pytest.raises(ValueError, match="cuda device"):
            torch.cuda.get_device_name("cpu")

    def test_versions_and_build_flags(self):
        assert torch.version.cuda
        assert torch.backends.cuda.is_built() and torch.backends.cudnn.is_available()
        assert torch.cuda.get_arch_list() == ["sm_75"]

    @pytest.mark.skipif(not hasattr(torch, "accelerator"), reason="torch.accelerator came with 2.6")
    def test_the_accelerator_is_cuda(self):
        assert torch.accelerator.is_available()
        assert torch.accelerator.current_accelerator() == torch.device("cuda")
        torch.accelerator.synchronize()
        torch.accelerator.set_device_index(0)
        assert torch.accelerator.device_count() == 1

    def test_numeric_switches_can_be_set(self):
        before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.benchmark
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
        assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.benchmark
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.benchmark = before

    def test_memory_figures_are_consistent(self):
        torch.cuda.reset_peak_memory_stats()
        allocated, peak = torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()
        assert 0 <= allocated <= peak
        free, total = torch.cuda.mem_get_info("cuda:0")
        assert 0 <= free <= total
        assert torch.cuda.memory_stats()["allocated_bytes.all.peak"] >= 0
        assert torch.cuda.max_memory_reserved(0) >= 0 and torch.cuda.memory_reserved() >= 0
        assert "emulated" in torch.cuda.memory_summary()
        torch.cuda.empty_cache()

    def test_held_memory_shows(self):
        before = torch.cuda.memory_allocated()
        held = torch.ones(16_000_000, device="cuda")  # above 32 MiB malloc maps fresh pages, and reuses no freed ones
        assert torch.cuda.max_memory_allocated() >= before + held.nbytes // 2

    def test_memory_given_back_hides_nothing_that_is_taken_later(self, monkeypatch):
        resident = iter([100, 40, 70])
        monkeypatch.setattr(memory, "_resident", lambda: next(resident))
        meter = memory._Meter()
        assert (meter.current(), meter.peak()) == (0, 30)

    def test_random_state_can_be_seeded_saved_and_restored(self):
        def draw():
            return torch.randn(3, device="cuda")

        for seed in (torch.cuda.manual_seed, torch.cuda.manual_seed_all, torch.manual_seed):
            seed(3)
            first = draw()
            seed(3)
            assert torch.equal(first, draw())
        state, states = torch.cuda.get_rng_state(), torch.cuda.get_rng_state_all()
        first = draw()
        torch.cuda.set_rng_state(state)
        assert torch.equal(first, draw())
        torch.cuda.set_rng_state_all(states)
        assert torch.equal(first, draw())
        with torch.random.fork_rng():
            draw()
        assert torch.cuda.initial_seed() == 3
        torch.cuda.seed()
        assert torch.cuda.default_generators[0].initial_seed() != 3

    def test_events_measure_time(self):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        with pytest.raises(ValueError, match="recorded"):
            start.elapsed_time(end)
        start.record()
        torch.ones(100, 100).cuda() @ torch.ones(100, 100).cuda()
        end.record()
        end.synchronize()
        torch.cuda.synchronize()
        assert end.query() and 0 < start.elapsed_time(end) < 60_000
        with pytest.raises(ValueError, match="enable_timing"):
            torch.cuda.Event().elapsed_time(end)
        assert isinstance(start, torch.cuda.Event)
        generic = torch.Event("cuda", enable_timing=True)
        generic.record()
        assert generic.elapsed_time(generic) == 0

    def test_streams_run_in_order(self):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            x = torch.ones(2, device="cuda")
        x.record_stream(stream)
        torch.cuda.current_stream().wait_stream(stream)
        event = stream.record_event()
        stream.wait_event(event)
        stream.synchronize()
        assert stream.query() and isinstance(stream, torch.cuda.Stream)
        with torch.cuda.StreamContext(stream), torch.cuda.stream(None):
            pass
        assert torch.cuda.default_stream().device == torch.device("cuda:0")

    def test_profiler_ranges_do_nothing(self):
        torch.cuda.nvtx.range_push("step")
        torch.cuda.nvtx.range_pop()
        torch.cuda.nvtx.mark("here")
        with torch.cuda.nvtx.range("step"):
            torch.cuda.profiler.start()
            torch.cuda.profiler.stop()

    def test_the_profiler_runs(self, capfd):
        activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=activities) as profile:
            torch.ones(2, device="cuda").exp()
        assert any("exp" in row.key for row in profile.key_averages())
        assert "CUDA" not in capfd.readouterr().err


REFUSED = {
    "CUDAGraph": lambda: torch.cuda.CUDAGraph(),
    "graph": lambda: torch.cuda.graph(None),
    "graphs.graph": lambda: torch.cuda.graphs.graph(None),
    "make_graphed_callables": lambda: torch.cuda.make_graphed_callables(torch.nn.Linear(1, 1), (torch.ones(1),)),
    "_sleep": lambda: torch.cuda._sleep(1),
    "jiterator": lambda: torch.cuda.jiterator._create_jit_fn("template <typename T> T f(T x) { return x; }"),
    "nccl": lambda: torch.cuda.nccl.all_reduce([torch.ones(1)]),
    "comm.broadcast": lambda: torch.nn.parallel.comm.broadcast(torch.ones(1), devices=[0, 1]),
    "cudart": lambda: torch.cuda.cudart(),
    "utilization": lambda: torch.cuda.utilization(),
    "temperature": lambda: torch.cuda.temperature(),
    "list_gpu_processes": lambda: torch.cuda.list_gpu_processes(),
    "memory_snapshot": lambda: torch.cuda.memory_snapshot(),
    "memory._record_memory_history": lambda: torch.cuda.memory._record_memory_history(),
    "caching_allocator_alloc": lambda: torch.cuda.caching_allocator_alloc(8),
    "MemPool": lambda: torch.cuda.MemPool(),
    "CUDAPluggableAllocator": lambda: torch.cuda.CUDAPluggableAllocator("a", "b", "c"),
    "ExternalStream": lambda: torch.cuda.ExternalStream(0),
    "current_blas_handle": lambda: torch.cuda.current_blas_handle(),
    "two data-parallel devices": lambda: torch.nn.DataParallel(torch.nn.Linear(1, 1), device_ids=[0, 1]),
}


@pytest.mark.parametrize("call", [name for name in REFUSED if name != "MemPool" or hasattr(torch.cuda, name)])
def test_what_cannot_be_emulated_is_refused_by_name(emulated, call):
    with pytest.raises(UnsupportedCudaApi) as refusal:
        REFUSED[call]()
    assert "GPU" in str(refusal.value)
    assert unsupported_reason(refusal.value) == str(refusal.value)


def test_unknown_attributes_stay_unknown(emulated):
    assert not hasattr(torch.cuda, "from_the_future")
    with pytest.raises(AttributeError):
        torch.cuda.from_the_future()


def test_every_public_name_answers_or_refuses(emulated):
    """Nothing in torch.cuda reaches for a driver: each public function is replaced or known to need none."""
    free = {"CudaError", "DeferredCudaCallError", "cudaStatus", "check_error", "device", "device_of", "amp"}
    left = [
        name
        for name in torch.cuda.__all__
        if not name.endswith("Storage")
        and name not in free
        and callable(getattr(torch.cuda, name))
        and "ampfix" not in (inspect.getmodule(getattr(torch.cuda, name)) or torch).__name__
        and type(getattr(torch.cuda, name)).__module__ == "builtins"
        and not getattr(getattr(torch.cuda, name), "__self__", None)
    ]
    assert left == []


def test_errors_of_the_emulation_are_told_from_those_of_the_program(emulated):
    with pytest.raises(RuntimeError) as missing_kernel:
        torch.nn.functional.rrelu(torch.ones(2, device="cuda").half(), training=True)
    assert "not implemented for 'Half'" in unsupported_reason(missing_kernel.value)
    with pytest.raises(RuntimeError) as escaped:
        torch.UntypedStorage(4, device="cuda")
    assert unsupported_reason(escaped.value)
    triton_says = AssertionError("libcuda.so cannot found!\nPlease make sure GPU is set up")
    assert unsupported_reason(triton_says) == "AssertionError: libcuda.so cannot found!"
    wrapped = ValueError("while training")
    wrapped.__cause__ = UnsupportedCudaApi("torch.cuda.graph(): no")
    assert unsupported_reason(wrapped) == "torch.cuda.graph(): no"
    with pytest.raises(RuntimeError) as mistake:
        torch.mm(torch.ones(2, 3, device="cuda"), torch.ones(2, 3, device="cuda"))
    assert unsupported_reason(mistake.value) is None
    assert unsupported_reason(KeyError("Torch not compiled with CUDA enabled")) is None


def test_data_parallel_on_the_one_device(emulated):
    model = torch.nn.DataParallel(torch.nn.Linear(2, 2)).cuda()
    with torch.autocast("cuda"):
        assert model(torch.ones(4, 2).cuda()).dtype is torch.float16
