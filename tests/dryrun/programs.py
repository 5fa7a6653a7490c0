"""Programs as texts, and what a dry run tells of them."""

from __future__ import annotations

import ast
from textwrap import dedent

from ampfix.dryrun import DryRun, Event, rehearse
from ampfix.dryrun.values import Thing

_SETUP = """
import torch
from torch.cuda.amp import GradScaler, autocast
model = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scaler = GradScaler()
"""


class Texts:
    """The files of a project, by their paths below its root."""

    def __init__(self, **texts: str) -> None:
        self._trees = {f"/p/{path.replace('__', '/')}.py": ast.parse(dedent(text)) for path, text in texts.items()}

    @classmethod
    def at(cls, texts: dict[str, str]) -> Texts:
        made = cls()
        made._trees = {f"/p/{path}": ast.parse(dedent(text)) for path, text in texts.items()}
        return made

    def tree(self, path: str) -> ast.Module | None:
        return self._trees.get(path)

    def locate(self, symbol: str, importer: str) -> tuple[str, tuple[str, ...]] | None:
        level = len(symbol) - len(symbol.lstrip("."))
        folder = importer.split("/")[:-level] if level else ["", "p"]
        names = [name for name in symbol[level:].split(".") if name]
        for count in range(len(names), -1, -1):
            base = "/".join([*folder, *names[:count]])
            for path in (f"{base}.py", f"{base}/__init__.py"):
                if path in self._trees and (count or level):
                    return path, tuple(names[count:])
        return None


def run(program: str, **others: str) -> DryRun:
    """The dry run of a program, with a model, an optimizer and a scaler made before its first line."""
    return rehearse("/p/main.py", Texts(main=_SETUP + dedent(program), **others))


def run_files(texts: dict[str, str], start: str = "main.py") -> DryRun:
    return rehearse(f"/p/{start}", Texts.at(texts))


def told(ran: DryRun, *kinds: str) -> list[tuple[str, str]]:
    """The kinds of events, each with what its subject was made by."""
    assert ran.finished
    return [(event.kind, _name(event)) for event in ran.events if not kinds or event.kind in kinds]


def lines(ran: DryRun, kind: str) -> list[int]:
    """The lines of a program's own text at which a kind of event happens, in order."""
    before = _SETUP.count("\n")
    return [event.stack[-1].line - before for event in ran.events if event.kind == kind]


def _name(event: Event) -> str:
    subject = event.subject
    assert isinstance(subject, Thing)
    return (subject.cls.name if subject.cls else subject.made_by).rpartition(".")[2]
