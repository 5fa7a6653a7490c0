"""Which import binds the root of a dotted expression, and who else uses that import.

Built on libcst's scope analysis, so that a parameter or local variable of the same name is not taken for the import.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
from libcst.helpers import get_full_name_for_node
from libcst.metadata import Assignment, GlobalScope, ImportAssignment

from ampfix.codemods.changes import Change, Remove, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree

Dotted = cst.Name | cst.Attribute


@dataclass(frozen=True)
class Binding:
    """One imported name. prefix: the qualified name it stands for; alias and statement: where it is imported."""

    name: str
    prefix: str
    alias: cst.ImportAlias
    statement: cst.Import | cst.ImportFrom
    assignment: Assignment


def dotted(node: cst.BaseExpression) -> list[str]:
    """The parts of a dotted expression, or nothing for any other."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    return [node.value, *reversed(parts)] if isinstance(node, cst.Name) else []


def root_of(node: cst.BaseExpression) -> cst.Name:
    while isinstance(node, cst.Attribute):
        node = node.value
    if not isinstance(node, cst.Name):
        raise CannotRepair("the deprecated name is reached through an expression; name it directly")
    return node


def binding_of(tree: Tree, root: cst.Name) -> Binding:
    """The import that binds `root`. Raises CannotRepair where it is not exactly one."""
    scope = tree.scopes.get(root)
    assignments = list(scope[root.value]) if scope is not None else []
    imports = [b for a in assignments if isinstance(a, ImportAssignment) for b in _bindings(tree, a)]
    if not imports:
        raise CannotRepair(f"no import here binds {root.value}; replace a star import by the names it stands for")
    if len(imports) < len(assignments) or len({binding.prefix for binding in imports}) > 1:
        raise CannotRepair(f"{root.value} is bound in several ways, as for several torch versions")
    if len(imports) > 1 and imports[0].prefix != root.value:
        raise CannotRepair(f"{root.value} is imported several times")
    return imports[0]


def _bindings(tree: Tree, assignment: ImportAssignment) -> Iterator[Binding]:
    node = assignment.node
    statement: cst.CSTNode | None = node
    while statement is not None and not isinstance(statement, (cst.Import, cst.ImportFrom)):
        statement = tree.parent(statement)
    if not isinstance(statement, (cst.Import, cst.ImportFrom)) or isinstance(statement.names, cst.ImportStar):
        return
    for alias in statement.names:
        if _local_name(alias, statement) == assignment.name:
            yield Binding(assignment.name, _prefix(alias, statement), alias, statement, assignment)


def _local_name(alias: cst.ImportAlias, statement: cst.Import | cst.ImportFrom) -> str:
    if alias.asname is not None:
        return get_full_name_for_node(alias.asname.name) or ""
    name = get_full_name_for_node(alias.name) or ""
    return name if isinstance(statement, cst.ImportFrom) else name.split(".")[0]


def _prefix(alias: cst.ImportAlias, statement: cst.Import | cst.ImportFrom) -> str:
    name = get_full_name_for_node(alias.name) or ""
    if isinstance(statement, cst.Import):
        return name if alias.asname is not None else name.split(".")[0]
    module = get_full_name_for_node(statement.module) if statement.module is not None else ""
    return f"{'.' * len(statement.relative)}{module}.{name}"


def siblings(tree: Tree, binding: Binding) -> Iterator[Binding]:
    """The bindings that the same statement makes, each the only one of its name; `binding` is among them."""
    scope = binding.assignment.scope
    for alias in binding.statement.names if not isinstance(binding.statement.names, cst.ImportStar) else ():
        assignments = list(scope[_local_name(alias, binding.statement)])
        if len(assignments) == 1 and isinstance(assignments[0], ImportAssignment):
            yield from _bindings(tree, assignments[0])


def uses(tree: Tree, binding: Binding) -> Iterator[Dotted]:
    """Every use of a binding in the tree, as the longest dotted expression around it. String annotations are no use."""
    # `import a.b` makes an assignment of "a" and one of "a.b", and a use belongs to the longest that it spells
    scope, below = binding.assignment.scope, f"{binding.name}."
    assignments = [a for a in scope.assignments if a.name == binding.name or a.name.startswith(below)]
    roots: set[cst.CSTNode] = set()
    for access in (access for assignment in assignments for access in assignment.references):
        node: cst.CSTNode = access.node
        while isinstance(node, cst.Attribute):
            node = node.value
        parent = tree.parent(node)
        if parent is None or not isinstance(node, cst.Name) or node in roots:
            continue
        roots.add(node)
        while isinstance(parent, cst.Attribute) and parent.value is node:
            node, parent = parent, tree.parent(parent)
        assert isinstance(node, (cst.Name, cst.Attribute))
        yield node


def global_name(tree: Tree, qualified: str) -> str | None:
    """How module-level imports spell a qualified name: the shortest way, if there is one."""
    spellings = _spellings(tree, qualified)
    return min(spellings, key=lambda spelling: (len(spelling), spelling), default=None)


def _spellings(tree: Tree, qualified: str) -> Iterator[str]:
    scope = tree.scopes[tree.module.body[0]] if tree.module.body else None
    if not isinstance(scope, GlobalScope):
        return
    for assignment in scope.assignments:
        same_name = list(scope[assignment.name])
        if all(isinstance(a, ImportAssignment) for a in same_name) and isinstance(assignment, ImportAssignment):
            for binding in _bindings(tree, assignment):
                if qualified == binding.prefix:
                    yield binding.name
                elif qualified.startswith(f"{binding.prefix}."):
                    yield binding.name + qualified[len(binding.prefix) :]


def unimported(tree: Tree, binding: Binding, leaving: int = 1) -> list[Change]:
    """Changes that take an import away, if the `leaving` uses that a repair removes are all there are."""
    if len(list(uses(tree, binding))) > leaving or is_exported(tree, binding.name):
        return []
    assert not isinstance(binding.statement.names, cst.ImportStar)
    kept = [alias for alias in binding.statement.names if alias is not binding.alias]
    if not kept:
        block = tree.block(binding.statement)
        return [Remove(binding.statement)] if len(block) > 1 else []
    if "#" in tree.code(binding.alias):
        return []  # its comment may be about more than this name
    if binding.alias is binding.statement.names[-1]:
        kept[-1] = kept[-1].with_changes(comma=binding.alias.comma)
    changed = binding.statement.with_changes(names=kept)
    return [Replace(binding.statement, lambda _: changed, tree.code(changed))]


def is_exported(tree: Tree, name: str) -> bool:
    """Whether `__all__` lists a name, so that other files may import it from here."""
    for assign in tree.find(tree.module, cst.Assign):
        if any(dotted(target.target) == ["__all__"] for target in assign.targets if _is_dotted(target.target)):
            strings = tree.find(assign.value, cst.SimpleString)
            if any(string.evaluated_value == name for string in strings):
                return True
    return False


def _is_dotted(node: cst.CSTNode) -> bool:
    return isinstance(node, (cst.Name, cst.Attribute))
