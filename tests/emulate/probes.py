"""One call for every operator that CUDA's autocast intercepts, and a way to see which dtypes come out of it.

Run as a program it prints, as JSON, what torch's own AutocastCUDA kernels answer on fake CUDA tensors. It has to be a
process of its own: a fake CUDA leaf that requires grad aborts the interpreter.
"""

import itertools
import json
import sys

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# How the floating-point arguments of one call are typed, in turn ("lower" is the region's dtype, "half" the other one).
PATTERNS = {
    "float32": ("float32",),
    "lower": ("lower",),
    "mixed": ("lower", "float32"),
    "mixed the other way": ("float32", "lower"),
    "other half": ("half",),
    "float64": ("float64",),
    "float64 second": ("float32", "float64"),
}
REGIONS = {"float16": "bfloat16", "bfloat16": "float16"}


class Maker:
    """Makes the arguments of a call: `f` floats after a pattern, `i` class indices, `s` signs in {-1, 1}."""

    def __init__(self, device, pattern, region):
        names = {"lower": region, "half": REGIONS[region]}
        self._dtypes = itertools.cycle(getattr(torch, names.get(name, name)) for name in PATTERNS[pattern])
        self._device = device

    def f(self, *shape):
        return torch.full(shape, 0.25, dtype=next(self._dtypes), device=self._device)

    def i(self, *shape):
        return torch.zeros(shape, dtype=torch.int64, device=self._device)

    def s(self, *shape):
        return torch.ones(shape, dtype=torch.float32, device=self._device)


def unary(name, *rest):
    return {name: lambda m: ((m.f(2, 4), *rest), {})}


def binary(name, *rest):
    return {name: lambda m: ((m.f(2, 4), m.f(2, 4), *rest), {})}


def upsample(dimensions, *rest):
    size = (2,) * dimensions
    return lambda m: ((m.f(1, 1, *size), [4] * dimensions, *rest), {})


def convolution(dimensions, *rest, first=(1, 2), weight=(2, 2), bias=True):
    def call(m):
        tensors = [m.f(*first, *(4,) * dimensions), m.f(*weight, *(3,) * dimensions)]
        return (*tensors, *([m.f(2)] if bias else []), *rest), {}

    return call


def cell(gates):
    return lambda m: ((m.f(2, 3), m.f(2, 3), m.f(gates * 3, 3), m.f(gates * 3, 3), m.f(gates * 3), m.f(gates * 3)), {})


UNARY = (
    "acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log1p", "log2", "reciprocal",
    "rsqrt", "sinh", "softplus", "tan",
)  # fmt: skip
BINARY = (
    "atan2", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cdist", "cosine_similarity", "dist",
    "huber_loss", "kl_div", "l1_loss", "linalg_vecdot", "mse_loss", "pow.Tensor_Tensor", "smooth_l1_loss",
)  # fmt: skip
_UNIT = ([1, 1], [0, 0], [1, 1])

PROBES = {
    **{key: value for name in UNARY for key, value in unary(name).items()},
    **unary("cumprod", 0), **unary("cumsum", 0), **unary("frobenius_norm.dim", [0]), **unary("logsumexp", [1]),
    **unary("log_softmax.int", 1), **unary("softmax.int", 1), **unary("norm.Scalar", 2),
    **unary("norm.ScalarOpt_dim", 2, [1]), **unary("nuclear_norm"), **unary("nuclear_norm.dim", [0, 1]),
    **unary("pdist"), **unary("pow.Tensor_Scalar", 2), **unary("prod"), **unary("prod.dim_int", 0),
    **unary("renorm", 2, 0, 1.0), **unary("sum"), **unary("sum.dim_IntList", [0]), **unary("linalg_vector_norm"),
    **unary("linalg_matrix_norm", 2), **unary("linalg_matrix_norm.str_ord"),
    "pow.Scalar": lambda m: ((2.0, m.f(2, 4)), {}),
    "rms_norm": lambda m: ((m.f(2, 4), [4], m.f(4)), {}),
    "layer_norm": lambda m: ((m.f(2, 4), [4], m.f(4), m.f(4)), {}),
    "native_layer_norm": lambda m: ((m.f(2, 4), [4], m.f(4), m.f(4), 1e-5), {}),
    "group_norm": lambda m: ((m.f(2, 4), 2, m.f(4), m.f(4)), {}),
    **{key: value for name in BINARY for key, value in binary(name).items()},
    **binary("poisson_nll_loss", True, False, 1e-8, 1), **binary("tensordot", [1], [1]),
    "cosine_embedding_loss": lambda m: ((m.f(2, 4), m.f(2, 4), m.s(2)), {}),
    "margin_ranking_loss": lambda m: ((m.f(4), m.f(4), m.s(4)), {}),
    "hinge_embedding_loss": lambda m: ((m.f(4), m.s(4)), {}),
    "soft_margin_loss": lambda m: ((m.f(4), m.f(4)), {}),
    "triplet_margin_loss": lambda m: ((m.f(2, 4), m.f(2, 4), m.f(2, 4)), {}),
    "multi_margin_loss": lambda m: ((m.f(2, 4), m.i(2)), {}),
    "multilabel_margin_loss": lambda m: ((m.f(2, 4), m.i(2, 4)), {}),
    "nll_loss": lambda m: ((m.f(2, 4), m.i(2)), {}),
    "nll_loss2d": lambda m: ((m.f(1, 4, 2, 2), m.i(1, 2, 2)), {}),
    "addcdiv": lambda m: ((m.f(4), m.f(4), m.f(4)), {}),
    "addcmul": lambda m: ((m.f(4), m.f(4), m.f(4)), {}),
    "bilinear": lambda m: ((m.f(2, 3), m.f(2, 3), m.f(4, 3, 3), m.f(4)), {}),
    "cross": lambda m: ((m.f(2, 3), m.f(2, 3), 1), {}),
    "dot": lambda m: ((m.f(4), m.f(4)), {}),
    "vdot": lambda m: ((m.f(4), m.f(4)), {}),
    "grid_sampler": lambda m: ((m.f(1, 1, 4, 4), m.f(1, 2, 2, 2), 0, 0, False), {}),
    "index_put": lambda m: ((m.f(4), [m.i(2)], m.f(2)), {}),
    "scatter_add": lambda m: ((m.f(4), 0, m.i(4), m.f(4)), {}),
    "prelu": lambda m: ((m.f(2, 4), m.f(4)), {}),
    "linear": lambda m: ((m.f(2, 4), m.f(3, 4), m.f(3)), {}),
    "matmul": lambda m: ((m.f(2, 4), m.f(4, 2)), {}),
    "mm": lambda m: ((m.f(2, 4), m.f(4, 2)), {}),
    "mv": lambda m: ((m.f(2, 4), m.f(4)), {}),
    "linalg_matrix_sqrth": lambda m: ((m.f(2, 2),), {}),  # since 2.15
    "bmm": lambda m: ((m.f(1, 2, 4), m.f(1, 4, 2)), {}),
    "addmm": lambda m: ((m.f(2), m.f(2, 4), m.f(4, 2)), {}),
    "addmv": lambda m: ((m.f(2), m.f(2, 4), m.f(4)), {}),
    "addr": lambda m: ((m.f(2, 4), m.f(2), m.f(4)), {}),
    "addbmm": lambda m: ((m.f(2, 2), m.f(1, 2, 4), m.f(1, 4, 2)), {}),
    "baddbmm": lambda m: ((m.f(1, 2, 2), m.f(1, 2, 4), m.f(1, 4, 2)), {}),
    "chain_matmul": lambda m: (([m.f(2, 4), m.f(4, 2)],), {}),
    "linalg_multi_dot": lambda m: (([m.f(2, 4), m.f(4, 2)],), {}),
    "einsum": lambda m: (("ij,jk->ik", [m.f(2, 4), m.f(4, 2)]), {}),
    "conv1d": convolution(1), "conv2d": convolution(2), "conv3d": convolution(3),
    "conv_transpose1d": convolution(1), "conv_transpose2d.input": convolution(2),
    "conv_transpose3d.input": convolution(3),
    "conv_tbc": lambda m: ((m.f(4, 1, 2), m.f(3, 2, 2), m.f(2)), {}),
    "convolution": convolution(2, *_UNIT, False, [0, 0], 1),
    "_convolution": convolution(2, *_UNIT, False, [0, 0], 1, False, False, True, False),
    "_convolution.deprecated": convolution(2, *_UNIT, False, [0, 0], 1, False, False, True),
    "cudnn_convolution": convolution(2, [0, 0], [1, 1], [1, 1], 1, False, False, False, bias=False),
    "cudnn_convolution_transpose": convolution(2, [0, 0], [0, 0], [1, 1], [1, 1], 1, False, False, False, bias=False),
    "scaled_dot_product_attention": lambda m: ((m.f(1, 2, 8, 8), m.f(1, 2, 8, 8), m.f(1, 2, 8, 8)), {}),
    "_scaled_dot_product_flash_attention": lambda m: ((m.f(1, 2, 8, 8), m.f(1, 2, 8, 8), m.f(1, 2, 8, 8)), {}),
    "gru_cell": cell(3), "rnn_relu_cell": cell(1), "rnn_tanh_cell": cell(1),
    "lstm_cell": lambda m: ((m.f(2, 3), [m.f(2, 3), m.f(2, 3)], m.f(12, 3), m.f(12, 3), m.f(12), m.f(12)), {}),
    "_thnn_fused_lstm_cell": lambda m: ((m.f(2, 12), m.f(2, 12), m.f(2, 3), m.f(12), m.f(12)), {}),
    "_thnn_fused_gru_cell": lambda m: ((m.f(2, 9), m.f(2, 9), m.f(2, 3), m.f(9), m.f(9)), {}),
    "upsample_linear1d": upsample(1, False), "upsample_bilinear2d": upsample(2, False),
    "upsample_bicubic2d": upsample(2, False), "upsample_trilinear3d": upsample(3, False),
    "_upsample_bilinear2d_aa": upsample(2, False), "_upsample_bicubic2d_aa": upsample(2, False),
    **{f"{prefix}{n}d": upsample(n) for prefix in ("upsample_nearest", "_upsample_nearest_exact") for n in (1, 2, 3)},
}  # fmt: skip


def overload(name):
    packet, _, rest = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), rest or "default")


class _Arrived(Exception):
    """The first operator below autocast has been reached."""


class Casts(TorchDispatchMode):
    """Notes the casts that autocast makes, then the operator it goes on to, and stops there.

    Nothing is computed, so operators without a CPU kernel are seen as well.
    """

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._to_copy.default:
            shape = "x".join(map(str, args[0].shape))
            self.seen.append(f"{shape}:{short(args[0].dtype)}>{short(kwargs['dtype'])}")
            return func(*args, **kwargs)
        if func.namespace == "prim":  # a fake tensor being asked for its device
            return func(*args, **(kwargs or {}))
        self.seen.sort()  # C++ leaves the order in which arguments are evaluated open
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        requested = [short(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.dtype)]
        self.seen.append(f"({' '.join(short(tensor.dtype) for tensor in tensors)})")
        self.seen += [f"dtype={dtype}" for dtype in requested]
        raise _Arrived


def short(dtype):
    return str(dtype).removeprefix("torch.")


def exists(name):
    """Whether this torch has the operator."""
    packet, _, rest = name.partition(".")
    return hasattr(torch.ops.aten, packet) and hasattr(getattr(torch.ops.aten, packet), rest or "default")


def outcome(name, maker):
    """What autocast does to the operator's arguments, or the error's type and first line."""
    args, kwargs = PROBES[name](maker)
    casts = Casts()
    try:
        with casts:
            overload(name)(*args, **kwargs)
    except _Arrived:
        pass
    except Exception as error:  # whatever either side says is the outcome
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return " ".join(casts.seen)


def survey(device, enter_region):
    """{region: {operator: {pattern: outcome}}} on one device."""
    found = {}
    for region in REGIONS:
        with torch.no_grad(), enter_region(getattr(torch, region)):
            found[region] = {
                name: {pattern: outcome(name, Maker(device, pattern, region)) for pattern in PATTERNS}
                for name in sorted(PROBES)
                if exists(name)
            }
    return found


def casts_of(op, pattern):
    """The casts made on arguments invented from the operator's schema; what happens afterwards does not matter."""
    maker = Maker("cpu", pattern, "bfloat16")
    schema = overload(op.removeprefix("aten::"))._schema
    args, kwargs = [], {}
    for argument in schema.arguments:
        value = invented(argument, maker)
        if argument.kwarg_only:
            kwargs[argument.name] = value
        else:
            args.append(value)
    casts = Casts()
    try:
        with casts:
            overload(op.removeprefix("aten::"))(*args, **kwargs)
    except _Arrived:
        pass
    except Exception as error:  # shapes are not right, or the operator is banned
        casts.seen.append(str(error).splitlines()[0])
    return " ".join(casts.seen)


def invented(argument, maker):
    kind = str(argument.type)
    if argument.name == "dtype" or (argument.has_default_value() and "Tensor" not in kind):
        return argument.default_value
    if "List[Tensor]" in kind or "List[Optional[Tensor]]" in kind:
        return [maker.f(4, 4), maker.f(4, 4)]
    if "Tensor" in kind:
        return maker.f(4, 4)
    if kind.startswith("List"):
        return [1] * 3
    return {"str": "ij,jk->ik", "float": 0.5, "bool": False}.get(kind, 1)


def category_seen(op):
    """The category that an operator's casts give away, in the current bfloat16 region."""
    if "unsafe to autocast" in casts_of(op, "float32"):
        return "banned"
    if "float32>bfloat16" in casts_of(op, "float32"):
        return "lower"
    if "bfloat16>float32" in casts_of(op, "lower"):
        return "fp32"
    if "dtype=float32" in casts_of(op, "lower"):
        return "set_dtype"
    if "bfloat16>float32" in casts_of(op, "mixed") + casts_of(op, "mixed the other way"):
        return "promote"
    return "none"


class _ForcedRegion:
    """A CUDA autocast region where torch would refuse one for lack of CUDA."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __enter__(self):
        torch.set_autocast_enabled("cuda", True)
        torch.set_autocast_dtype("cuda", self.dtype)
        torch.autocast_increment_nesting()

    def __exit__(self, *_):
        torch.autocast_decrement_nesting()
        torch.clear_autocast_cache()
        torch.set_autocast_enabled("cuda", False)


def survey_torch():
    """What torch's own CUDA kernels do, seen on fake tensors."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    torch.cuda._lazy_init = lambda: None  # fake tensors need no driver, but some of their kernels ask for one
    with FakeTensorMode():
        return survey("cuda", _ForcedRegion)


if __name__ == "__main__":
    json.dump(survey_torch(), sys.stdout)
