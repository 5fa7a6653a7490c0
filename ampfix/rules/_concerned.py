"""Which scaler steps the optimizer that a checkpoint keeps."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.program.tree import walk
from ampfix.records import replace
from ampfix.rules import _owners as owners
from ampfix.rules import _places as places
from ampfix.rules._checkpoints import Entry, handed_for
from ampfix.rules._pairs import Pair
from ampfix.rules._shapes import handed_in

_KEEPING = pattern(r"save|load|restore|resume|state|checkpoint|ckpt", re.IGNORECASE)


class Stepped:
    """The pairs of a file, by where they are known: an entry is compared with few of them."""

    def __init__(self, pairs: list[Pair], source: Source) -> None:
        self._source = source
        self._classes = {node.name: node for node in source.nodes((ast.ClassDef,)) if isinstance(node, ast.ClassDef)}
        self._families: dict[str, frozenset[str]] = {}
        self._order = {pair: index for index, pair in enumerate(pairs)}
        self._anywhere = self._unlike(pairs)
        self._of_no_class = [pair for pair in self._anywhere if not _is_of_class(pair)]
        self._by_class: dict[str, list[Pair]] = {}
        self._by_function: dict[ast.AST | None, list[Pair]] = {}
        for pair in pairs:
            self._by_function.setdefault(pair.function, []).append(pair)
            for name in self._family(pair.owner) if pair.owner is not None and _is_of_class(pair) else ():
                self._by_class.setdefault(name, []).append(pair)

    def concerning(self, entry: Entry) -> list[Pair]:
        """The pairs whose scaler steps the optimizer of an entry. A test that takes no step resumes nothing."""
        here, function = places.class_of(entry.node, self._source), places.function_of(entry.node, self._source)
        found = dict.fromkeys(self._by_function.get(function, ()))
        if getattr(function, "name", "").startswith("test_"):
            found = {pair: None for pair in found if not pair.beside}
        elif here is None or _is_handed_in(entry, self._source):
            found.update(dict.fromkeys(self._anywhere))
        else:
            related = (pair for name in self._family(here) for pair in self._by_class.get(name, ()))
            found.update(dict.fromkeys((*self._of_no_class, *related)))
        return sorted((pair for pair in found if self._concerns(pair, entry)), key=self._order.__getitem__)

    def _unlike(self, pairs: Iterable[Pair]) -> list[Pair]:
        """One of the pairs that differ only in where they are: to an entry of another place they are all one."""
        alike: dict[object, Pair] = {}
        for pair in pairs:
            builds = pair.function in owners.building(pair.optimizer, self._source)
            alike[replace(pair, owner=None, function=None), _is_of_class(pair), builds] = pair
        return list(alike.values())

    def _concerns(self, pair: Pair, entry: Entry) -> bool:
        """Whether the scaler steps this optimizer: the same name, or the same last part, and of related classes; or it
        is the parameter of a function that this file hands that optimizer."""
        source = self._source
        if (pair.inside and _keeps_holder(pair, entry, source)) or _is_another(pair, entry, source):
            return False
        if pair.beside:
            return entry.owner == pair.optimizer and places.function_of(entry.node, source) is pair.function
        is_kept_alike = bool(pair.stem) and pair.stem == entry.stem
        of_object = pair.inside and "." in pair.optimizer and not pair.optimizer.startswith("self.")
        is_plain = "." not in entry.owner
        unlike = pair.optimizer.rpartition(".")[2] != entry.owner.rpartition(".")[2] or (of_object and is_plain)
        if not is_kept_alike and unlike:
            return pair.optimizer in handed_for(entry.owner, entry.node, source)
        here = places.class_of(entry.node, source)
        if not _is_of_class(pair) or pair.owner is None or here is None or _is_handed_in(entry, source):
            return True
        return not self._family(here).isdisjoint(self._family(pair.owner))

    def _family(self, definition: ast.ClassDef) -> frozenset[str]:
        """The names of a class and of those it inherits from, as far as this file shows them."""
        if definition.name not in self._families:
            self._families[definition.name] = self._family_of(definition.name)
        return self._families[definition.name]

    def _family_of(self, name: str) -> frozenset[str]:
        found, pending = set[str](), [name]
        while pending:
            name = pending.pop()
            if name not in found and name in self._classes:
                found.add(name)
                pending += [places.spelled(base) for base in self._classes[name].bases]
        return frozenset(found)


def _is_of_class(pair: Pair) -> bool:
    return "." in pair.optimizer and pair.owner is not None


def _is_another(pair: Pair, entry: Entry, source: Source) -> bool:
    """Whether two functions only call optimizers alike that each builds for itself."""
    here = places.function_of(entry.node, source)
    if here is pair.function and _is_built_anew(pair, entry, source):
        return True
    if here is None or here is pair.function:
        return False
    is_alike = entry.owner == pair.optimizer and {here, pair.function} <= owners.building(entry.owner, source)
    return is_alike or (_is_handed_in(entry, source) and _steps_plainly(here, entry, source))


def _is_built_anew(pair: Pair, entry: Entry, source: Source) -> bool:
    """Whether the scaler takes its last step before this function, or the module, builds the optimizer it keeps."""
    body = getattr(pair.function or source.tree, "body", ())
    built = max(
        (node.lineno for node in body if _builds(entry.owner, node) and node.lineno < entry.node.lineno), default=0
    )
    calls = places.all_methods_called(source, "step") if built else ()
    steps = [call for call in calls if places.receiver(call) == pair.scaler]
    return bool(steps) and all(
        call.lineno < built and places.function_of(call, source) is pair.function for call in steps
    )


def _builds(name: str, statement: ast.stmt) -> bool:
    """Whether a statement gives a name what it was not before: wrapping the old is not that."""
    return isinstance(statement, ast.Assign) and any(
        places.spelled(target) == name and isinstance(value, ast.Call) and name not in places.names_in(value)
        for target, value in places.assignments(statement)
    )


def _steps_plainly(function: ast.AST, entry: Entry, source: Source) -> bool:
    """Whether a function steps an optimizer that it is handed by itself, and knows of no scaler."""
    steps = (call for call in places.methods_called(function, "step") if not call.args)
    own = (owners.stem(call.func.value, source) for call in steps if isinstance(call.func, ast.Attribute))
    stem = entry.stem or entry.owner
    return stem in own and not any("scaler" in name.lower() for name in places.names_in(function))


def _is_handed_in(entry: Entry, source: Source) -> bool:
    """Whether an optimizer is a parameter here, or belongs to one beside `self`, and so may be anybody's."""
    function, owner = places.function_of(entry.node, source), places.class_of(entry.node, source)
    root, dot, _ = entry.owner.partition(".")
    own = places.first_parameters(owner) if dot and owner is not None else ()
    return function is not None and root in places.parameters(function) and root not in own


def _keeps_holder(pair: Pair, entry: Entry, source: Source) -> bool:
    """Whether the function around keeps the object that holds the scaler by other means: `restore(self.amp, state)`."""
    function, holder = places.function_of(entry.node, source), pair.scaler.rpartition(".")[0]
    calls = (node for node in walk(function) if isinstance(node, ast.Call)) if function is not None else ()
    others = (call for call in calls if call is not entry.node and _KEEPING.search(places.called(call)))
    return any(holder in (places.receiver(call), *map(places.spelled, handed_in(call))) for call in others)
