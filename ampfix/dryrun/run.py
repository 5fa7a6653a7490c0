"""Runs a program dry, from its start or from one of its functions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Protocol

from ampfix.dryrun.calls import Calls
from ampfix.dryrun.expressions import Expressions
from ampfix.dryrun.machine import Statements
from ampfix.dryrun.names import Names
from ampfix.dryrun.records import Event
from ampfix.dryrun.roots import Roots
from ampfix.dryrun.state import OutOfBudget, State
from ampfix.records import dataclass


class Files(Protocol):
    """The files of a project, by absolute path."""

    def locate(self, symbol: str, importer: str) -> tuple[str, tuple[str, ...]] | None:
        """Where an import leads: a file, and the names to follow inside it; None outside the project."""

    def tree(self, path: str) -> ast.Module | None:
        """A file's syntax tree; None where it has none."""


@dataclass(frozen=True)
class DryRun:
    """What a run told. events: in order. finished: whether it came to its end. reached: the functions that it ran, by
    path and line."""

    events: tuple[Event, ...]
    finished: bool
    reached: frozenset[tuple[str, int]]


def rehearse(path: str, files: Files) -> DryRun:
    """Run the program that starts in a file, as `python FILE` would."""
    return _ran(files, lambda machine: machine.program(path))


def rehearse_parts(path: str, files: Files) -> DryRun:
    """Run each function and class of a file that nothing starts, with arguments that nothing is known of."""

    def run(machine: _Machine) -> None:
        tree = files.tree(path)
        if tree is not None:
            Roots(machine.calls).all_of(machine.names.module(path), tree)

    return _ran(files, run)


def rehearse_function(path: str, name: str, files: Files) -> DryRun:
    """Run a function of a file, or all methods of an object of a class, with arguments that nothing is known of."""
    return _ran(files, lambda machine: Roots(machine.calls).run(machine.names.module(path), name))


def _ran(files: Files, run: Callable[[_Machine], object]) -> DryRun:
    machine = _Machine(files)
    state, finished = machine.state, True
    try:
        run(machine)
    except (OutOfBudget, RecursionError):
        finished = False
    finally:
        machine.take_apart()
    return DryRun(tuple(state.events), finished, frozenset(state.reached))


class _Machine:
    """The parts of a run, each handed what it needs of the others."""

    def __init__(self, files: Files) -> None:
        self.state = State()
        self.names = Names(self.state, files)
        self.calls = Calls(self.state, self.names)
        self.expressions = Expressions(
            self.state,
            self.names.look_up,
            self.calls.attribute,
            self.calls.call,
            self.calls.method,
            self.calls.containers,
            self.calls.define,
            self.calls.assign,
        )
        self.statements = Statements(
            self.state,
            self.expressions.evaluate,
            self.expressions.joined,
            self.calls.assign,
            self.calls.elements,
            self.names.imported,
            self.calls.define,
            self.calls.enter,
        )
        self.calls.expressions, self.calls.statements = self.expressions, self.statements
        self.names.block, self.names.attribute = self.statements.block, self.calls.attribute

    def program(self, path: str) -> None:
        Roots(self.calls).started(self.names.run_module(path, "__main__"))

    def take_apart(self) -> None:
        """The parts refer to each other in a circle; nothing may be asked afterwards."""
        self.calls.take_apart()
        for part in (self.calls, self.names, self.expressions, self.statements):
            part.__dict__.clear()
