"""Pieces of code - functions, methods, statements - put in their place in a file, by structure.

A piece replaces the definition of the same name, or the run of statements that it resembles. Where that place is not
the only one, it is refused: nothing is guessed.
"""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_DEFINITION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORT = (ast.Import, ast.ImportFrom)
_ELIDED = re.compile(
    r"^\s*#\s*(?:\.\.\.|…)|^\s*#.*\b(?:rest of|remaining|existing|unchanged|same as)\b"
    r".*\b(?:code|loop|function|class|file|above|before)\b",
    re.IGNORECASE,
)


class PieceError(ValueError):
    """A piece without one place of its own. code: a row of `causes`; the message is one line."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Replacement:
    """Lines first..last of a file (1-based; last = first - 1 inserts) give way to `text`. what: for people."""

    first: int
    last: int
    text: str
    what: str

    def overlaps(self, other: Replacement) -> bool:
        return self.first <= other.last and other.first <= self.last


def dedented(text: str) -> str:
    """A piece without the indentation that all its lines share."""
    return textwrap.dedent(text)


def same_code(one: str, other: str) -> bool:
    """Whether two texts differ in comments and layout at most."""
    return ast.dump(ast.parse(dedented(one))) == ast.dump(ast.parse(dedented(other)))


def elision(piece: str, original: str) -> str | None:
    """What in a text stands for code that is left out: a comment, or `...` where the original has none."""
    known = set(map(str.strip, original.splitlines()))
    for line in piece.splitlines():
        if _ELIDED.match(line) and line.strip() not in known:
            return line.strip()
    return "..." if _ellipses(piece) > _ellipses(original) else None


def _ellipses(text: str) -> int:
    return sum(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...
        for node in ast.walk(ast.parse(dedented(text)))
    )


def is_whole(piece: ast.Module, original: ast.Module) -> bool:
    """Whether a text can stand for the whole file: it imports what it needs and defines what others call."""
    if not any(isinstance(node, _IMPORT) for node in piece.body):
        return False
    defined, wanted = _definitions(piece), _definitions(original)
    if "train" in wanted:
        return "train" in defined
    if wanted:
        return set(wanted) <= set(defined)
    return any(isinstance(node, ast.ImportFrom) and node.module == "ampfix_task" for node in piece.body)


def replacements(piece: str, original: str) -> list[Replacement]:
    """What a piece changes in a file; nothing where it says what already stands there. Raises PieceError."""
    text = dedented(piece)
    tree, whole = ast.parse(text), ast.parse(original)
    statements = [node for node in tree.body if not isinstance(node, _IMPORT)]
    if not statements:
        raise PieceError("nothing_to_replace", "only imports")
    place = _Place(text, original, whole)
    if all(isinstance(node, (*_DEFINITION, ast.Assign, ast.AnnAssign)) for node in statements) and any(
        isinstance(node, _DEFINITION) for node in statements
    ):
        found = list(place.definitions(statements))
    else:
        found = [place.statements(statements)]
    return [*place.imports([node for node in tree.body if isinstance(node, _IMPORT)]), *found]


def apply(changes: Sequence[Replacement], original: str) -> str:
    """A file with replacements made. They must not overlap."""
    lines = original.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    for change in sorted(changes, key=lambda each: (each.first, each.last), reverse=True):
        lines[change.first - 1 : change.last] = [change.text]
    return "".join(lines)


class _Place:
    def __init__(self, text: str, original: str, tree: ast.Module) -> None:
        self.text, self.original, self.tree = text, original, tree

    def imports(self, nodes: Sequence[ast.stmt]) -> Iterator[Replacement]:
        known = {ast.dump(node) for node in self.tree.body if isinstance(node, _IMPORT)}
        new = [node for node in nodes if ast.dump(node) not in known]
        if new:
            after = max((node.end_lineno or 0 for node in self.tree.body if isinstance(node, _IMPORT)), default=0)
            text = "".join(_source(self.text, node, node, "") for node in new)
            yield Replacement(after + 1, after, text, f"{len(new)} import{'s' * (len(new) > 1)} added")

    def definitions(self, nodes: Sequence[ast.stmt]) -> Iterator[Replacement]:
        """Each definition replaces the one of its name; new ones and constants stand before the first of these."""
        homes: dict[str, list[ast.stmt]] = {}
        for parent in ast.walk(self.tree):
            for node in getattr(parent, "body", []) if isinstance(parent, (ast.Module, ast.ClassDef)) else []:
                if isinstance(node, _DEFINITION):
                    homes.setdefault(node.name, []).append(node)
        old: list[ast.stmt] = []
        new: list[ast.stmt] = []
        for node in nodes:
            found = homes.get(node.name, []) if isinstance(node, _DEFINITION) else []
            if len(found) > 1:
                raise PieceError("ambiguous_piece", f"the loop defines {_name(node)} {len(found)} times")
            if not found:
                new.append(node)
                continue
            old.append(found[0])
            yield self._replace(found[0], found[0], node, node, f"{_name(node)} replaced")
        if not old:
            names = ", ".join(_name(node) for node in nodes if isinstance(node, _DEFINITION))
            raise PieceError("nothing_to_replace", f"the loop defines no {names}")
        if new:
            outermost = min(self._top(node) for node in old)
            text = "".join(_source(self.text, node, node, "") + "\n\n" for node in new)
            yield Replacement(outermost, outermost - 1, text, f"{', '.join(map(_name, new))} added")

    def _top(self, wanted: ast.stmt) -> int:
        """The line on which the top-level statement that holds a definition begins."""
        for node in self.tree.body:
            if node.lineno <= wanted.lineno <= (node.end_lineno or 0):
                return _first_line(node)
        raise AssertionError("every definition lies in the module")

    def statements(self, nodes: Sequence[ast.stmt]) -> Replacement:
        """The run of statements in one body that most of the given ones resemble, in order."""
        best: list[tuple[list[ast.stmt], list[int]]] = []
        for body in _bodies(self.tree):
            anchors = _anchors(nodes, body)
            if anchors and (not best or len(anchors) > len(best[0][1])):
                best = [(body, anchors)]
            elif anchors and len(anchors) == len(best[0][1]):
                best.append((body, anchors))
        if not best:
            raise PieceError("nothing_to_replace", "its statements resemble none of the loop's")
        if len(best) > 1:
            places = " and ".join(str(body[anchors[0]].lineno) for body, anchors in best[:3])
            raise PieceError("ambiguous_piece", f"its statements could stand at lines {places}")
        body, anchors = best[0]
        first, last = body[anchors[0]], body[anchors[-1]]
        self._must_not_repeat(nodes, body, _first_line(first), last.end_lineno or last.lineno)
        what = f"statements in place of lines {_first_line(first)}-{last.end_lineno}"
        return self._replace(first, last, nodes[0], nodes[-1], what)

    def _must_not_repeat(self, nodes: Sequence[ast.stmt], body: Sequence[ast.stmt], first: int, last: int) -> None:
        """Raise PieceError where a given statement also has a likeness outside the lines that give way."""
        given = {_key(node) for node in nodes} - {None}
        for other in _bodies(self.tree):
            for node in other:
                if other is not body and not first <= node.lineno <= last and _key(node) in given:
                    raise PieceError(
                        "ambiguous_piece", f"its statements stand at lines {first}-{last} and {node.lineno}"
                    )

    def _replace(self, first: ast.stmt, last: ast.stmt, head: ast.stmt, tail: ast.stmt, what: str) -> Replacement:
        lines = self.original.splitlines()
        start = lines[_first_line(first) - 1]
        indent = start[: len(start) - len(start.lstrip())]
        after = lines[(last.end_lineno or 1) - 1].encode()[last.end_col_offset or 0 :].decode().strip()
        if start.encode()[: first.col_offset].strip() or (after and not after.startswith("#")):
            raise PieceError("ambiguous_piece", f"line {first.lineno} of the loop holds several statements")
        return Replacement(
            _first_line(first), last.end_lineno or first.lineno, _source(self.text, head, tail, indent), what
        )


def _bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                yield body


def _anchors(nodes: Sequence[ast.stmt], body: Sequence[ast.stmt]) -> list[int]:
    """Where in a body the given statements have their likeness: increasing indices."""
    keys = [_key(node) for node in body]
    found: list[int] = []
    for node in nodes:
        key = _key(node)
        at = next((at for at in range(found[-1] + 1 if found else 0, len(keys)) if keys[at] == key), None)
        if key is not None and at is not None:
            found.append(at)
    return found


def _key(node: ast.stmt) -> tuple[str, ...] | None:
    """What a statement does, whatever its details: None where that says nothing."""
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return ("with", *(_called(item.context_expr) for item in node.items))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ("call", _called(node.value))
    if isinstance(node, (ast.For, ast.AsyncFor)):
        return ("for", ast.unparse(node.iter))
    if isinstance(node, ast.While):
        return ("while",)
    if isinstance(node, ast.Assign):
        return ("assign", *(ast.unparse(target) for target in node.targets))
    if isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        return ("assign", ast.unparse(node.target))
    if isinstance(node, ast.If):
        return ("if", ast.unparse(node.test))
    if isinstance(node, ast.Return):
        return ("return",)
    return None


def _called(node: ast.expr) -> str:
    """What is called, without arguments; of functions in modules (torch.nn.utils.clip_grad_norm_) the last name."""
    if not isinstance(node, ast.Call):
        return ast.unparse(node)
    function = node.func
    if not isinstance(function, ast.Attribute):
        return ast.unparse(function)
    receiver = function.value
    if isinstance(receiver, ast.Call):
        return f"{_called(receiver)}().{function.attr}"
    own = isinstance(receiver, ast.Attribute) and isinstance(receiver.value, ast.Name) and receiver.value.id == "self"
    if own or (isinstance(receiver, ast.Name) and receiver.id not in ("nn", "F", "torch", "utils", "amp")):
        return f"{ast.unparse(receiver)}.{function.attr}"
    return function.attr


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _name(node: ast.stmt) -> str:
    if isinstance(node, _DEFINITION):
        return node.name
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
    return ", ".join(ast.unparse(target) for target in targets)


def _definitions(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, _DEFINITION)}


def _source(text: str, head: ast.stmt, tail: ast.stmt, indent: str) -> str:
    """The lines of some statements, indented. Lines inside a string keep their own beginning."""
    inside = _inside_strings(text)
    lines = text.splitlines()
    kept: list[str] = []
    for number in range(_first_line(head), (tail.end_lineno or head.lineno) + 1):
        line = lines[number - 1]
        kept.append(line if number in inside or not line.strip() else indent + line)
    return "\n".join(kept) + "\n"


def _inside_strings(text: str) -> set[int]:
    """The lines that begin within a string."""
    found: set[int] = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.end[0] > token.start[0] and token.type not in (tokenize.NEWLINE, tokenize.NL):
                found.update(range(token.start[0] + 1, token.end[0] + 1))
    except (tokenize.TokenError, IndentationError):
        pass
    return found
