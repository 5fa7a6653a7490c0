"""Every way of naming the device: tensors, modules, factories, checkpoints, generators."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from ampfix.emulate import UnsupportedCudaApi, cuda


@pytest.fixture(autouse=True)
def emulated():
    with cuda():
        yield


def host():
    return torch.ones(2, 3)


DEVICE = torch.device("cuda")

MOVES = {
    ".cuda()": lambda: host().cuda(),
    ".cuda(0)": lambda: host().cuda(0),
    ".cuda('cuda:0')": lambda: host().cuda("cuda:0"),
    ".cuda(device)": lambda: host().cuda(torch.device("cuda", 0)),
    ".cuda(non_blocking=True)": lambda: host().cuda(non_blocking=True),
    ".cuda(0, True)": lambda: host().cuda(0, True),
    ".to('cuda')": lambda: host().to("cuda"),
    ".to('cuda:0')": lambda: host().to("cuda:0"),
    ".to(0)": lambda: host().to(0),
    ".to(device)": lambda: host().to(DEVICE),
    ".to(device=)": lambda: host().to(device=DEVICE),
    ".to(device, dtype)": lambda: host().to(DEVICE, torch.float32),
    ".to(device, non_blocking=True)": lambda: host().to(DEVICE, non_blocking=True),
    ".to(device, copy=True)": lambda: host().to(DEVICE, copy=True),
    ".to(dtype=, device=)": lambda: host().to(dtype=torch.float16, device="cuda"),
    ".to(other)": lambda: host().to(torch.zeros(1, device="cuda")),
    ".to(current_device())": lambda: host().to(torch.cuda.current_device()),
    ".pin_memory().cuda()": lambda: host().pin_memory().cuda(),
    ".type('torch.cuda.HalfTensor')": lambda: host().type("torch.cuda.HalfTensor"),
    ".type(torch.cuda.FloatTensor)": lambda: host().type(torch.cuda.FloatTensor),
}

FACTORIES = {
    "zeros": lambda d: torch.zeros(2, device=d),
    "ones": lambda d: torch.ones(2, device=d),
    "full": lambda d: torch.full((2,), 1.0, device=d),
    "empty": lambda d: torch.empty(2, device=d),
    "empty_strided": lambda d: torch.empty_strided((2,), (1,), device=d),
    "rand": lambda d: torch.rand(2, device=d),
    "randn": lambda d: torch.randn(2, device=d),
    "randint": lambda d: torch.randint(3, (2,), device=d),
    "randperm": lambda d: torch.randperm(3, device=d),
    "normal": lambda d: torch.normal(0.0, 1.0, (2,), device=d),
    "arange": lambda d: torch.arange(3, device=d),
    "linspace": lambda d: torch.linspace(0, 1, 3, device=d),
    "logspace": lambda d: torch.logspace(0, 1, 3, device=d),
    "eye": lambda d: torch.eye(2, device=d),
    "tensor": lambda d: torch.tensor([1.0], device=d),
    "scalar_tensor": lambda d: torch.scalar_tensor(1.0, device=d),
    "as_tensor": lambda d: torch.as_tensor([1.0], device=d),
    "as_tensor positional": lambda d: torch.as_tensor([1.0], torch.float32, d),
    "asarray": lambda d: torch.asarray([1.0], device=d),
    "tril_indices": lambda d: torch.tril_indices(2, 2, device=d),
    "triu_indices": lambda d: torch.triu_indices(2, 2, device=d),
    "hann_window": lambda d: torch.hann_window(3, device=d),
    "fftfreq": lambda d: torch.fft.fftfreq(3, device=d),
    "sparse_coo_tensor": lambda d: torch.sparse_coo_tensor([[0]], [1.0], (2,), device=d),
    "zeros_like": lambda d: torch.zeros_like(host(), device=d),
    "ones_like": lambda d: torch.ones_like(host(), device=d),
    "full_like": lambda d: torch.full_like(host(), 1.0, device=d),
    "empty_like": lambda d: torch.empty_like(host(), device=d),
    "rand_like": lambda d: torch.rand_like(host(), device=d),
    "randn_like": lambda d: torch.randn_like(host(), device=d),
    "randint_like": lambda d: torch.randint_like(host(), 3, device=d),
    "new_zeros": lambda d: host().new_zeros(2, device=d),
    "new_ones": lambda d: host().new_ones(2, device=d),
    "new_full": lambda d: host().new_full((2,), 1.0, device=d),
    "new_empty": lambda d: host().new_empty(2, device=d),
    "new_tensor": lambda d: host().new_tensor([1.0], device=d),
    "nn.Linear": lambda d: nn.Linear(2, 2, device=d).weight,
    "nn.Parameter": lambda d: nn.Parameter(torch.zeros(2, device=d)),
    "causal mask": lambda d: nn.Transformer.generate_square_subsequent_mask(3, device=d),
}

SPELLINGS = ["cuda", "cuda:0", 0, torch.device("cuda"), torch.device("cuda:0"), torch.device("cuda", 0)]


@pytest.mark.parametrize("move", MOVES)
def test_a_moved_tensor_is_on_cuda(move):
    moved = MOVES[move]()
    assert moved.is_cuda
    assert not moved.is_cpu
    assert (moved.device.type, moved.device.index, moved.get_device()) == ("cuda", 0, 0)
    assert str(moved.device) == "cuda:0"


@pytest.mark.parametrize("factory", FACTORIES)
def test_factories_take_every_spelling_of_the_device(factory):
    for device in SPELLINGS:
        assert FACTORIES[factory](device).device == torch.device("cuda:0"), device


# Parameters and results of operators are not tracked: they count as CUDA's wherever they were made.
UNTRACKED = {"nn.Linear", "nn.Parameter", "causal mask"}


@pytest.mark.parametrize("factory", FACTORIES)
def test_factories_still_make_tensors_elsewhere(factory):
    assert FACTORIES[factory]("cpu").device.type == ("cuda" if factory in UNTRACKED else "cpu")
    assert FACTORIES[factory]("meta").device.type == "meta"


def test_torch_has_no_factory_that_the_emulation_forgot():
    from torch.utils._device import _device_constructors

    wrapped = {getattr(function, "__wrapped__", None) for function in (*vars(torch).values(), torch.fft.fftfreq)}
    wrapped |= {torch.fft.rfftfreq.__wrapped__, torch.nested.nested_tensor.__wrapped__}
    assert _device_constructors() <= wrapped


def test_device_objects_print_and_compare_as_on_cuda():
    assert str(torch.device("cuda")) == "cuda"
    assert torch.device(0) == torch.device("cuda", 0) == torch.device("cuda:0")
    assert isinstance(torch.device("cuda"), torch.device)
    assert not isinstance("cuda", torch.device)
    assert issubclass(torch.device, torch.device)
    assert torch.device(type="cuda", index=0).index == 0


def test_device_objects_survive_pickling_and_deepcopy():
    device = torch.device("cuda", 0)
    assert pickle.loads(pickle.dumps(device)) == copy.deepcopy(device) == device
    buffer = io.BytesIO()
    torch.save({"device": device, "weights": host()}, buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True)["device"] == device


def test_the_device_agnostic_idiom_takes_the_cuda_branch():
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert device.type == "cuda"
    layer = nn.Linear(3, 2).to(device)
    x = host().to(device)
    assert next(layer.parameters()).device.type == x.device.type == layer(x).device.type == "cuda"
    with torch.autocast(device_type=x.device.type):
        assert layer(x).dtype is torch.float16


def test_results_of_operators_are_on_cuda():
    x = host().cuda()
    for result in (x + 1, x @ x.T, x[0], x.view(-1), x.detach(), x.half(), x.clone(), x.sum(), x.grad_fn or x):
        assert result.device.type == "cuda"


def test_cpu_results_say_so():
    snapshot = host().cuda().cpu()
    assert snapshot.device == torch.device("cpu")
    assert not snapshot.is_cuda
    assert snapshot.get_device() == -1
    assert snapshot.cuda().to("cpu").device.type == "cpu"


def test_moves_to_the_other_device_copy():
    """A batch changed on the GPU leaves the data set alone; a snapshot on the host does not follow the weights."""
    batch = host()
    batch.cuda().zero_()
    assert batch.sum() == 6
    weight = torch.ones(3, device="cuda")
    snapshot = weight.cpu()
    weight.zero_()
    assert snapshot.sum() == 3


def test_moves_within_a_device_do_not_copy():
    x = host().cuda()
    assert x.cuda() is x.to("cuda") is x.to(0) is x.to(DEVICE) is x
    y = x.cpu()
    assert y.cpu() is y.to("cpu") is y
    parameter = nn.Linear(3, 3).cuda().weight
    assert parameter.to("cuda") is parameter


def test_moves_are_differentiable():
    w = torch.ones(3, requires_grad=True)
    moved = w.cuda()
    assert moved is not w and not moved.is_leaf
    (moved * 2).sum().cpu().backward()
    assert w.grad.tolist() == [2.0, 2.0, 2.0]


def test_a_half_precision_move_keeps_its_dtype_argument():
    assert host().to("cuda", torch.float16).dtype is torch.float16
    assert nn.Linear(2, 2).to("cuda", torch.bfloat16).weight.dtype is torch.bfloat16
    assert host().to(torch.float16).dtype is torch.float16
    assert host().to(torch.zeros(1, dtype=torch.float16, device="cuda")).dtype is torch.float16


@pytest.mark.parametrize(
    "move",
    [
        lambda m: m.cuda(),
        lambda m: m.cuda(0),
        lambda m: m.to("cuda"),
        lambda m: m.to(0),
        lambda m: m.to(device=0),
        lambda m: m.to(torch.device("cuda")),
        lambda m: m.to(torch.zeros(1, device="cuda")),
        lambda m: m.to_empty(device="cuda"),
    ],
)
def test_modules_move_in_place(move):
    module = nn.BatchNorm1d(3).cpu()
    weight = module.weight
    assert weight.device.type == "cpu"
    assert move(module) is module
    assert module.weight is weight
    assert {tensor.device.type for tensor in module.state_dict(keep_vars=True).values()} == {"cuda"}
    assert module.cpu().running_mean.device.type == "cpu"


def test_a_default_device_is_honoured_and_undone():
    torch.set_default_device("cuda")
    assert torch.zeros(2).device.type == torch.get_default_device().type == "cuda"
    assert torch.zeros(2, device="cpu").device.type == "cpu"
    torch.set_default_device(None)
    assert torch.zeros(2).device.type == "cpu"
    with torch.device("cuda"):
        assert torch.ones(2).device.type == torch.as_tensor([1.0]).device.type == "cuda"
        assert nn.Linear(2, 2).weight.is_cuda
    assert torch.zeros(2).device.type == "cpu"


def test_the_old_default_tensor_type_is_honoured():
    torch.set_default_tensor_type("torch.cuda.HalfTensor")
    made = torch.zeros(2)
    assert (made.dtype, made.device.type) == (torch.float16, "cuda")


def test_legacy_constructors_and_type_names():
    assert torch.cuda.FloatTensor([1.0, 2.0]).sum() == 3
    assert isinstance(torch.zeros(2, device="cuda"), torch.cuda.FloatTensor)
    assert host().cuda().type() == "torch.cuda.FloatTensor"
    assert host().type() == "torch.FloatTensor"


@pytest.mark.parametrize(
    "location",
    [
        "cuda",
        "cuda:0",
        torch.device("cuda"),
        {"cpu": "cuda:0", "cuda:0": "cuda:0"},
        lambda storage, _: storage.cuda(0),
        lambda storage, _: storage,
        None,
        "cpu",
    ],
)
@pytest.mark.parametrize("tagged", ["cpu", "cuda:0"])
def test_checkpoints_load_to_every_location(monkeypatch, location, tagged):
    buffer = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: tagged)
        torch.save({"w": host() * 2}, buffer)
    buffer.seek(0)
    assert torch.load(buffer, map_location=location)["w"].sum() == 12


def test_generators_belong_to_the_device_they_name():
    generator = torch.Generator(device="cuda").manual_seed(3)
    assert generator.device == torch.device("cuda:0")
    assert isinstance(generator, torch.Generator)
    assert isinstance(torch.default_generator, torch.Generator)
    first = torch.randn(4, device="cuda", generator=generator)
    again = torch.randn(4, device="cuda", generator=torch.Generator("cuda").manual_seed(3))
    assert torch.equal(first, again)
    assert torch.Generator().device.type == "cpu"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_pinning_data_loader_delivers(workers):
    data = torch.utils.data.TensorDataset(torch.arange(8.0))
    loader = torch.utils.data.DataLoader(data, batch_size=4, pin_memory=True, num_workers=workers)
    batches = [batch.cuda(non_blocking=True) for (batch,) in loader]
    assert torch.cat(batches).tolist() == list(range(8))


@pytest.mark.parametrize("index", ["cuda:1", 1, torch.device("cuda", 1)])
def test_a_second_gpu_does_not_exist(index):
    with pytest.raises(UnsupportedCudaApi, match=r"cuda:1.*one GPU"):
        host().to(index)
    with pytest.raises(UnsupportedCudaApi, match=r"cuda:1.*one GPU"):
        torch.zeros(2, device=index)


def test_dtype_wrapped_subclasses_keep_working():
    class Named(torch.Tensor):
        pass

    named = torch.zeros(2).as_subclass(Named)
    assert named.device.type == "cuda"
    assert isinstance(named.cuda(), Named)


def test_tensors_print_their_device():
    assert "device='cuda:0'" in repr(host().cuda())
