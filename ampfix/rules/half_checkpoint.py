"""AMP306."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Form, HalfCast, Source
from ampfix.program.tree import walk
from ampfix.records import replace
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._checkpoints import saved
from ampfix.rules._optimizers import trained
from ampfix.rules._shapes import function_of, inside, loops, method, owner_of, path, placed, statement_of
from ampfix.rules._spellings import CASTS, HALF_MADE
from ampfix.rules._training import trains_inside


class HalfCheckpoint(Rule):
    """A checkpoint for resuming holds half weights.

    ## What it does
    Finds weights that are cast to half in a checkpoint which also holds the optimizer's state, and `model.half()`
    inside a save in a training loop, which casts the model itself. A half copy saved for deployment is left alone.

    ## Why is this bad
    Under AMP the weights are float32 because half cannot hold their small updates: a run that resumes from half
    weights has lost the last 13 bits of each, while the optimizer's moments still belong to the old ones.
    `Module.half()` works in place, so `model.half().state_dict()` leaves the model that trains on in half.

    ## Example
    ```python
    torch.save({"model": model.half().state_dict(), "optimizer": optimizer.state_dict()}, path)
    ```

    ## Use instead
    ```python
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    torch.save(copy.deepcopy(model).half().state_dict(), "deploy.pt")
    ```

    ## Fix safety
    Unsafe: the file is twice as large, and a program that loads it and expects half weights has to cast them.

    ## References
    - https://pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.half
    """

    code, name, severity = "AMP306", "half-checkpoint", Severity.ERROR
    fix = Applicability.UNSAFE
    scenarios = ("resume-from-half-weights",)
    mentions = tuple(("save(", "state_dict", half) for half in HALF_MADE)
    needs = (CASTS, ("re:(?i)optim|\\bopt",))

    VALID = (
        """\
import copy
import torch

def train(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    for epoch in range(9):
        for x, y in loader:
            model(x, y).backward()
            optimizer.step()
        torch.save(copy.deepcopy(model).half().state_dict(), "deploy.pt")
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")
    torch.save(model.half().state_dict(), "final.pt")
""",
        """\
import torch

def export(model, path):
    state = {name: value.half() for name, value in model.state_dict().items()}
    torch.save(state, path)
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    for epoch in range(9):
        for x, y in loader:
            model(x, y).backward()
            optimizer.step()
        torch.save(model.half().state_dict(), "last.pt")
""",
            """\
import torch

def train(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    for epoch in range(9):
        for x, y in loader:
            model(x, y).backward()
            optimizer.step()
        torch.save(model.state_dict(), "last.pt")
""",
            (9,),
        ),
        Invalid(
            """\
import torch

def save(model, optimizer, path):
    checkpoint = {
        "model": {name: value.to(torch.float16) for name, value in model.state_dict().items()},
        "optimizer": optimizer.state_dict(),
    }
    torch.save(checkpoint, path)
""",
            """\
import torch

def save(model, optimizer, path):
    checkpoint = {
        "model": {name: value for name, value in model.state_dict().items()},
        "optimizer": optimizer.state_dict(),
    }
    torch.save(checkpoint, path)
""",
            (5,),
        ),
        Invalid(
            """\
import torch

def save(model, optimizer, path):
    weights = {name: value.bfloat16() for name, value in model.state_dict().items()}
    torch.save({"model": weights, "optimizer": optimizer.state_dict()}, path)
""",
            """\
import torch

def save(model, optimizer, path):
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    torch.save({"model": weights, "optimizer": optimizer.state_dict()}, path)
""",
            (4,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if not source.half_casts:
            return
        resuming = [_holder(entry.node, source) for entry in saved(source)]
        updated = {(one.name, one.owner) for one in trained(source)}
        for cast in source.half_casts:
            holder = _holder(cast.node, source) or _stored(cast.node, source)
            for_resuming = holder is not None and holder in resuming
            name = path(placed(cast.operand))
            in_place = bool(name) and not _is_item(cast, source) and _becomes_state(cast, source)
            live = in_place and (name, owner_of(cast.node, name, source)) in updated and _trains_on(cast, source)
            if live:
                yield self._finding(cast, f"{name}.half() casts the model itself, which then trains on in half", source)
            elif for_resuming and not _belongs_to_optimizer(cast.node, holder):
                message = (
                    f"the checkpoint is for resuming and keeps {cast.dtype} weights, which have lost 13 bits or more"
                )
                yield replace(self._finding(cast, message, source), severity=Severity.WARNING)

    def _finding(self, cast: HalfCast, message: str, source: Source) -> Finding:
        return self.finding(
            source,
            source.span(cast.node),
            message,
            repair=Repair(
                "remove_cast",
                Applicability.UNSAFE,
                "Save float32 weights",
                source.span(cast.node),
                {} if _holder(cast.node, source) or not _stored(cast.node, source) else {"copy": "it is kept"},
            ),
        )


def _holder(node: ast.AST, source: Source) -> ast.AST | None:
    """The outermost dictionary that a value is put into by its statement."""
    found: ast.AST | None = None
    for around in source.ancestors(node):
        if isinstance(around, ast.stmt):
            break
        if isinstance(around, ast.Dict) or (isinstance(around, ast.Call) and path(around.func) == "dict"):
            found = around
    return found


def _stored(node: ast.AST, source: Source) -> ast.AST | None:
    """The dictionary that the name of a value is put into."""
    statement = statement_of(node, source)
    name = path(statement.targets[0]) if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else ""
    if not name or (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict)):
        return None
    function = function_of(node, source)
    for use in source.nodes((ast.Name,)):
        is_value = path(use) == name and isinstance(next(source.ancestors(use), None), ast.Dict)
        if is_value and function_of(use, source) is function:
            return _holder(use, source)
    return None


def _belongs_to_optimizer(node: ast.AST, holder: ast.AST | None) -> bool:
    """Whether the cast stands in the entry of the optimizer's state."""
    if not isinstance(holder, ast.Dict):
        return False
    for key, value in zip(holder.keys, holder.values, strict=True):
        if node in walk(value):
            return isinstance(key, ast.Constant) and "optim" in str(key.value).lower()
    return False


def _is_item(cast: HalfCast, source: Source) -> bool:
    """Whether the cast is of one tensor in a comprehension."""
    comprehensions = (ast.DictComp, ast.ListComp, ast.GeneratorExp)
    return any(isinstance(around, comprehensions) for around in inside(cast.node, source))


def _becomes_state(cast: HalfCast, source: Source) -> bool:
    """Whether the cast module, or its state, is what torch.save gets in this very statement."""
    for around in source.ancestors(cast.node):
        if isinstance(around, ast.stmt):
            return False
        if isinstance(around, ast.Call) and method(around)[1] == "save":
            return any(b.form is Form.SYMBOL and b.symbol == "torch.save" for b in source.resolve(around.func))
    return False


def _trains_on(cast: HalfCast, source: Source) -> bool:
    """Whether a loop around the save runs backward passes too."""
    return any(trains_inside(loop, source) for loop in loops(cast.node, source))
