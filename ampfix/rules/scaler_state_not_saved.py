"""AMP203."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ampfix.findings import Applicability, Finding, Repair, Severity, TracePoint
from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.rules import _checkpoints as checkpoints
from ampfix.rules import _kept as states
from ampfix.rules import _pairs as pairs
from ampfix.rules import _places as places
from ampfix.rules import _savers as savers
from ampfix.rules._absent import is_off
from ampfix.rules._base import TRAIN_WORDS, Invalid, Rule
from ampfix.rules._checkpoints import Entry
from ampfix.rules._concerned import Stepped
from ampfix.rules._in_memory import stays_in_memory
from ampfix.rules._kept import States
from ampfix.rules._pairs import Pair
from ampfix.rules._savers import Handed
from ampfix.rules._unused import is_unmentioned

_SCALES = r"near:.scale(:\.scale\((?!\s*\))"  # something: a method without arguments is not a scaler's
# A scaler inside an object of another file shows by the setting that it is built by, and steps beside other events.
_WRAPPED = tuple(
    ("state_dict", setting, word) for setting in (r"near:amp_:\bamp_\w", "mixed_precision") for word in TRAIN_WORDS
)
# The scaler and its steps may lie wholly in other files, behind the calls that a script makes in its loop.
_DRIVERS = (
    ("optimizer", "use_amp="),
    (".train_epoch(", "state_dict"),
    (".train_epoch(", "save_checkpoint("),
    (".train_epoch(", "aver.step("),
    (".train_step(", "save_checkpoint("),
    ("Trainer(", "optimizer.state_dict("),
    (r"near:caler(:caler\(\s*\w*loss", "save"),
    (r"near:caler(:=\s*[\w.]*(?:make|build|get|create|init|setup)_\w*caler\(", "optimizer", "save"),
    (r"near:.backward(:(?<!accelerator)(?<!fabric)\.backward\(\s*\w*loss", "state_dict"),
)
_TRAINS = r"(?:\w*Trainer|\w*Engine|\w*Learner|\w*Runner|train\w*|\w*_train\w*|fit\w*|run_\w*|\w*epoch\w*)\b"
_IMPORTS = rf"near:import:\Afrom [^\n(#]*\bimport\b(?:[^\n(#]*|\s*\([^)]*)\b{_TRAINS}"
_KEEPS_OPTIMIZER = (
    r"near:state_dict(:[Oo]pt\w*(?:\[[^\]\n]*\])?\.(?:load_)?state_dict\(",
    r"near:_checkpoint(:(?<!def )\b(?:save|load)_checkpoint\([^()]*(?:\([^()]*\)[^()]*)*\b[Oo]pt",
)
# `trainer.optimizer.state_dict()`, of an object of another file.
_OF_ANOTHER = r"near:state_dict(:(?<!\bself)\.[Oo]pt\w*\.(?:load_)?state_dict\("

_KEEPS = pattern(r"opt[\w.\[\]]*\.(?:load_)?state_dict\(|\b\w*(?:save|load(?!ers?\()|checkpoint)\w*\(", re.IGNORECASE)


class ScalerStateNotSaved(Rule):
    """A checkpoint for resuming holds the optimizer's state and not the scaler's.

    ## What it does
    Finds checkpoints that store the state of an optimizer which a GradScaler steps, or which is restored beside one, in
    a file that never stores the scaler's state; and places that restore the optimizer and not the scaler. A function of
    another file that is handed the optimizer and does either is found at the call. Checkpoints without optimizer state,
    made for inference, are left alone, and private functions that their project mentions nowhere.

    ## Why is this bad
    A resumed run starts again at a scale of 65536 with its growth counter at zero. Where training had settled at a
    lower scale, each resume begins with a row of skipped steps, and the run differs from one that was not interrupted.

    ## Example
    ```python
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    ...
    optimizer.load_state_dict(checkpoint["optimizer"])
    ```

    ## Use instead
    ```python
    torch.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scaler": scaler.state_dict()}, path
    )
    ...
    optimizer.load_state_dict(checkpoint["optimizer"])
    if checkpoint.get("scaler"):
        scaler.load_state_dict(checkpoint["scaler"])
    ```

    ## Fix safety
    Safe: the checkpoint gains a key, and older checkpoints, or those of a disabled scaler, whose state is empty, still
    load.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.state_dict
    """

    code, name, severity = "AMP203", "scaler-state-not-saved", Severity.WARNING
    fix = Applicability.SAFE
    scenarios = ("resume-under-another-precision", "scaler-state-lost-on-resume")
    mentions = (
        ("state_dict", _SCALES),
        ("GradScaler",),
        ("state_dict", "--amp"),
        (_SCALES, "save"),
        (_SCALES, "load"),
        ("state_dict", "NativeScaler"),
        ("state_dict", "autocast(", "backward("),
        ("state_dict", "_scaler("),
        *_WRAPPED,
        ("state_dict", "use_amp="),
        *_DRIVERS,
        *((_IMPORTS, keeps) for keeps in _KEEPS_OPTIMIZER),
        (_OF_ANOTHER,),
    )

    VALID = (
        """\
import torch

def train(model, loader, optimizer, path):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    state["amp"] = scaler.state_dict()
    torch.save(state, path)
""",
        """\
import torch

def train(model, loader, optimizer, path):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
    torch.save({"model": model.state_dict(), "classes": 10}, path)
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer, path, resume):
    scaler = torch.amp.GradScaler("cuda")
    if resume:
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
        },
        path,
    )
""",
            """\
import torch

def train(model, loader, optimizer, path, resume):
    scaler = torch.amp.GradScaler("cuda")
    if resume:
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        if checkpoint.get("scaler"):
            scaler.load_state_dict(checkpoint["scaler"])
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
    torch.save(
        {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scaler": scaler.state_dict(),
        },
        path,
    )
""",
            (8, 17),
        ),
        Invalid(
            """\
import torch
from engine import train_one_epoch

def main(model, loader, optimizer, path, resume):
    scaler = torch.amp.GradScaler("cuda")
    if resume:
        checkpoint = torch.load(path)
        optimizer.load_state_dict(checkpoint["optimizer"])
        scaler.load_state_dict(checkpoint["scaler"])
    train_one_epoch(model, loader, optimizer, scaler)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
""",
            """\
import torch
from engine import train_one_epoch

def main(model, loader, optimizer, path, resume):
    scaler = torch.amp.GradScaler("cuda")
    if resume:
        checkpoint = torch.load(path)
        optimizer.load_state_dict(checkpoint["optimizer"])
        scaler.load_state_dict(checkpoint["scaler"])
    train_one_epoch(model, loader, optimizer, scaler)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scaler": scaler.state_dict()}, path)
""",
            (11,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        found = [one for one in self._by_names(source) if not is_unmentioned(one.symbol, source)]
        yield from self._rehearsed(source, found) if found or _KEEPS.search(source.text) else ()

    def _rehearsed(self, source: Source, found: list[Finding]) -> Iterator[Finding]:
        """What dry runs of the programs leave of the findings, and what they add to them."""
        from ampfix.rules import _rehearsed_checkpoints as rehearsed  # which few files need

        path = str(Path(source.path).absolute())
        yield from rehearsed.confirmed(found, source.rehearsals, path)
        for told in rehearsed.added(found, source.rehearsals, path):
            span, inner = source.span(told.place.node), source.span(told.kept_at.node)
            yield self.finding(
                source,
                span,
                told.message,
                symbol=told.symbol,
                trace=(TracePoint(f"the optimizer's state is {told.verb}", told.kept_at.path, inner),)
                if told.by
                else (),
                repair=f"{told.scaler} steps it elsewhere in the program; keep its state beside the optimizer's",
            )

    def _by_names(self, source: Source) -> Iterator[Finding]:
        """What the names of this file, and of what it hands on, show."""
        found = pairs.stepping(source, savers.may_keep)
        stepping = {pair.optimizer for pair in found}
        found += [pair for pair in checkpoints.restored_pairs(source) if pair.optimizer not in stepping]
        if not found:
            return
        stepped = pairs.names_of(found)
        saved, restored = list(checkpoints.saved(source, stepped)), list(checkpoints.restored(source, stepped))
        stored = states.kept(source, "state_dict", saved, found)
        read = states.kept(source, "load_state_dict", restored, found)
        keys = sorted({state.key for state in (*stored, *read) if state.key})
        steppers = Stepped(found, source)
        yield from self._missing(source, steppers, saved, States(stored, found, source), keys, "saved")
        yield from self._missing(source, steppers, restored, States(read, found, source), keys, "restored")
        if not stored and not read:
            yield from self._left_behind(source, found, steppers)

    def _left_behind(self, source: Source, found: list[Pair], steppers: Stepped) -> Iterator[Finding]:
        """Calls of functions in other files that keep the optimizer's state, and not the scaler's, and base classes."""
        told = set[tuple[str, str]]()
        for handed in savers.handed_on(source, pairs.names_of(found)):
            entry = Entry(handed.call, handed.owner, stem=handed.owner.rpartition(".")[2])
            for pair in steppers.concerning(entry):
                if not is_off(pair.scaler, source):
                    told.add((pair.optimizer, handed.verb))
                    yield self._kept_without(source, pair, handed)
        for pair in found:
            for handed in savers.inherited(source, pair):
                if (pair.optimizer, handed.verb) not in told and not is_off(pair.scaler, source):
                    told.add((pair.optimizer, handed.verb))
                    yield self._kept_without(source, pair, handed)

    def _kept_without(self, source: Source, pair: Pair, handed: Handed) -> Finding:
        name = handed.to.definition.name
        return self.finding(
            source,
            source.span(handed.call),
            f"the state of {handed.owner} is {handed.verb} by {name} without that of {pair.scaler}, which "
            "steps it: a resumed run starts with a fresh scale",
            proven=pair.proven,
            symbol=getattr(places.function_of(handed.call, source), "name", ""),
            trace=(TracePoint(f"the optimizer's state is {handed.verb}", handed.to.path, handed.to.span),),
            repair=f"{name} lies in another file; hand {pair.scaler} in as well, and keep its state there",
        )

    def _missing(
        self, source: Source, steppers: Stepped, entries: list[Entry], kept: States, keys: list[str], verb: str
    ) -> Iterator[Finding]:
        last: dict[object, tuple[Pair, Entry]] = {}
        for entry in entries:
            for pair in steppers.concerning(entry):
                if not kept.complete(entry, pair):
                    key = (pair.scaler, checkpoints.place_of(entry.node, source), entry.checkpoint)
                    last[key] = (pair, entry)
        for pair, entry in last.values():
            if is_off(pair.scaler, source) or stays_in_memory(entry, source):
                continue
            scaler = f"the {pair.scaler} of {pair.built_in}" if pair.built_in else pair.scaler
            yield self.finding(
                source,
                source.span(entry.node),
                f"the state of {entry.owner} is {verb} without that of {scaler}, which "
                + ("is restored beside it" if pair.restored else "steps it: a resumed run starts with a fresh scale"),
                proven=pair.proven,
                symbol=getattr(places.function_of(entry.node, source), "name", ""),
                repair=self._repair(source, pair, entry, keys),
            )

    def _repair(self, source: Source, pair: Pair, entry: Entry, known_keys: list[str]) -> Repair | str:
        if pair.built_in:
            return f"{pair.built_in} makes a scaler in each call; make it here, hand it in, and keep its state"
        if pair.inside:
            return f"{pair.scaler} belongs to an object of another file; keep its state beside the optimizer's"
        if entry.unlike:
            return entry.unlike.format(pair.scaler)
        if not entry.key:
            return f"the optimizer's state is handed on by itself here; hand on that of {pair.scaler} as well"
        handed = {}
        if not places.in_reach(pair.scaler, entry.node, source):
            if not _can_be_handed_in(pair.scaler, entry, source):
                return f"{pair.scaler} is not known here; hand it in, and keep its state beside the optimizer's"
            handed = {"handed": pair.scaler}
        optional = any(scaler.optional for scaler in source.scalers if scaler.target == pair.scaler)
        arguments = {
            "scaler": pair.scaler.rpartition(".")[2] if handed else pair.scaler,
            **handed,
            "key": known_keys[0] if len(known_keys) == 1 else checkpoints.scaler_key(entry.key),
            **({"optional": "yes"} if optional else {}),
            **({"checkpoint": entry.checkpoint} if entry.checkpoint else {}),
        }
        message = f"Keep the state of {pair.scaler} in the checkpoint"
        return Repair("keep_scaler_state", Applicability.SAFE, message, source.span(entry.node), arguments)


def _can_be_handed_in(scaler: str, entry: Entry, source: Source) -> bool:
    """Whether this is a function of the module that is only called where the scaler is known."""
    function = places.function_of(entry.node, source)
    if function is None or isinstance(function, ast.Lambda) or function not in source.tree.body:
        return False
    calls = list(places.calls_of(function, source))
    return bool(calls) and all(places.in_reach(scaler, call, source) for call in calls)
