"""Interprets a step program over sets of protocol states, one per feasible path.

Precision rules: an atom is decided once per path; a loop body runs twice, to see what one turn leaves for the next;
code that cannot be seen makes states unknown, and nothing is reported about unknown states. Where paths exceed the cap
the surplus is dropped: a bug may be missed, none is invented.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ampfix.findings import Span
from ampfix.lint.atoms import Atoms
from ampfix.lint.certainty import is_certain, mixes_branches
from ampfix.lint.clipped import Clipped
from ampfix.lint.paths import SWITCH, Past, Path, assign, behind, distinct, feasible, hangs_on_a_switch, split
from ampfix.lint.prune import every_node
from ampfix.lint.scopes import FUNCTIONS, parameters
from ampfix.lint.turns import Turns
from ampfix.lint.walked import at_another, tries_again, updates_in_between, walked
from ampfix.patterns import pattern
from ampfix.program import (
    Assign,
    Block,
    Branch,
    Call,
    Do,
    Jump,
    JumpKind,
    Loop,
    Node,
    Occurrence,
    Opaque,
    Protected,
    Routine,
)
from ampfix.protocol import (
    ENTRY,
    Broken,
    Event,
    EventKind,
    State,
    Violation,
    advance,
)
from ampfix.records import dataclass, field, replace

_TURNS = 2
_MANY_STEPS = 50_000  # of one routine: loops in loops with dozens of tests, which are followed on
_FEW_PATHS = 8  # from there on
_UNSEEN = Opaque()
_UNNAMED = "?"  # stands for the optimizer of a routine that names none


_SPOILT_EARLIER = (Violation.UNSCALE_IN_WINDOW, Violation.MIXED_GRADIENTS)
_ON_GRADIENTS = frozenset({EventKind.CLIP, EventKind.READ_GRAD, EventKind.EDIT_GRAD})
_ON_OPTIMIZERS = _ON_GRADIENTS | {EventKind.SCHEDULER_STEP}
_PAIRED = _ON_GRADIENTS | {EventKind.UNSCALE}
_WHOLE_STEP = frozenset({EventKind.BACKWARD, EventKind.SCALER_STEP, EventKind.UPDATE, EventKind.ZERO_GRAD})
_INDEXED = pattern(r"\[[A-Za-z_]\w*\]")  # an optimizer picked by a variable: another one each time
_ELEMENT = pattern(r"\[(\*|[A-Za-z_]\w*)\]")  # one of them, picked by a variable or by the loop over all
_AT_ONCE = frozenset(
    {
        Violation.CLIP_WHILE_SCALED,
        Violation.READ_WHILE_SCALED,
        Violation.EDIT_WHILE_SCALED,
        Violation.RAW_STEP_ON_SCALED,
    }
)
_NORMAL = None
_Flow = dict["JumpKind | None", "list[Path]"]


@dataclass(frozen=True)
class Interpretation:
    """occurrences: every violation on some path, once per place and kind. unscales: clip -> an unscale_ of the same
    gradients that runs before it on some path, or behind it."""

    occurrences: tuple[Occurrence, ...] = ()
    unscales: Mapping[Span, Do] = field(default_factory=dict)


def interpret(routine: Routine) -> Interpretation:
    """Follow every path of a routine."""
    if not _may_break(routine.body):
        return Interpretation()
    return _Interpreter(routine).run()


def _may_break(body: Block) -> bool:
    """Whether the protocol has anything to say: of a step without a scaler only that it runs backward in a region."""
    events = [do.event for do in flatten(body)]
    kinds = {event.kind for event in events}
    return any(event.scaler for event in events) or {EventKind.BACKWARD, EventKind.AUTOCAST_ENTER} <= kinds


def flatten(block: Block) -> Iterator[Do]:
    """The events of a block in source order."""
    return (node for node in every_node(block) if isinstance(node, Do))


class _Interpreter:
    def __init__(self, routine: Routine) -> None:
        self._routine = routine
        self._order = list(flatten(routine.body))
        self._index = {id(do): index for index, do in enumerate(self._order)}
        self._names = dict.fromkeys(name for do in self._order for name in do.event.optimizers)
        self._body = self._turns()
        self._clipped = Clipped(self._body, self._order, routine.owners)
        self._atoms, self._in_turns = Atoms(self._body), Turns(self._body)
        self._steps = 0  # so far: a node on a path is one
        self._states: dict[State, State] = {}
        self._behind: dict[tuple[int, int], State] = {}  # both are kept alive by this interpreter and the routine
        self._advanced: dict[tuple[int, int], tuple[State, tuple[Broken, ...]]] = {}
        self._made: dict[tuple[int, object], Do] = {}
        self._found: dict[tuple[object, ...], Occurrence] = {}
        self._unscales: dict[Span, Do] = {}  # clip -> an unscale_ behind it, or before it on some path

    def run(self) -> Interpretation:
        state = ENTRY
        for name in self._names or (_UNNAMED,):
            state = state.with_optimizer(name)
        self._block(self._body, [Path(self._interned(state))])
        return Interpretation(tuple(self._found.values()), self._unscales)

    def _turns(self) -> Block:
        """The routine's body: as a loop where it is one whole step, which is called again and again."""
        body, events = self._routine.body, self._routine.events
        kinds = {do.event.kind for do in events}
        around = [do.site.loops for do in events if do.event.kind is EventKind.BACKWARD]
        if not kinds >= _WHOLE_STEP or any(around) or not isinstance(self._routine.node, FUNCTIONS):
            return body
        names = [one.arg for one in parameters(self._routine.node) if not SWITCH.search(one.arg)]
        kept = ("self", "cls", *self._names, *(do.event.scaler for do in events))
        return (Loop((Call(body),), (), tuple(name for name in names if name not in kept)),)

    # control flow

    def _block(self, block: Block, paths: list[Path]) -> _Flow:
        flow: _Flow = {_NORMAL: paths}
        for node in block:
            current = flow[_NORMAL]
            if not current:
                break
            self._steps += len(current)
            if self._steps > _MANY_STEPS:
                current = current[:_FEW_PATHS]
            step = self._node(node, current)
            live = self._atoms.live_after(node)
            flow[_NORMAL] = distinct(step.pop(_NORMAL, []), live)
            _merge(flow, step)
        return flow

    def _node(self, node: Node, paths: list[Path]) -> _Flow:
        if isinstance(node, Do):
            return {_NORMAL: self._do(node, paths)}
        if isinstance(node, Branch):
            return self._branch(node, paths)
        if isinstance(node, Loop):
            return self._loop(node, paths)
        if isinstance(node, Protected):
            return self._protected(node, paths)
        if isinstance(node, Call):
            flow = self._block(node.body, paths)
            flow[_NORMAL] = flow[_NORMAL] + flow.pop(JumpKind.RETURN, [])
            return flow
        if isinstance(node, Jump):
            return {_NORMAL: [], node.kind: paths}
        if isinstance(node, Assign):
            return {_NORMAL: assign(node, paths, self._atoms)}
        return {_NORMAL: [self._simple(node, path) for path in paths]}

    def _branch(self, node: Branch, paths: list[Path]) -> _Flow:
        holds, fails = split(node.condition, paths, self._atoms)
        flow = self._block(node.then, holds)
        _merge(flow, self._block(node.orelse, fails))
        return flow

    def _loop(self, node: Loop, paths: list[Path]) -> _Flow:
        result: _Flow = {_NORMAL: []}
        done: list[Path] = []
        targets, before = self._atoms.concerned(node.targets), paths
        elements = walked(node, self._names)
        for turn in range(1 if elements or tries_again(node) else _TURNS):
            with self._in_turns.inside(turn):
                beginning = self._in_turns.fresh(node, [path.keeping(~targets) for path in paths])
                flow = self._block(node.body, beginning)
            paths = distinct(flow.pop(_NORMAL) + flow.pop(JumpKind.CONTINUE, []))
            result[_NORMAL] += flow.pop(JumpKind.BREAK, [])
            _merge(result, flow)
            if not node.endless:
                done += paths
        if before and elements and updates_in_between(node):
            self._block(node.body, [self._at_another(path, elements, before[0].state) for path in paths])
        if elements and self._atoms.concerned(tuple(name for name in node.targets if name not in elements)):
            unknown = Opaque(tuple(elements))  # chosen by their place or their name
            states = [self._interned(behind(unknown, path.state)) for path in done]
            done = [path.going_on(s, doubt=path.doubt, past=path.past) for path, s in zip(done, states, strict=True)]
        after = self._block(node.orelse, distinct(done))
        _merge(result, after)
        return result

    def _at_another(self, path: Path, elements: list[str], before: State) -> Path:
        state = self._interned(at_another(path.state, elements, before))
        return path.going_on(state, doubt=path.doubt, past=path.past)

    def _protected(self, node: Protected, paths: list[Path]) -> _Flow:
        flow = self._block(node.body, paths)
        # How far the body came before it failed is not known.
        failed = [self._simple(_UNSEEN, path) for path in paths] if node.handlers else []
        raised = distinct([*failed, *flow.pop(JumpKind.RAISE, [])]) if node.handlers else []
        _merge(flow, self._continued(node.orelse, flow))
        for handler in node.handlers:
            _merge(flow, self._block(handler, raised))
        if not node.final:
            return flow
        result: _Flow = {_NORMAL: []}
        for kind, leaving in flow.items():
            final = self._block(node.final, distinct(leaving))
            through = final.pop(_NORMAL)
            result.setdefault(kind, []).extend(through)
            _merge(result, final)
        return result

    def _continued(self, block: Block, flow: _Flow) -> _Flow:
        return self._block(block, flow.pop(_NORMAL)) if block else {_NORMAL: flow.pop(_NORMAL)}

    def _simple(self, node: Node, path: Path) -> Path:
        if isinstance(node, Opaque) and not node.certain:
            return path.going_on(path.state, doubt=True, past=path.past)
        key = (id(node), id(path.state))
        state = self._behind.get(key)
        if state is None:
            state = self._behind[key] = self._interned(behind(node, path.state))
        return path.going_on(state, doubt=path.doubt, past=path.past)

    def _interned(self, state: State) -> State:
        return self._states.setdefault(state, state)

    # events

    def _do(self, do: Do, paths: list[Path]) -> list[Path]:
        after: list[Path] = []
        for path in paths:
            done = self._concrete(do, path)
            event = done.event
            state, broken = self._advance(path.state, event)
            for one in broken:
                self._report(one, do, path)
            if event.kind in _PAIRED:
                self._pair_with_unscale(done, path)
            doubt = path.doubt and event.kind is not EventKind.BACKWARD
            after.append(path.going_on(state, doubt=doubt, past=Past(done, path.past)))
        return after

    def _advance(self, state: State, event: Event) -> tuple[State, tuple[Broken, ...]]:
        key = (id(state), id(event))  # both are kept alive by this interpreter
        known = self._advanced.get(key)
        if known is None:
            after, broken = advance(feasible(state, event), event)
            known = self._advanced[key] = self._interned(after), broken
        return known

    def _concrete(self, do: Do, path: Path) -> Do:
        """The event on this path: whether the loss that runs backward was scaled, and whose gradients are clipped."""
        event = do.event
        if path.scaled and event.kind is EventKind.BACKWARD and event.scaler is None and do.subject:
            scaler = dict(path.scaled).get(do.subject)
            if scaler is not None:
                return self._with(do, scaler, scaler=scaler)
        elif event.kind in _ON_OPTIMIZERS and not event.optimizers:
            about = self._clipped.alive if event.kind is EventKind.SCHEDULER_STEP else self._clipped.of
            optimizers = about(do, path.state)
            return self._with(do, optimizers, optimizers=optimizers)
        return do

    def _with(self, do: Do, told: object, **changes: object) -> Do:
        """The event with what its path tells: one object for what is the same."""
        key = (id(do), told)
        known = self._made.get(key)
        if known is None:
            known = self._made[key] = replace(do, event=replace(do.event, **changes))  # type: ignore[arg-type]
        return known

    def _report(self, broken: Broken, do: Do, path: Path) -> None:
        if broken.violation in _SPOILT_EARLIER:
            do, path = _blamed(broken, do, path)
        key = (broken.violation, do.site.span, do.site.function, broken.optimizer)
        known = self._found.get(key)
        at = self._position(do)
        proven = is_certain(broken, do, path, self._order, at)
        if known is not None and (known.proven or not proven):
            return  # nothing new, and what follows is dear
        if hangs_on_a_switch(do, path, self._order[:at], self._routine.unclear) or self._chosen_elements(broken, do):
            return
        if mixes_branches(broken, do, path, self._order, at):
            return
        before, after = tuple(path.events())[::-1], tuple(self._order[at + 1 :])
        self._found[key] = Occurrence(broken, do, self._routine, before, after, proven)

    def _position(self, do: Do) -> int:
        """Where the event stands in source order; one made concrete on its path stands where its original does."""
        known = self._index.get(id(do))
        if known is not None:
            return known
        return next(
            i for i, other in enumerate(self._order) if other.site is do.site and other.event.kind is do.event.kind
        )

    def _pair_with_unscale(self, do: Do, path: Path) -> None:
        """Note which unscales and uses of the same gradients meet on a path."""
        is_use = do.event.kind in _ON_GRADIENTS
        if is_use and do.site.span in self._unscales:
            return
        wanted = frozenset({EventKind.UNSCALE}) if is_use else _ON_GRADIENTS
        for earlier in path.events():
            if earlier.event.kind in (EventKind.BACKWARD, EventKind.UPDATE, EventKind.SCALER_STEP):
                return
            if earlier.event.kind in wanted and set(earlier.event.optimizers) & set(do.event.optimizers):
                use, unscale = (do, earlier) if is_use else (earlier, do)
                self._unscales.setdefault(use.site.span, unscale)

    def _chosen_elements(self, broken: Broken, do: Do) -> bool:
        """Whether a loop over several optimizers unscaled some before this: which ones is not known."""
        name = broken.optimizer or ""
        if _INDEXED.search(name) and broken.violation not in _AT_ONCE:
            return True
        if broken.violation is Violation.SCHEDULER_ON_SKIPPED_STEP:
            return False  # a step is skipped or not whatever was unscaled
        earlier = (e.event for e in self._order[: self._position(do)] if e.event.kind is EventKind.UNSCALE)
        unscaled = (one for event in earlier for one in event.optimizers)
        return name.endswith("]") and any(_ELEMENT.sub("[]", one) == _ELEMENT.sub("[]", name) for one in unscaled)


def _blamed(broken: Broken, do: Do, path: Path) -> tuple[Do, Path]:
    """The event that a violation lies at, where it is older than the one that completes it, and the path up to it."""
    past = path.past
    while past is not None:
        if past.do.event == broken.event:
            return past.do, path.before(past.before)
        past = past.before
    return do, path


def _merge(flow: _Flow, more: _Flow) -> None:
    for kind, paths in more.items():
        flow.setdefault(kind, []).extend(paths)
