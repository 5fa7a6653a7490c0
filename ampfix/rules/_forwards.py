"""What the calls of a file run forward: a model by itself, or those that a helper of the file is handed or holds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import Form, Source
from ampfix.program.tree import unparsed
from ampfix.rules._evaluations import LIKE_A_REGION
from ampfix.rules._halfmodels import assigned
from ampfix.rules._models import (
    alternatives,
    bare_name,
    handed,
    is_model,
    may_be_a_network,
    model_of,
    named,
    parted,
    switched_names,
)
from ampfix.rules._places import given_for, parameters
from ampfix.rules._shapes import (
    backwards,
    bound,
    function_of,
    handed_in,
    is_without_grad,
    looks_like_a_model,
    method,
    opener_of,
    own,
    owner_of,
    path,
    statement_of,
)

_HOPS = 3  # helpers that only pass the model on
# What runs what it is handed.
_RUNS = pattern(r"loss|criterion|objective|forward|(^|_)(step|run|predict|compute|calc)", re.IGNORECASE)
# Methods of models that are called beside a forward and run none.
_KEEPS = pattern(
    r"_?(train|eval)|_?(to|cuda|cpu|half|float|bfloat16|apply|state|load|save|named?|parameters|modules|children|buffers|zero|"
    r"require|requires|no_sync|get_(?!\w*(feature|embed|logit|loss|output|pred))|set|update|reset|init|freeze|unfreeze|log|"
    r"print|count|num|clip|register|share|join|(un|de)?normali[sz]e|tokeni[sz]e|process|preprocess|collate|is|has|add|"
    r"append|push|make|create|build_(optim|sched)|config\w*|backward|step)(_\w+)?"
)
_PREDICTED = pattern(r"loss|out|logit|pred|score|recon|feat|emb|hat\b|result", re.IGNORECASE)


class Forwards:
    """Answers for one file."""

    def __init__(self, source: Source) -> None:
        self.switched = switched_names(source)
        self._source = source
        self.switched |= set(self._models_handed_in())
        self._helpers = _helpers(source)
        self._run: dict[ast.AST, tuple[str, ...]] = {}
        self._methods: set[str] = set()
        self._callees: set[str] = set()
        for region in source.regions:
            function = opener_of(region, source)
            if region.enabled is not False and any(True for _ in backwards(function)):
                self._learn(region.node)

    def _models_handed_in(self) -> Iterator[str]:
        """The parameters that a region of training calls, for which calls of its function hand in models."""
        for region in self._source.regions:
            function = opener_of(region, self._source)
            called = {path(node.func) for node in own(region.node) if isinstance(node, ast.Call)}
            for name in sorted((called & parameters(function)) - self.switched):
                given = (variable for variable, _ in handed(function, name, self._source))
                if may_be_a_network(name) and any(is_model(one, self.switched) for one in given):
                    yield name

    def _learn(self, node: ast.AST) -> None:
        """Methods and functions of other files that run a model in training, as they do so in a region."""
        for call in own(node):
            if not isinstance(call, ast.Call) or is_without_grad(call, self._source):
                continue
            receiver, name = method(call)
            is_forward = (call.args or call.keywords) and not _KEEPS.fullmatch(name) and self._is_predicted(call)
            if name and is_forward and self._is_model(receiver):
                self._methods.add(name)
            if _RUNS.search(path(call.func).rpartition(".")[2]) or self._is_handed_in(call.func):
                self._callees.add(path(call.func))

    def _is_handed_in(self, node: ast.expr) -> bool:
        """Whether a function is a parameter, handed in to run what it is handed itself."""
        return isinstance(node, ast.Name) and node.id in parameters(owner_of(node, node.id, self._source))

    def _is_predicted(self, call: ast.Call) -> bool:
        """Whether what a call returns is kept as what a model predicts, or a loss."""
        statement = statement_of(call, self._source)
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        return any(_PREDICTED.search(unparsed(target)) for target in targets)

    def _is_model(self, node: ast.expr) -> bool:
        name = bare_name(named(node))
        return bool(name) and is_model(name, self.switched)

    def of(self, call: ast.Call, hops: int = 0) -> list[str]:
        """The names of the models that a call runs forward, as its own function knows them."""
        name = self.direct(call)
        return [name] if name else list(dict.fromkeys((*self.by_helper(call, hops), *self.by_unseen(call))))

    def direct(self, call: ast.Call) -> str:
        """The model that is called itself, or a method of it that runs it in training; empty for other calls."""
        name = model_of(call, self.switched)
        receiver, called = method(call)
        return bare_name(named(receiver)) if not name and called in self._methods and self._is_model(receiver) else name

    def by_unseen(self, call: ast.Call) -> Iterator[str]:
        """The models that are handed to something unseen, which training hands them to as well."""
        if path(call.func) in self._callees:
            names = (bare_name(named(one)) for one in handed_in(call))
            yield from (name for name in names if name in self.switched or looks_like_a_model(name))

    def by_helper(self, call: ast.Call, hops: int) -> Iterator[str]:
        """The models that functions of this file run, which neither train nor open a region."""
        for function in self.helpers(call) if hops < _HOPS else ():
            for inner in self.run_in(function, hops):
                yield from self._outside(inner, function, call)
        for function in self._inner_functions(call) if hops < _HOPS else ():
            yield from (inner for inner in self.run_in(function, hops) if parted(inner)[0] not in bound(function))

    def _inner_functions(self, call: ast.Call) -> Iterator[ast.AST]:
        """The functions of the one around a call that it is handed to run: `jvp(lambda x: model(x, y), ...)`."""
        for one in handed_in(call):
            if isinstance(one, ast.Lambda):
                yield one
            for function in self._helpers.get(one.id, ()) if isinstance(one, ast.Name) else ():
                if function_of(function, self._source) is function_of(call, self._source) is not self._source.tree:
                    yield function

    def reached(self, call: ast.Call) -> set[ast.AST]:
        """The functions of this file that a call leads to, through others as well."""
        found, pending = set[ast.AST](), [call]
        while pending:
            new = set(self.helpers(pending.pop())) - found
            found |= new
            pending += [node for one in new for node in own(one) if isinstance(node, ast.Call)]
        return found

    def run_in(self, function: ast.AST, hops: int) -> tuple[str, ...]:
        """The models that a function runs with gradients, unless its caller records none, as it knows them."""
        if function not in self._run:
            self._run[function] = ()  # where functions call each other in a circle
            made = () if self._is_apart(function) else own(function)
            run = (one for one in made if isinstance(one, ast.Call) and not is_without_grad(one, self._source))
            given = parameters(function)
            found = (name for call in run for name in (*self.of(call, hops + 1), *({path(call.func)} & given)))
            self._run[function] = tuple(dict.fromkeys(found))
        return self._run[function]

    def _is_apart(self, function: ast.AST) -> bool:
        """Whether a function trains, or may open a region: what it runs is not the caller's."""
        if any(True for _ in backwards(function)):
            return True
        statements = [node for node in own(function) if isinstance(node, (ast.With, ast.AsyncWith))]
        entered = [item.context_expr for node in statements for item in node.items]
        entered += getattr(function, "decorator_list", [])
        return any(LIKE_A_REGION.search(unparsed(one)) for one in entered) or any(
            function in (region.node, function_of(region.node, self._source)) for region in self._source.regions
        )

    def helpers(self, call: ast.Call) -> list[ast.AST]:
        """The functions of this file that a call runs."""
        root, _, last = path(call.func).rpartition(".")
        found = self._helpers.get(last, [])
        if not found:
            return []
        if not root:
            return [one for one in found if _class_of(one, self._source) is None]
        if root == "self":
            return self.methods(last, call)
        return [b.node for b in self._source.resolve(call.func) if b.form is Form.FUNCTION and b.node in found]

    def methods(self, name: str, at: ast.AST) -> list[ast.AST]:
        """The methods of this name of the class around a node, or where it has none, of any class of the file."""
        around = next((one for one in self._source.ancestors(at) if isinstance(one, ast.ClassDef)), None)
        found = [one for one in self._helpers.get(name, []) if _class_of(one, self._source) is not None]
        return [one for one in found if _class_of(one, self._source) is around] or found

    def inner(self, call: ast.Call) -> Iterator[tuple[str, ast.ClassDef]]:
        """The models that the forward of what is called runs, where its class stands in this file, each with it."""
        for binding in self._source.resolve(call.func):
            if binding.form is Form.OBJECT and isinstance(binding.node, ast.ClassDef):
                forward = (
                    one for one in self._helpers.get("forward", []) if _class_of(one, self._source) is binding.node
                )
                names = (name for one in forward for name in self.run_in(one, 0) if name.startswith("self."))
                yield from ((name, binding.node) for name in names)

    def _outside(self, name: str, function: ast.AST, call: ast.Call) -> Iterator[str]:
        """What a model of a helper is where the helper is called."""
        root, rest = parted(name)
        if root == "self":
            holder = named(method(call)[0]) if isinstance(call.func, ast.Attribute) else ""
            yield from (f"{holder}{rest}",) if holder and rest else ()
            return
        for one in self._behind(root, function):
            if one in parameters(function):
                value = given_for(one, function, call)
                handed = bare_name(named(value)) if value is not None else ""
                if handed and (rest or is_model(handed, self.switched) or is_model(one, self.switched)):
                    yield f"{handed}{rest}"
            elif path(call.func).startswith("self.") if one.startswith("self.") else not _is_bound(one, function):
                yield f"{one}{rest}"

    def _behind(self, root: str, function: ast.AST) -> list[str]:
        """The variables that a name of a function stands for."""
        if root in parameters(function):
            return [root]
        aliases = {one for value in assigned(root, function, self._source) for one in alternatives(value)}
        return sorted(aliases - {root}) or [root]


def _helpers(source: Source) -> dict[str, list[ast.AST]]:
    found: dict[str, list[ast.AST]] = {}
    for function in source.nodes((ast.FunctionDef, ast.AsyncFunctionDef)):
        name = getattr(function, "name", "")
        if name not in ("__call__", "__init__"):
            found.setdefault(name, []).append(function)
    for node in source.nodes((ast.Assign,)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda) and path(node.targets[0]):
            found.setdefault(path(node.targets[0]).rpartition(".")[2], []).append(node.value)
    return found


def _class_of(function: ast.AST, source: Source) -> ast.AST | None:
    """The class whose method a function is."""
    around = next(source.ancestors(function), None)
    return around if isinstance(around, ast.ClassDef) else None


def _is_bound(name: str, function: ast.AST) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Store) for one in own(function))
