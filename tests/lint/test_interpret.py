"""Lowering and interpreting never raise, and paths are followed as Python would run them."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampfix.lint import check_source, interpret, paths
from ampfix.lint.atoms import Atoms
from ampfix.lint.module import SourceModule
from ampfix.lint.paths import Path
from ampfix.lint.turns import Turns
from ampfix.program import Node
from ampfix.protocol import Violation

STATEMENTS = st.sampled_from(
    [
        "scaler.scale(loss).backward()",
        "loss.backward()",
        "loss = scaler.scale(loss)",
        "scaler.unscale_(optimizer)",
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)",
        "scaler.step(optimizer)",
        "optimizer.step()",
        "scaler.update()",
        "optimizer.zero_grad()",
        "scheduler.step()",
        "use_amp = not use_amp",
        "scaler = None",
        "pass",
        "break",
        "continue",
        "return",
        "raise ValueError",
        "helper(scaler, optimizer)",
        "self.helper(loss)",
        "x = [f(y) for y in z if (w := y)]",
        "del loss",
    ]
)
HEADERS = st.sampled_from(
    [
        "if use_amp:",
        "if scaler is not None and not done:",
        "for x in loader:",
        "while True:",
        "while use_amp or done:",
        "with torch.autocast('cuda', enabled=use_amp):",
        "with ctx() as c, torch.cuda.amp.autocast():",
        "def helper(scaler, optimizer=None):",
        "async def later(loss):",
        "class Inner:",
    ]
)


@st.composite
def blocks(draw: st.DrawFn, depth: int = 3) -> str:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.integers(0, 5)) if depth else 0
        if kind <= 2:
            lines.append(draw(STATEMENTS))
        elif kind <= 4:
            lines += [draw(HEADERS), textwrap.indent(draw(blocks(depth=depth - 1)), "    ")]
            if lines[-2].startswith(("if", "for", "while")) and draw(st.booleans()):
                lines += ["else:", textwrap.indent(draw(blocks(depth=depth - 1)), "    ")]
        else:
            inner = [textwrap.indent(draw(blocks(depth=depth - 1)), "    ") for _ in range(3)]
            lines += ["try:", inner[0], "except ValueError:", inner[1], "finally:", inner[2]]
    return "\n".join(lines)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(blocks())
def test_no_program_makes_the_analysis_raise(body: str) -> None:
    text = f"import torch\ndef train(self, model, loader, loss, scaler, use_amp):\n{textwrap.indent(body, '    ')}\n"
    try:
        compile(text, "example.py", "exec", dont_inherit=True)
    except SyntaxError:
        text = text.replace("break", "pass").replace("continue", "pass")
    try:
        compile(text, "example.py", "exec", dont_inherit=True)
    except SyntaxError:
        return  # a return or a name's scope that Python refuses
    for finding in check_source(text):
        assert finding.repair is not None or finding.no_fix_reason


TEMPLATE = """\
import torch

def train(model, loader, optimizer, use_amp, other, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
{body}
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
"""
WORDS = {
    "CLIP": "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)",
    "BACKWARD": "scaler.scale(model(x, y)).backward()",
    "UNSCALE": "scaler.unscale_(optimizer)",
}


def fires(body: str) -> bool:
    for word, code in WORDS.items():
        body = body.replace(word, code)
    text = TEMPLATE.format(body=textwrap.indent(body, " " * 8))
    return any(finding.code == "AMP101" for finding in check_source(text))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("BACKWARD\nCLIP", True),
        ("BACKWARD\nUNSCALE\nCLIP", False),
        ("BACKWARD\nif use_amp:\n    UNSCALE\nif use_amp:\n    CLIP", False),
        ("BACKWARD\nif use_amp:\n    UNSCALE\nif other:\n    CLIP", True),
        ("BACKWARD\nif not use_amp:\n    UNSCALE\nif use_amp:\n    CLIP", True),
        ("BACKWARD\nif use_amp is not None:\n    UNSCALE\nif use_amp:\n    CLIP", False),
        ("BACKWARD\nif use_amp:\n    UNSCALE\nuse_amp = other\nif use_amp:\n    CLIP", True),
        ("flag = use_amp and other\nBACKWARD\nif use_amp and other:\n    UNSCALE\nif flag:\n    CLIP", False),
        ("BACKWARD\ntry:\n    UNSCALE\nfinally:\n    pass\nCLIP", False),
        ("BACKWARD\nif (i + 1) % accum != 0:\n    continue\nUNSCALE\nCLIP", False),
        ("BACKWARD\nif (i + 1) % accum == 0:\n    UNSCALE\nif not (i + 1) % accum != 0:\n    CLIP", False),
        ("if (i + 1) % accum == 0:\n    CLIP\nBACKWARD", False),
        ("BACKWARD\nuse_amp and UNSCALE\nif use_amp:\n    CLIP", False),
        ("BACKWARD\nfor _ in range(2):\n    CLIP", True),
        ("BACKWARD\nassert CLIP > 0", True),
        ("BACKWARD\nnorm = CLIP if other else None", True),
        ("BACKWARD\nraise ValueError\nCLIP", False),
        ("BACKWARD\nwhile True:\n    UNSCALE\n    break\nCLIP", False),
        ("BACKWARD\nfor p in other:\n    UNSCALE\n    break\nelse:\n    UNSCALE\nCLIP", False),
    ],
)
def test_paths(body: str, expected: bool) -> None:
    assert fires(body) is expected


OPTIMIZERS = """\
import torch

def train(nets, loader, optimizers, use):
    scaler = torch.amp.GradScaler("cuda")
    for x in loader:
        for optimizer in use(optimizers):
            optimizer.zero_grad()
        scaler.scale(sum(net(x) for net in nets)).backward()
        for optimizer in use(optimizers):
            scaler.unscale_(optimizer)
        for optimizer in use(optimizers):
            scaler.step(optimizer)
        scaler.update()
"""


def test_each_turn_of_a_loop_over_optimizers_is_about_another_one() -> None:
    assert SourceModule(OPTIMIZERS, "loop.py").occurrences == ()
    twice = OPTIMIZERS.replace(
        "    scaler.unscale_(optimizer)", "    scaler.unscale_(optimizer); scaler.unscale_(optimizer)"
    )
    assert [o.broken.violation for o in SourceModule(twice, "loop.py").occurrences] == [Violation.UNSCALE_TWICE]


@pytest.mark.parametrize(("zeroed", "expected"), [(True, []), (False, [Violation.MIXED_GRADIENTS])])
def test_spoilt_gradients_do_no_harm_once_they_are_zeroed(zeroed: bool, expected: list[Violation]) -> None:
    text = f"""\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x)).backward()
        model(y).backward()
        {"optimizer.zero_grad()" if zeroed else "pass"}
        scaler.scale(model(x)).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
"""
    found = SourceModule(text, "loop.py").occurrences
    assert [(o.broken.violation, o.do.site.span.start.line) for o in found] == [(v, 7) for v in expected]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(blocks(depth=2))
def test_dropping_spent_assumptions_changes_nothing(body: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _follow_all(patch)
        dropping = violations(body)
        patch.setattr(Atoms, "live_after", lambda *_: -1)
        assert violations(body) == dropping


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(blocks(depth=3))
def test_leaving_out_turns_that_show_nothing_new_changes_nothing(body: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _follow_all(patch)
        leaving_out = violations(body)
        patch.setattr(Turns, "fresh", lambda _self, _loop, entering: paths.distinct(entering))
        assert violations(body) == leaving_out


def _follow_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(paths, "_MAX_PATHS", 5000)
    patch.setattr(interpret, "_MANY_STEPS", 10**9)
    # it judges by one past of those that the paths joined here have
    patch.setattr(interpret, "hangs_on_a_switch", lambda *_: False)


def violations(body: str) -> set[object]:
    text = f"import torch\ndef train(self, model, loader, loss, scaler, use_amp):\n{textwrap.indent(body, '    ')}\n"
    try:
        compile(text, "example.py", "exec", dont_inherit=True)
    except SyntaxError:
        return set()
    found = SourceModule(text, "example.py").occurrences
    return {(one.broken.violation, one.do.site.span, one.broken.optimizer, one.proven) for one in found}


TANGLED = """\
import torch

def train(model, loader, optimizer, scaler, flags):
    for epoch in range(10):
        for part in loader:
            for x, y in part:
{tests}
                scaler.scale(model(x, y)).backward()
                scaler.step(optimizer)
                scaler.update()
"""


def test_many_tests_in_nested_loops_take_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    test = "if flags.a{}: scaler.unscale_(optimizer); torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)"
    steps: list[int] = []
    step = interpret._Interpreter._node

    def counted(self: interpret._Interpreter, node: Node, taken: list[Path]) -> interpret._Flow:
        steps.append(len(taken))
        return step(self, node, taken)

    monkeypatch.setattr(interpret._Interpreter, "_node", counted)
    text = TANGLED.format(tests="\n".join(" " * 16 + test.format(i) for i in range(120)))
    found = {one.broken.violation for one in SourceModule(text, "loop.py").occurrences}
    assert sum(steps) < 80_000  # 160,000 without a bound
    assert Violation.UNSCALE_TWICE in found
