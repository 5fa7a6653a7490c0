"""AMP601."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Form, Source
from ampfix.rules._base import Invalid, NodeRule
from ampfix.rules._successors import SUCCESSORS

_HELPERS = tuple(f"_autocast_{device}_" for device in ("cpu", "gpu", "xla", "ipu"))
# A deprecated name, unless it is torch's own new one.
_NAMED = (
    *(rf"re:{name}\b(?<!torch\.{name})(?<!torch\.amp\.{name})" for name in ("autocast", "GradScaler")),
    "custom_fwd",
    "custom_bwd",
    *_HELPERS,
)
_PACKAGES = ("cuda.amp", "cpu.amp", "import amp")


class DeprecatedApi(NodeRule):
    """A deprecated AMP name is used.

    ## What it does
    Finds uses of `torch.cuda.amp`, `torch.cpu.amp` and the per-device autocast helpers, in every spelling: module
    aliases, renamed imports, decorators, `functools.partial`, attributes. Imports alone and code that runs only on old
    versions of torch (`except ImportError`, a version test) are left alone.

    ## Why is this bad
    These names warn since torch 2.4 and will go. The warning's own advice is wrong for positional arguments:
    `torch.amp.GradScaler(1024.0)` takes 1024.0 for a device and keeps the default scale.

    ## Example
    ```python
    from torch.cuda.amp import GradScaler, autocast

    scaler = GradScaler(1024.0)
    with autocast(use_amp):
        ...
    ```

    ## Use instead
    ```python
    from torch.amp import GradScaler, autocast

    scaler = GradScaler("cuda", init_scale=1024.0)
    with autocast("cuda", enabled=use_amp):
        ...
    ```

    ## Fix safety
    Safe: positional arguments become keywords, imports and every use move together. Where the project supports a torch
    that lacks the successor (`torch.amp.GradScaler` came with 2.3), nothing is changed. No scenario proves it, since
    both spellings behave the same.

    ## References
    - https://pytorch.org/docs/stable/amp.html
    """

    code, name, severity = "AMP601", "deprecated-api", Severity.WARNING
    nodes = (ast.Name, ast.Attribute)
    fix = Applicability.SAFE
    mentions = tuple((word,) for word in (*_PACKAGES, *_HELPERS))
    needs = (_NAMED,)
    unproven = "both spellings name the same code; only the warnings differ, and tests execute each repair"

    VALID = (
        """\
import torch

def scaler(enabled):
    if hasattr(torch.amp, "GradScaler"):
        return torch.amp.GradScaler("cuda", enabled=enabled)
    return torch.cuda.amp.GradScaler(enabled=enabled)

def region(device):
    if hasattr(torch.amp, "autocast"):
        try:
            return torch.amp.autocast(device)
        except TypeError:
            return torch.cuda.amp.autocast()
    return torch.cuda.amp.autocast()
""",
        """\
import torch

scaler = torch.amp.GradScaler("cuda")
with torch.autocast("cuda"):
    pass
""",
        """\
try:
    from torch.amp import autocast
except ImportError:
    from torch.cuda.amp import autocast

with autocast("cuda"):
    pass
""",
        """\
from mylib.amp import autocast

with autocast():
    pass
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

with torch.cuda.amp.autocast(False):
    pass
""",
            """\
import torch

with torch.amp.autocast("cuda", enabled=False):
    pass
""",
            (3,),
        ),
        Invalid(
            """\
from torch.cuda import amp

scaler = amp.GradScaler(1024.0)
""",
            """\
from torch import amp

scaler = amp.GradScaler("cuda", init_scale=1024.0)
""",
            (3,),
        ),
        Invalid(
            """\
import torch as th

dtype = th.get_autocast_gpu_dtype()
""",
            """\
import torch as th

dtype = th.get_autocast_dtype("cuda")
""",
            (3,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        for node in source.nodes(self.nodes):
            if source.may_be(node, _LAST_NAMES):  # type: ignore[arg-type]
                yield from self.visit(node, source)

    def visit(self, node: ast.AST, source: Source) -> Iterator[Finding]:
        assert isinstance(node, (ast.Name, ast.Attribute))
        if not isinstance(node.ctx, ast.Load):
            return
        bindings = source.resolve(node)
        symbols = {binding.symbol for binding in bindings if binding.form is Form.SYMBOL}
        if not symbols or not symbols <= SUCCESSORS.keys() or any(b.form is not Form.SYMBOL for b in bindings):
            return
        if isinstance(node, ast.Name) and _is_alias(node, source):
            return
        if _is_for_old_torch(node, source):
            return
        symbol = min(symbols)
        yield self.finding(
            source,
            source.span(node),
            f"{symbol} is deprecated; use {SUCCESSORS[symbol]}",
            symbol=symbol,
            repair=Repair(
                "modernize_api", Applicability.SAFE, f"Use {SUCCESSORS[symbol]}", source.span(node), {"symbol": symbol}
            ),
        )


_SUCCESSOR = pattern(r"\btorch(\.amp\b| import amp\b|\.(autocast|GradScaler)\b)")
_ASKS_FOR_AMP = pattern(
    r"hasattr\((?:torch\b(?!\.cuda(?:, .amp.\)|\.amp\b))|amp\b|autocast\b)[^()]*(amp|autocast|GradScaler)\b"
)  # torch.cuda.amp, which every torch with regions has, is asked for in vain
_ASKS_FOR_TORCH = pattern(r"version|torch_(?!dtype|device|compile|amp)", re.IGNORECASE)
_LAST_NAMES = frozenset(name.rpartition(".")[2] for name in SUCCESSORS)


def _in_front(node: ast.AST, parent: ast.AST) -> Iterator[ast.If]:
    """The `if` statements of a function that stand in front of a node."""
    body = parent.body if isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)) else []
    for statement in body:
        if isinstance(statement, ast.If) and (statement.end_lineno or 0) < getattr(node, "lineno", 0):
            yield statement


def _leaves_new_torch(statement: ast.If) -> bool:
    """`if hasattr(torch.amp, "GradScaler"): return ...`: what follows runs where it is missing."""
    test = ast.unparse(statement.test)
    return test.startswith("hasattr(torch") and _leaves(statement.body)


def _leaves(block: list[ast.stmt]) -> bool:
    last = block[-1]
    if isinstance(last, ast.Try):
        return _leaves(last.body)  # a handler runs where the successor failed
    return isinstance(last, (ast.Return, ast.Raise))


def _is_second_choice(node: ast.AST, parent: ast.AST) -> bool:
    """`getattr(torch.amp, "GradScaler", node)`, and the same with `or node` behind it."""
    if isinstance(parent, ast.Call):
        return node in parent.args[2:] and _asks_torch(parent)
    return isinstance(parent, ast.BoolOp) and parent.values[0] is not node and _asks_torch(parent.values[0])


def _asks_torch(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value).startswith("getattr(torch")


def _is_alias(node: ast.Name, source: Source) -> bool:
    """A variable that holds a deprecated name; the name itself is reported where the variable is set."""
    return node.id not in source.import_aliases


def _is_for_old_torch(node: ast.AST, source: Source) -> bool:
    """Whether the code around runs only where the successor is missing."""
    for parent in source.ancestors(node):
        if isinstance(parent, (ast.If, ast.IfExp)):
            test = ast.unparse(parent.test)
            if _ASKS_FOR_AMP.search(test) or _ASKS_FOR_TORCH.search(test):
                return True
        if any(_leaves_new_torch(one) for one in _in_front(node, parent)) or _is_second_choice(node, parent):
            return True
        if isinstance(parent, ast.ExceptHandler):
            caught = "Exception" if parent.type is None else ast.unparse(parent.type)
            if any(name in caught for name in ("ImportError", "AttributeError", "ModuleNotFoundError", "TypeError")):
                return True
            tried = next(around for around in source.ancestors(parent) if isinstance(around, ast.Try))
            if "Exception" in caught and any(_SUCCESSOR.search(ast.unparse(statement)) for statement in tried.body):
                return True
    return False
