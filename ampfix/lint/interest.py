"""Which functions of a module reach an event, so that only those are lowered and inlined.

Reach goes by name: a function reaches what any function of the same name as something it mentions reaches. Too much is
harmless, too little would hide events.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ampfix.lint.scopes import ScopeBuilder
from ampfix.lint.symbols import CLIPS

_EVENTS = frozenset({"backward", "unscale_", "step", "update", "zero_grad", "scale", "autocast", "custom_fwd", "grad"})
_CLIPS = frozenset(symbol.rpartition(".")[2] for symbol in CLIPS)
# Without one of these no state that a rule looks at arises: nothing is scaled and no gradient appears.
_ESSENTIAL = frozenset({"backward", "unscale_", "scale"})
_FINISHING = frozenset({"step", "update"})


@dataclass(frozen=True)
class Interest:
    """inlined: functions worth following from a call. analysed: those worth analysing by themselves."""

    inlined: frozenset[ast.AST]
    analysed: frozenset[ast.AST]


def interest(scopes: ScopeBuilder) -> Interest:
    """Find both sets."""
    used = {node: _words(node) for node in scopes.scope_of}
    renamed = {alias: original for alias, original in _imports(scopes.root.node) if original in _EVENTS | _CLIPS}
    marks = {node: _marks(words, renamed) for node, words in used.items()}
    named = _named(scopes)
    changed = True
    while changed:
        changed = False
        for node, words in used.items():
            more = {mark for word in words for callee in named.get(word, ()) for mark in marks[callee]}
            if not more <= marks[node]:
                marks[node] |= more
                changed = True
    inlined = frozenset(node for node, found in marks.items() if found)
    analysed = frozenset(node for node in inlined if marks[node] & _ESSENTIAL or marks[node] >= _FINISHING)
    return Interest(inlined, analysed)


def _marks(words: set[str], renamed: dict[str, str]) -> set[str]:
    return (words & (_EVENTS | _CLIPS)) | {renamed[word] for word in words & renamed.keys()}


def _named(scopes: ScopeBuilder) -> dict[str, list[ast.AST]]:
    """Name -> the functions it may call: those defined by it, lambdas assigned to it, methods of a class so called."""
    found: dict[str, list[ast.AST]] = {}
    for node, scope in scopes.scope_of.items():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.setdefault(node.name, []).append(node)
            if scope.parent is not None and node.name in ("__call__", "forward"):
                found.setdefault(scope.parent.label, []).append(node)
    for statement in ast.walk(scopes.root.node):
        if isinstance(statement, ast.Assign):
            names = [_last_name(target) for target in statement.targets]
            for lambda_ in (child for child in ast.walk(statement.value) if isinstance(child, ast.Lambda)):
                for name in names:
                    found.setdefault(name, []).append(lambda_)
            # An instance of a local class is called by the variable it is stored in.
            if isinstance(statement.value, ast.Call):
                built = _last_name(statement.value.func)
                for name in names:
                    found.setdefault(name, []).extend(found.get(built, ()))
    return found


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _words(root: ast.AST) -> set[str]:
    """Names and attributes in a scope's own code; a nested class or function counts as a use of its name."""
    used: set[str] = set()
    pending = list(ast.iter_child_nodes(root))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Attribute):
            used.add(node.attr)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            pending.extend(getattr(node, "decorator_list", []))
            continue
        pending.extend(ast.iter_child_nodes(node))
    return used


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, alias.name
