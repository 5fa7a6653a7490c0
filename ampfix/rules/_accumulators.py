"""Half tensors that are built, and half copies of models: what an accumulator may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set

from ampfix.patterns import pattern
from ampfix.program import Form, Source
from ampfix.records import dataclass
from ampfix.rules._shapes import method, owner_of, path


@dataclass(frozen=True)
class Built:
    """A half tensor or model copy. half: the dtype or cast that makes it half; at: the statement that names it."""

    name: str
    owner: ast.AST
    half: ast.expr
    dtype: str
    at: ast.AST
    is_copy: bool


_FACTORIES = frozenset(
    {"zeros", "ones", "tensor", "full", "empty", "scalar_tensor", "zeros_like", "ones_like", "full_like", "empty_like"}
)
_COPIES = ("copy.deepcopy", "torch.optim.swa_utils.AveragedModel")
_COPYING = frozenset({"deepcopy", "AveragedModel"})
_MAKERS = _FACTORIES | _COPYING
_UNDOING = ("float", "double", "detach", "item")


_STEMS = ("zeros", "ones", "tensor", "full", "empty")  # each factory begins with one, behind `scalar_` at most
_ASSIGNING = pattern(
    r"""(?:([\w.]+)[ \t]*(?::[^=\n]+)?=|register_buffer\(\s*["'](\w+)["']\s*,)[\s(]*(?:[\w.]+\.)?(?:scalar_)?\Z"""
)
_CALLED = pattern(r"\w+\s*\(")
_METHOD = pattern(r"[\s)\\]*\.\s*(\w+)\s*\(")
_GIVEN = pattern(r"\bdtype\s*=\s*(?!torch\.(?:float32|float64|double|float\b|u?int|long|bool))")
_CASTING = ("half", "bfloat16", "to", "type")
_CASTS = tuple(f".{cast}(" for cast in _CASTING)
_CHANGED = pattern(r"\.(?:mul_|lerp_|add_|copy_)\(|update_parameters")
_BRACKET = pattern(r"[()]")
_TO_DEVICE = pattern(r"\s*[\w.]*device\s*(?:,\s*non_blocking\s*=\s*\w+\s*)?\)")
_LOOP = pattern(r"\s*(?:async\s+)?for\b")
_TEXT = r""""[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'"""
_MARK = pattern(rf"[][(){{}}]|:[ \t]*[\r\n]|{_TEXT}")
_STATEMENT_MARK = pattern(rf"[][(){{}}]|(?<!\\)(?<!\\\r)\n|{_TEXT}")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_BEFORE, _BEHIND = 160, 600  # characters of a statement before what makes a tensor, and behind it


def may_accumulate(code: str) -> bool:
    """Whether a text may hold an accumulator in half: a copy or a table, or a tensor that something is added to."""
    if any(code.endswith(tuple(_MAKERS), 0, at) for at in _places(" as ", code)):
        return True
    may_average = _CHANGED.search(code) is not None and (_has_copy(code) or _has_table(code))
    return may_average or any(_is_added_to(name, code) for name in _named_in_half(code))


def _has_copy(code: str) -> bool:
    """Whether a copy of a model may be cast where it is made."""
    copies = (at for copy in ("deepcopy(", "AveragedModel(") for at in _places(copy, code))
    return any(_is_cast(code, _closing(code, code.find("(", at) + 1)) for at in copies)


def _has_table(code: str) -> bool:
    """Whether the elements of a comprehension may be casts."""
    casts = (at + len(cast) for cast in _CASTS for at in _places(cast, code))
    return any(_TO_DEVICE.match(code, at) is None and _is_element(code, _closing(code, at)) for at in casts)


def _is_element(code: str, end: int) -> bool:
    """Whether what ends here may be the element of a comprehension: no statement of its own, with a colon, follows."""
    following = _LOOP.match(code, end)
    depth = 0
    for mark in _MARK.finditer(code, following.end()) if following is not None else ():
        depth += (mark[0] in _OPENING) - (mark[0] in _CLOSING)
        if depth < 0 or (not depth and mark[0][0] == ":"):
            return depth < 0
    return following is not None


def _named_in_half(code: str) -> Iterator[str]:
    """The names given to tensors that may be made in half; of attributes the last part, with its dot."""
    for stem in _STEMS:
        for at in _places(stem, code):
            called = _CALLED.match(code, at)
            assigning = _ASSIGNING.search(code, max(0, at - _BEFORE), at) if called and _in_half(code, called) else None
            if assigning:
                _, dot, last = (assigning[1] or f".{assigning[2]}").rpartition(".")
                yield dot + last


def _in_half(code: str, called: re.Match[str]) -> bool:
    """Whether what is called here may be handed a half as its dtype, or be cast to one."""
    end = _closing(code, called.end())
    return _GIVEN.search(code, called.end(), end) is not None or _is_cast(code, end)


def _is_cast(code: str, end: int) -> bool:
    """Whether a value whose call ends here may be cast by one of the methods that are called on it."""
    while (called := _METHOD.match(code, end)) is not None:
        if called[1] in _CASTING and _TO_DEVICE.match(code, called.end()) is None:
            return True
        end = _closing(code, called.end())
    return False


def _closing(code: str, start: int) -> int:
    """Where the arguments that start here end."""
    depth = 1
    for bracket in _BRACKET.finditer(code, start):
        depth += 1 if bracket[0] == "(" else -1
        if not depth:
            return bracket.end()
    return len(code)


def _places(word: str, code: str) -> Iterator[int]:
    at = code.find(word)
    while at >= 0:
        yield at
        at = code.find(word, at + len(word))


def _is_added_to(name: str, code: str) -> bool:
    is_attribute = name.startswith(".")
    for at in _places(name, code):
        end = at + len(name)
        if not is_attribute and _WITHIN.match(code[at - 1 : at]):
            continue  # the end of another name, or an attribute
        if _ADDED.match(code, end):
            return True
        if _SET.match(code, end) and not _MADE.match(code, end):
            value = code[end + 1 : _end_of_statement(code, end)]
            if name in value and ("+" in value or "-" in value):
                return True
    return False


def _end_of_statement(code: str, start: int) -> int:
    """Where the statement ends that goes on here, as far as is looked."""
    depth = 0
    for mark in _STATEMENT_MARK.finditer(code, start, start + _BEHIND):
        depth += (mark[0] in _OPENING) - (mark[0] in _CLOSING)
        if depth <= 0 and mark[0] == "\n":
            return mark.start()
    return start + _BEHIND


_ADDED = pattern(r"\s*(?:[+-]=|\.\s*(?:mul_|add_|sub_|lerp_|data)\b)")
_SET = pattern(r"\s*=(?!=)")
_WITHIN = pattern(r"[\w.]")
_MADE = pattern(rf"\s*=[\s(]*(?:[\w.]+\.)?(?:{'|'.join(sorted(_FACTORIES))})\s*\(")


def built_in_half(source: Source, sums: Set[str]) -> Iterator[Built]:
    """Copies of models in half, and tensors in half under the names of sums."""
    for node in source.nodes((ast.Assign, ast.AnnAssign, ast.Call)):
        name, value = _named(node)
        if not name or not isinstance(value, ast.Call):
            continue
        chain, made = _chain(value, _MAKERS if name in sums else _COPYING, source)
        if not made:
            continue
        if any(call.func.attr in _UNDOING for call in chain[:-1] if isinstance(call.func, ast.Attribute)):
            continue
        half, dtype = _cast(chain[:-1], source)
        if made in _FACTORIES and half is None:
            half, dtype = next(
                (
                    (k.value, found)
                    for k in chain[-1].keywords
                    if k.arg == "dtype" and (found := source.half_dtype(k.value))
                ),
                (None, ""),
            )
        if half is not None:
            yield Built(name, owner_of(node, name, source), half, dtype, node, made in _COPIES)


def _cast(chain: list[ast.Call], source: Source) -> tuple[ast.expr | None, str]:
    """The innermost call that casts to half, and the dtype. The casts of a file are looked up where one may matter."""
    casts = {cast.node: cast.dtype for cast in source.half_casts} if chain else {}
    return next(((call, casts[call]) for call in reversed(chain) if call in casts), (None, ""))


def _chain(value: ast.Call, makers: frozenset[str], source: Source) -> tuple[list[ast.Call], str]:
    """The calls on what a call makes, outermost first, down to the one that makes it, and what that is (`_maker`)."""
    chain = [value]
    made = _maker(value, makers, source)
    while not made and isinstance(chain[-1].func, ast.Attribute) and isinstance(chain[-1].func.value, ast.Call):
        chain.append(chain[-1].func.value)
        made = _maker(chain[-1], makers, source)
    return chain, made


def tables_in_half(source: Source) -> Iterator[Built]:
    """`{name: p.clone().half() for name, p in ...}` and the list of the same: an average kept beside the model."""
    for assign in source.nodes((ast.Assign,)):
        assert isinstance(assign, ast.Assign)
        made, name = assign.value, path(assign.targets[0])
        value = made.value if isinstance(made, ast.DictComp) else made.elt if isinstance(made, ast.ListComp) else None
        if not name or not isinstance(value, ast.Call) or method(value)[1] not in _CASTING:
            continue
        half, dtype = _cast([value], source)
        if half is not None:
            yield Built(name, owner_of(assign, name, source), half, dtype, assign, is_copy=True)


def _named(node: ast.AST) -> tuple[str, ast.expr | None]:
    """The name a node gives a value, and the value: an assignment or a registered buffer."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return path(node.targets[0]), node.value
    if isinstance(node, ast.AnnAssign):
        return path(node.target), node.value
    receiver, name = method(node)
    if name == "register_buffer" and isinstance(node, ast.Call) and len(node.args) > 1:
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and path(receiver):
            return f"{path(receiver)}.{first.value}", node.args[1]
    return "", None


def _maker(call: ast.Call, makers: frozenset[str], source: Source) -> str:
    """What makes the value, if any of these: the name of torch's factory, or the qualified name of what copies a
    model."""
    if not source.may_be(call.func, makers):
        return ""
    for binding in source.resolve(call.func):
        if binding.form is Form.SYMBOL:
            if binding.symbol in _COPIES:
                return binding.symbol
            if binding.symbol.rpartition(".")[0] == "torch" and binding.symbol.rpartition(".")[2] in _FACTORIES:
                return binding.symbol.rpartition(".")[2]
    return ""
