"""What a file calls its models: the names that calls run forward, and what else may mean the same model."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.program.tree import unparsed
from ampfix.rules._places import given_for
from ampfix.rules._shapes import handed_in, looks_like_a_model, method, owner_of, path

SELF = "self"
_FORWARD = pattern(
    r"(forward|predict|infer|encode|decode|extract|reconstruct|get_features?|(ddim|ddpm|p)_sample)(_\w+)?|generate|"
    r"sample|(get|compute)_loss|loss|(training|validation|test)_step"
)
_OBJECTIVE = pattern(r"((compute|get|p|training)_)?loss(es)?")
_SAMPLES = pattern(r"((ddim|ddpm|p)_)?sample(_loop\w*|_images?)?|generate")
_ROOT = pattern(r"[.\[]")
_NO_NET = pattern(r"loss|crit|metric|objective|arcface|proxy|(^|[._])emb(ed(ding)?s?)?$", re.IGNORECASE)
_PART = pattern(
    r"(^|[._])(student|teacher|generator|discriminator|critic|actor|policy|vae|vqvae|unet|vit|gpt|transformer|"
    r"segmenter|denoiser)$|(^|[._])(net|model)(_?[A-Z0-9]{1,2})$",
)
_PIECE = pattern(
    r"(\w+_)?(embed(d(ing|er)s?)?|heads?|blocks?|layers?|proj(ection|ector)?|trunk|stem|fc|encoder|decoder|backbone|bottleneck|"
    r"predictor|transformer|feature_extractor)"
)
_MANY = pattern(r"(^|[._])(models|nets|networks)$")
# What DistributedDataParallel and averages of weights wrap.
_HELD = pattern(
    r"\.(module|ema|ema_(model|net)|shadow(_model)?|(averaged|avg)(_model)?)$|(?<=ema|swa|avg)\.(model|net)$",
    re.IGNORECASE,
)
_WRAPPERS = pattern(
    r"DistributedDataParallel|DDP|DataParallel|compile|getattr|deepcopy|AveragedModel|ExponentialMovingAverage|"
    r"\w*unwrap\w*|de_parallel|\w*raw_model|get_(base|core|inner|bare|raw|underlying)_\w+|(ema_|model_)?copy|clone_model|"
    r"\w*(Ema|EMA)(?![a-z])\w*|\w*MovingAverage\w*|Averaged\w*|\w*DataParallel|FSDP|convert_sync_batchnorm|"
    r"\w*(Wrap|Precond)(p?ed|per|itioned|itioner)?|\w*Denoiser"
)
_PLACING = ("to", "cuda", "eval", "train", "requires_grad_")
_ELSEWHERE = pattern(r"cpu|half|float16")
# What runs the model that it is handed, under which word and at which place.
_INFERERS = {
    "sliding_window_inference": ("predictor", 3),  # of MONAI
    "inferer": ("network", 1),
    "functional_call": ("module", 0),
    "data_parallel": ("module", 0),
    "checkpoint": ("function", 0),
}


def named(node: ast.AST | None) -> str:
    """`a.b["c"][0]` for names, attributes and what constants pick from them; empty for anything else."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        base = named(node.value)
        return f"{base}[{node.slice.value!r}]" if base else ""
    if isinstance(node, ast.Attribute):
        base = named(node.value)
        return f"{base}.{node.attr}" if base else ""
    return path(node)


def parted(name: str) -> tuple[str, str]:
    """The variable that a name begins with, and the rest."""
    found = _ROOT.search(name)
    return (name, "") if found is None else (name[: found.start()], name[found.start() :])


def holder_of(at: ast.AST, name: str, source: Source) -> ast.AST:
    """The function, class or module that a model's name, written at `at`, belongs to."""
    whole = f"{name}." if name == SELF else name.partition("[")[0]
    return owner_of(at, whole, source)


def switched_names(source: Source) -> set[str]:
    """Names that are switched between training and evaluation, or asked for their parameters, as modules alone are;
    losses with weights of their own and tables left out."""
    calls = [method(call) for call in source.nodes((ast.Call,))]
    switched = {named(receiver) for receiver, name in calls if name in ("train", "eval")}
    trained = {named(receiver) for receiver, name in calls if name in ("parameters", "named_parameters")}
    known = (switched | set(filter(may_be_a_network, trained))) - {"", SELF}
    known |= _processes(known, source)
    wrapped = set(_unwrapped(known, source)) - known
    known |= wrapped
    return known | set(_unwrapped(known, source)) if wrapped else known  # what a wrapper holds has a name of its own


def may_be_a_network(name: str) -> bool:
    """Whether a name is not that of a loss with weights of its own, or of a table."""
    return _NO_NET.search(name) is None


def _processes(known: set[str], source: Source) -> set[str]:
    """The names of processes that hold their model: they have an objective, and are sampled from, both handed none."""
    trained, sampled, handed = set[str](), set[str](), set[str]()
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        receiver, called = method(call)
        asked = trained if _OBJECTIVE.fullmatch(called) else sampled if _SAMPLES.fullmatch(called) else None
        if asked is not None:
            asked.add(named(receiver))
            handed |= {named(receiver) for one in handed_in(call) if is_model(bare_name(named(one)), known)}
    return (trained & sampled) - handed - source.import_aliases - {"", SELF}


def _unwrapped(known: set[str], source: Source) -> Iterator[str]:
    """The names of `model.module if wrapped else model` and of wrapped models."""
    for assign in source.nodes((ast.Assign,)):
        assert isinstance(assign, ast.Assign)
        value = assign.value
        is_bare = isinstance(value, ast.Attribute) and _HELD.search(f".{value.attr}") is not None
        if not is_bare and not isinstance(value, (ast.IfExp, ast.Call)):
            continue
        if method(value)[1] not in _PLACING and any(is_model(one, known) for one in alternatives(value)):
            yield from filter(None, (named(target) for target in assign.targets))


def is_model(name: str, switched: set[str]) -> bool:
    """Whether a name means a model: by what is done with it, or by what it is called."""
    whole, _, picked = name.partition("[")
    if name in switched or looks_like_a_model(name) or _PART.search(name) is not None:
        return True
    return bool(picked) and _MANY.search(whole) is not None


def model_of(call: ast.Call, switched: set[str]) -> str:
    """The name of the model that a call runs forward, by calling it or a method that does; empty for other calls."""
    receiver, name = method(call)
    handed = _handed_to_inferer(call)
    called = named(handed) if handed is not None else named(receiver if _FORWARD.fullmatch(name) else call.func)
    if called == SELF:  # other methods of a trainer may well open a region of their own
        return SELF if name in ("", "forward") else ""
    bare = bare_name(called)
    if called and (is_model(bare, switched) or called in switched):
        return bare
    whole = called.rpartition(".")[0]
    return bare_name(whole) if is_piece(called, whole) and is_model(bare_name(whole), switched) else ""


def is_piece(name: str, whole: str) -> bool:
    """Whether a name is that of a layer, or several, of a model."""
    return name.startswith(f"{whole}.") and _PIECE.fullmatch(name[len(whole) + 1 :]) is not None


def bare_name(name: str) -> str:
    """The name without the attributes by which wrappers hold what they wrap."""
    while (inner := _HELD.sub("", name)) not in (name, SELF):
        name = inner
    return name


def handed_name(value: ast.expr | None) -> str:
    """The name of a model that is handed over, where it may be placed or switched by the way; not of one that is cast
    to half or goes to the CPU."""
    while value is not None and method(value)[1] in _PLACING:
        given = " ".join(map(unparsed, getattr(value, "args", ())))
        if _ELSEWHERE.search(given):
            return ""
        value = method(value)[0]
    return bare_name(named(value))


def _handed_to_inferer(call: ast.Call) -> ast.expr | None:
    """The model that a sliding window runs over its input: `sliding_window_inference(x, size, 4, model)`, or one of the
    methods that run it."""
    called = path(call.func).rpartition(".")[2].lstrip("_")
    keyword, position = _INFERERS.get(called, ("", len(call.args)))
    given = [word.value for word in call.keywords if word.arg == keyword and keyword]
    run = next(iter([*given, *call.args[position : position + 1]]), None)
    return run.value if isinstance(run, ast.Attribute) and _FORWARD.fullmatch(run.attr) else run


def alternatives(value: ast.expr) -> Iterator[str]:
    """The variables that `ema.module if ema else model` may be, and those that a wrapper or a copy is made of."""
    if isinstance(value, ast.IfExp):
        yield from (*alternatives(value.body), *alternatives(value.orelse))
    elif isinstance(value, ast.BoolOp):
        yield from (alias for operand in value.values for alias in alternatives(operand))
    elif isinstance(value, ast.Call) and method(value)[1] in _PLACING:
        yield from alternatives(method(value)[0])
    elif isinstance(value, ast.Call) and _WRAPPERS.fullmatch(path(value.func).rpartition(".")[2]):
        if value.args:
            receiver, called = method(value.args[0])
            yield from alternatives(receiver if called == "parameters" else value.args[0])
        elif path(value.func).startswith("self."):
            yield "self.model"
    elif named(value):
        yield bare_name(named(value))


def handed(function: ast.AST, name: str, source: Source) -> Iterator[tuple[str, ast.AST]]:
    """The variables that calls in this file pass for a parameter, each with where it belongs."""
    called = getattr(function, "name", "")
    if called == "__init__":
        called = getattr(next(source.ancestors(function), None), "name", "")
    for call in source.calls_to(called):
        variable = bare_name(named(given_for(name, function, call)))
        if variable and path(call.func):
            yield variable, holder_of(call, variable, source)
