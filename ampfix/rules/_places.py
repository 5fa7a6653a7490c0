"""Where a node stands: the loops, tests and function around it, and what those assign. Shared by several rules."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Form, Source
from ampfix.program.spelling import last_name
from ampfix.program.tree import children, walk

LOOPS = (ast.For, ast.AsyncFor, ast.While)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def within_function(node: ast.AST, source: Source) -> Iterator[ast.AST]:
    """The nodes around a node inside its own function, innermost first."""
    for ancestor in source.ancestors(node):
        if isinstance(ancestor, (*FUNCTIONS, ast.ClassDef)):
            return
        yield ancestor


def loops_around(node: ast.AST, source: Source) -> list[ast.AST]:
    """The loops whose body holds a node, inside its own function, innermost first."""
    inner = node
    found: list[ast.AST] = []
    for ancestor in within_function(node, source):
        if isinstance(ancestor, LOOPS) and inner not in (getattr(ancestor, "iter", None), *ancestor.orelse):
            found.append(ancestor)
        inner = ancestor
    return found


def tests_around(node: ast.AST, source: Source, until: ast.AST | None = None) -> list[ast.expr]:
    """The tests of `if` statements and conditional expressions around a node, inside its function or inside `until`."""
    found = []
    for ancestor in within_function(node, source):
        if ancestor is until:
            break
        if isinstance(ancestor, (ast.If, ast.IfExp)):
            found.append(ancestor.test)
    return found


def are_alternatives(one: ast.AST, other: ast.AST, source: Source) -> bool:
    """Whether two nodes lie on different sides of one `if`, so that they never run in one go."""
    sides = _sides(one, source)
    return any(sides.get(test, side) != side for test, side in _sides(other, source).items())


def never_meet(one: ast.AST, later: ast.AST, source: Source) -> bool:
    """Whether what runs one node never comes to another behind it: they are alternatives, or the first is left by
    `return`."""
    inner = one
    for around in within_function(one, source):
        if isinstance(around, ast.If) and inner is not around.test and around not in source.ancestors(later):
            block = around.orelse if inner in around.orelse else around.body
            if isinstance(block[-1], (ast.Return, ast.Raise)):
                return True
        inner = around
    return are_alternatives(one, later, source)


def _sides(node: ast.AST, source: Source) -> dict[ast.AST, bool]:
    found: dict[ast.AST, bool] = {}
    inner = node
    for ancestor in within_function(node, source):
        if isinstance(ancestor, ast.If):
            found[ancestor] = inner not in ancestor.orelse
        inner = ancestor
    return found


def function_of(node: ast.AST, source: Source) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None:
    """The innermost function around a node."""
    return next((ancestor for ancestor in source.ancestors(node) if isinstance(ancestor, FUNCTIONS)), None)


def class_of(node: ast.AST, source: Source) -> ast.ClassDef | None:
    """The class whose method the node stands in."""
    return next((ancestor for ancestor in source.ancestors(node) if isinstance(ancestor, ast.ClassDef)), None)


def first_parameters(owner: ast.ClassDef) -> set[str]:
    """What the methods of a class call their object."""
    methods = (one for one in owner.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return {method.args.args[0].arg for method in methods if method.args.args}


def statement_of(node: ast.AST, source: Source) -> ast.stmt:
    """The innermost statement that is or holds a node."""
    return next(one for one in (node, *source.ancestors(node)) if isinstance(one, ast.stmt))


def spelled(node: ast.AST) -> str:
    """An expression's source in one spelling."""
    names: list[str] = []
    inner = node
    while isinstance(inner, ast.Attribute):  # most are paths, and unparsing is slow
        names.append(inner.attr)
        inner = inner.value
    return ".".join((inner.id, *reversed(names))) if isinstance(inner, ast.Name) else ast.unparse(node)


def names_in(node: ast.AST) -> set[str]:
    """The names and attribute paths that an expression reads: `self.x.y` gives self, self.x and self.x.y."""
    kinds = (ast.Name, ast.Attribute)
    return {spelled(child) for child in walk(node) if isinstance(child, kinds)}


def assigned_in(node: ast.AST) -> set[str]:
    """The names and attribute paths that code inside a node assigns, loop targets included."""
    return {
        spelled(child)
        for child in walk(node)
        if isinstance(child, (ast.Name, ast.Attribute)) and isinstance(child.ctx, (ast.Store, ast.Del))
    }


def assignments(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The targets of an assignment, each with its own value where both sides are taken apart."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield from ((one, node.value) for one in getattr(target, "elts", [target]))


def methods_called(node: ast.AST, *names: str) -> Iterator[ast.Call]:
    """Calls `receiver.name(...)` inside a node."""
    for child in walk(node):
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr in names:
            yield child


def all_methods_called(source: Source, *names: str) -> Iterator[ast.Call]:
    """Calls `receiver.name(...)` anywhere in a file."""
    made = source.calls_to(names[0]) if len(names) == 1 else source.nodes((ast.Call,))
    for node in made:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield node


def receiver(call: ast.Call) -> str:
    """How the receiver of a method call is written; empty for a plain function."""
    return spelled(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def called(call: ast.Call) -> str:
    """The last name of what is called."""
    return last_name(call.func)


def is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def is_switched_off(built: ast.AST) -> bool:
    """Whether a scaler is built with `enabled=False`."""
    keywords = built.keywords if isinstance(built, ast.Call) else []
    return any(keyword.arg == "enabled" and is_constant(keyword.value, False) for keyword in keywords)


def calls_of(function: ast.FunctionDef | ast.AsyncFunctionDef, source: Source) -> Iterator[ast.Call]:
    """Calls of a function in its own file."""
    for node in source.calls_to(function.name):
        if any(b.form is Form.FUNCTION and b.node is function for b in source.resolve(node.func)):
            yield node


def given_for(name: str, function: ast.AST, call: ast.Call) -> ast.expr | None:
    """What a call of a function hands in for a parameter, by keyword or by place; None where it leaves that out."""
    for word in call.keywords:
        if word.arg == name:
            return word.value
    arguments = getattr(function, "args", None)
    order = [one.arg for one in (*arguments.posonlyargs, *arguments.args)] if arguments is not None else []
    if name not in order:
        return None
    place = order.index(name) - (order[:1] == ["self"])
    return call.args[place] if 0 <= place < len(call.args) else None


def default_of(name: str, function: ast.AST) -> ast.expr | None:
    """What a parameter is where a call leaves it out."""
    arguments = getattr(function, "args", None)
    if arguments is None:
        return None
    order = [one.arg for one in (*arguments.posonlyargs, *arguments.args)][::-1]
    defaults = dict(zip(order, arguments.defaults[::-1], strict=False))
    return {
        **defaults,
        **{one.arg: by for one, by in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)},
    }.get(name)


def in_reach(target: str, node: ast.AST, source: Source) -> bool:
    """Whether a name or `self.` attribute of this file is set where the node stands, as far as order tells."""
    root = target.partition(".")[0]
    holders = [one for one in source.ancestors(node) if isinstance(one, (*FUNCTIONS, ast.Module))]
    if root != target and (owner := class_of(node, source)) is not None and root in first_parameters(owner):
        return target in assigned_in(owner)
    for holder in holders:
        if not isinstance(holder, ast.Module) and root in parameters(holder):
            return True
        lines = [line for name, line in _own_assignments(holder) if name == root]
        if lines:
            return holder is not holders[0] or min(lines) < getattr(node, "lineno", 0)
    return False


def parameters(function: ast.AST) -> set[str]:
    """The names of a function's parameters."""
    arguments = getattr(function, "args", None)
    return {node.arg for node in walk(arguments) if isinstance(node, ast.arg)} if arguments is not None else set()


def _own_assignments(holder: ast.AST) -> Iterator[tuple[str, int]]:
    pending = list(children(holder))
    while pending:
        node = pending.pop()
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        pending.extend(children(node))
