"""Modules that a file casts to half, and the optimizers that train modules."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping

from ampfix.program import Binding, Form, HalfCast, Source
from ampfix.records import dataclass, replace
from ampfix.rules._remembered import per_source
from ampfix.rules._shapes import inside, looks_like_a_model, loops, method, owner_of, path, placed

_DTYPE_WORDS = ("torch_dtype", "dtype")
_QUANTIZED = ("quantization_config", "load_in_4bit", "load_in_8bit")
_CONDITIONAL = (ast.If, ast.IfExp, ast.Try, ast.Match, ast.ExceptHandler)


@dataclass(frozen=True)
class CastModel:
    """A module that is half from here on. name: as written; owner: the function or class the name belongs to.

    certain: no test decides whether the cast happens. at: the call that has it cast, in a function that only calls.
    """

    cast: HalfCast
    name: str
    owner: ast.AST
    certain: bool
    at: ast.Call | None = None

    @property
    def place(self) -> ast.Call:
        """Where the model becomes half in the function that knows it by this name."""
        return self.at or self.cast.node


def cast_models(source: Source) -> Iterator[CastModel]:
    """`net.half()` as a statement (modules are cast in place), and `net = Net().cuda().half()`."""
    for cast in source.half_casts:
        holder = chain_end(cast.node, source)
        if holder is None:
            continue
        parent = next(source.ancestors(holder), None)
        name = path(placed(cast.operand))
        if isinstance(parent, ast.Expr) and name:
            yield cast_model(cast, name, source)
        elif isinstance(parent, ast.Assign) and len(parent.targets) == 1:
            target = path(parent.targets[0])
            if target and (
                (target == name and looks_like_a_model(name))
                or _builds_module(placed(cast.operand), source)
                or _has_parameters(target, parent, source)
            ):
                yield cast_model(cast, target, source)


def chosen_models(source: Source) -> Iterator[CastModel]:
    """`model.to(dtype)`, as a statement or bound to a name, where dtype is a half on some paths."""
    known = {cast.node for cast in source.half_casts}
    for call in source.nodes((ast.Call,)):
        receiver, name = method(call)
        if name != "to" or not isinstance(call, ast.Call) or call in known:
            continue
        end = chain_end(call, source)
        parent = next(source.ancestors(end), None) if end is not None else None
        if not isinstance(parent, (ast.Expr, ast.Assign)):
            continue
        target = path(parent.targets[0] if isinstance(parent, ast.Assign) else receiver)
        if not target or not (looks_like_a_model(path(receiver) or target) or _has_parameters(target, parent, source)):
            continue
        half = _chosen_half([*call.args, *(word.value for word in call.keywords if word.arg == "dtype")], source)
        if half:
            yield replace(cast_model(HalfCast(call, receiver, half), target, source), certain=False)


def _chosen_half(given: Iterable[ast.expr], source: Source) -> str:
    """A half that one of some arguments may be."""
    named = (one for one in given if isinstance(one, (ast.Name, ast.Attribute, ast.IfExp)))
    held = frozenset[str]().union(*map(source.dtypes, named))
    return _half_among(held)


def _half_among(held: Collection[str]) -> str:
    return next((dtype for dtype in ("float16", "bfloat16") if dtype in held), "")


def models_loaded_by_choice(source: Source) -> Iterator[CastModel]:
    """`net = Net.from_pretrained(name, **settings)`, where a half is what settings, or the dtype, may be."""
    known = {model.cast.node for model in loaded_models(source)}
    for assign, call, target in _loads(source):
        if call in known:
            continue
        half = _chosen_half((word.value for word in call.keywords if word.arg in _DTYPE_WORDS), source)
        is_seen = not any(word in source.text for word in _QUANTIZED)  # settings may quantize the weights
        settings = (word.value for word in call.keywords if word.arg is None and is_seen)
        half = half or _half_among([one for held in settings for one in source.unpacked_dtypes(held, _DTYPE_WORDS)])
        if half and _is_only_placed(assign.value, call):
            yield replace(cast_model(HalfCast(call, call.func, half), target, source), certain=False)


def loaded_models(source: Source) -> Iterator[CastModel]:
    """`net = Net.from_pretrained(name, torch_dtype=torch.float16)`."""
    for assign, call, target in _loads(source):
        dtype = loaded_dtype(assign.value, source)
        if dtype is not None:
            yield cast_model(HalfCast(call, call.func, dtype), target, source)


def loaded_dtype(value: ast.expr, source: Source) -> str | None:
    """The half that `Net.from_pretrained(name, torch_dtype=torch.float16)` loads, placed or not."""
    call = placed(value)
    if not isinstance(call, ast.Call) or method(call)[1] != "from_pretrained" or not _is_only_placed(value, call):
        return None
    named = (word.value for word in call.keywords if word.arg in _DTYPE_WORDS)
    is_quantized = any(word.arg in _QUANTIZED for word in call.keywords)
    found = (dtype for one in named if (dtype := source.half_dtype(one)) is not None)
    return None if is_quantized else next(found, None)


def _loads(source: Source) -> Iterator[tuple[ast.Assign, ast.Call, str]]:
    """`net = Net.from_pretrained(...)`, unless the weights are quantized: the call, and the name."""
    for assign in source.nodes((ast.Assign,)):
        assert isinstance(assign, ast.Assign)
        call, target = placed(assign.value), path(assign.targets[0])
        if not isinstance(call, ast.Call) or method(call)[1] != "from_pretrained" or not target:
            continue
        if not any(k.arg in _QUANTIZED for k in call.keywords):
            yield assign, call, target


def _is_only_placed(value: ast.expr, call: ast.Call) -> bool:
    """Whether nothing but a device, or the mode of training, follows a call: `Net.from_pretrained(...).to(device)`."""
    while value is not call:
        receiver, name = method(value)
        if name not in ("to", "cuda", "train") or "float" in ast.unparse(value)[len(ast.unparse(receiver)) :]:
            return False
        value = receiver
    return True


def cast_model(cast: HalfCast, name: str, source: Source) -> CastModel:
    return CastModel(cast, name, owner_of(cast.node, name, source), is_certain(cast.node, source))


def is_certain(node: ast.AST, source: Source) -> bool:
    """Whether no test decides on a node where its function runs."""
    return not any(isinstance(one, _CONDITIONAL) and not _is_script(one) for one in inside(node, source))


def _is_script(node: ast.AST) -> bool:
    """`if __name__ == "__main__":`, under which a script runs."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and path(node.test.left) == "__name__"


def chain_end(node: ast.AST, source: Source) -> ast.AST | None:
    """The outermost call of a chain of placing methods around a cast; None where the chain leaves half again."""
    parents = source.ancestors(node)
    for attribute in parents:
        if not isinstance(attribute, ast.Attribute):
            return node
        call = next(parents, None)
        if not isinstance(call, ast.Call) or call.func is not attribute:
            return None
        if attribute.attr in ("float", "double", "state_dict"):
            return None
        node = call
    return node


def _builds_module(node: ast.expr, source: Source) -> bool:
    """Whether an expression is a module: one that is built here, or a name whose parameters are asked for."""
    if isinstance(node, ast.Call):
        return any(is_module_class(b.symbol, b.form, b.node, source) for b in source.resolve(node.func))
    return bool(path(node)) and _has_parameters(path(node), node, source)


def _has_parameters(name: str, at: ast.AST, source: Source) -> bool:
    """Whether the parameters of what a name holds are asked for where the name belongs."""
    owner = owner_of(at, name, source)
    for call in source.nodes((ast.Call,)):
        receiver, called = method(call)
        if called == "parameters" and path(receiver) == name and owner_of(call, name, source) is owner:
            return True
    return False


def is_module_class(symbol: str, form: Form, node: object, source: Source) -> bool:
    """Whether calling this builds a torch module."""
    if form is Form.SYMBOL:
        return symbol.startswith(("torch.nn.", "torchvision.models.", "timm.create_model", "timm.models."))
    if form is not Form.CLASS or not isinstance(node, ast.ClassDef):
        return False
    return any(_is_module_base(binding, node, source) for base in node.bases for binding in source.resolve(base))


def _is_module_base(base: Binding, node: ast.ClassDef, source: Source) -> bool:
    if base.form is Form.SYMBOL:
        return base.symbol.rpartition(".")[2] in ("Module", "LightningModule")
    is_above = isinstance(base.node, ast.ClassDef) and base.node.lineno < node.lineno
    return is_above and is_module_class(base.symbol, base.form, base.node, source)


def assigned(name: str, owner: ast.AST, source: Source) -> Iterator[ast.expr]:
    """What a name is set to where it belongs."""
    for node, value in set_to(source).get(name, ()):
        if owner_of(node, name, source) is owner:
            yield value


@per_source
def set_to(source: Source) -> Mapping[str, list[tuple[ast.AST, ast.expr]]]:
    """What is set to something, by its name: each statement with its value. Many questions are asked of one file."""
    found: dict[str, list[tuple[ast.AST, ast.expr]]] = {}
    for target, node, value in _assignments(source):
        found.setdefault(target, []).append((node, value))
    return found


def _assignments(source: Source) -> Iterator[tuple[str, ast.AST, ast.expr]]:
    """Target, statement and value of every assignment, loops over what is written out among them."""
    for node in source.nodes((ast.Assign, ast.AnnAssign)):
        assert isinstance(node, (ast.Assign, ast.AnnAssign))
        if node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = zip(target.elts, node.value.elts, strict=False)
                yield from ((path(one), node, value) for one, value in pairs)
            else:
                yield path(target), node, node.value
    for loop in source.nodes((ast.For, ast.comprehension)):
        assert isinstance(loop, (ast.For, ast.comprehension))
        yield from ((path(loop.target), loop, one) for one in getattr(loop.iter, "elts", ()))


def data_casts(source: Source) -> Iterator[HalfCast]:
    """Casts of a parameter's data, kept in the parameter itself."""
    for cast in source.half_casts:
        assign = next(source.ancestors(cast.node), None)
        target = path(assign.targets[0]) if isinstance(assign, ast.Assign) else ""
        is_data = target.endswith(".data") and not target.endswith(".grad.data") and path(cast.operand) == target
        if is_data and not _is_frozen_loop(cast.node, source):
            yield cast


def looped_over(cast: HalfCast, source: Source) -> CastModel | None:
    """The model whose parameters the loop around casts, one by one."""
    loop = next(iter(loops(cast.node, source)), None)
    receiver, name = method(loop.iter) if isinstance(loop, ast.For) else (cast.operand, "")
    is_of_all = name in ("parameters", "named_parameters") and path(receiver)
    return cast_model(cast, path(receiver), source) if is_of_all else None


def _is_frozen_loop(node: ast.AST, source: Source) -> bool:
    """Whether the loop around freezes what it casts, or walks over a copy."""
    loop = next(iter(loops(node, source)), None)
    text = source.segment(loop) if loop is not None else ""
    return "requires_grad" in text or any(word in text.split(":")[0].lower() for word in ("ema", "teacher", "copy"))
