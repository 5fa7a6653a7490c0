"""Repairs are kept only if a fresh check agrees, and the rest says why it stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from ampfix.codemods.fixpoint import fix_text
from ampfix.findings import Applicability, Finding, Position, Repair, Severity, Span
from ampfix.lint import check_source

SAFE, UNSAFE, DISPLAY = Applicability.SAFE, Applicability.UNSAFE, Applicability.DISPLAY

LOOP = """\
import torch
from torch.cuda.amp import autocast, GradScaler
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

def train(model, loader, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=100)
    scaler = GradScaler(2.0 ** 14)
    for x, y in loader:
        optimizer.zero_grad()
        with autocast(True, torch.float16):
            loss = model(x, y)
        scaler.scale(loss).backward()
        clip_grad_value_(model.parameters(), 5.0)
        clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
"""
REPAIRED = """\
import torch
from torch.amp import autocast, GradScaler
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

def train(model, loader, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=100)
    scaler = GradScaler("cuda", init_scale=2.0 ** 14)
    for x, y in loader:
        optimizer.zero_grad()
        with autocast("cuda", enabled=True, dtype=torch.float16):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        clip_grad_value_(model.parameters(), 5.0)
        clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scale_before = scaler.get_scale()
        scaler.update()
        if scaler.get_scale() >= scale_before:
            scheduler.step()
"""


def test_every_rule_is_repaired_and_one_unscale_serves_both_clips() -> None:
    outcome = fix_text(LOOP, check_source)
    assert outcome.text == REPAIRED
    assert outcome.unfixed == ()
    assert {finding.code for finding in outcome.fixed} == {"AMP101", "AMP114", "AMP601"}


def test_a_second_run_changes_nothing() -> None:
    assert fix_text(REPAIRED, check_source).text == REPAIRED


def test_line_ends_survive_a_whole_run() -> None:
    outcome = fix_text(LOOP.replace("\n", "\r\n"), check_source)
    assert outcome.text == REPAIRED.replace("\n", "\r\n")


def test_codes_that_are_not_fixable_stay_with_the_reason() -> None:
    outcome = fix_text(LOOP, check_source, fixable=lambda code: code == "AMP601")
    assert {f.finding.code: f.reason for f in outcome.unfixed} == {
        "AMP101": "AMP101 is not selected for fixing",
        "AMP114": "AMP114 is not selected for fixing",
    }


PLACE = Span(Position(1, 1), Position(1, 7))


def finding(code: str, repair: Repair | None, reason: str = "") -> Finding:
    return Finding(code, "a-rule", "message", "f.py", PLACE, Severity.ERROR, repair=repair, no_fix_reason=reason)


def insertion(applicability: Applicability = SAFE) -> Repair:
    return Repair("insert_unscale", applicability, "Insert it", PLACE, {"scaler": "s", "optimizer": "o"})


def reason_for(check: object, allowed: tuple[Applicability, ...] = (SAFE,)) -> str:
    outcome = fix_text("clip()\n", check, allowed)  # type: ignore[arg-type]
    assert outcome.text == "clip()\n"
    (unfixed,) = outcome.unfixed
    return unfixed.reason


def test_a_repair_that_would_trip_another_rule_is_refused() -> None:
    def check(text: str) -> Sequence[Finding]:
        return [finding("AMP999", None)] if "unscale_" in text else [finding("AMP101", insertion())]

    assert reason_for(check) == "the repair would leave AMP999 behind"


def test_a_repair_that_does_not_help_is_refused() -> None:
    assert reason_for(lambda _: [finding("AMP101", insertion())]) == "the repair would not remove the finding"


@pytest.mark.parametrize(
    ("repair", "allowed", "reason"),
    [
        (None, (SAFE,), "nobody knows"),
        (insertion(UNSAFE), (SAFE,), "--unsafe-fixes"),
        (insertion(DISPLAY), (SAFE, UNSAFE), "only a suggestion"),
        (Repair("no_such", SAFE, "m", PLACE), (SAFE,), "no codemod named"),
    ],
)
def test_why_a_finding_stays(repair: Repair | None, allowed: tuple[Applicability, ...], reason: str) -> None:
    assert reason in reason_for(lambda _: [finding("AMP101", repair, "" if repair else "nobody knows")], allowed)


def test_unsafe_repairs_are_made_when_allowed() -> None:
    def check(text: str) -> Sequence[Finding]:
        return [] if "unscale_" in text else [finding("AMP101", insertion(UNSAFE))]

    assert fix_text("clip()\n", check, (SAFE, UNSAFE)).text == "s.unscale_(o)\nclip()\n"


def test_a_text_without_findings_does_not_load_libcst() -> None:
    program = (
        "import sys; from ampfix.codemods.fixpoint import fix_text; from ampfix.lint import check_source;"
        "assert fix_text('import torch\\ntorch.amp.autocast\\n', check_source).text; print('libcst' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_a_codemod_that_fails_leaves_its_finding_and_the_others_are_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(tree: object, repair: object) -> list[object]:
        raise KeyError("unforeseen")

    monkeypatch.setattr("ampfix.codemods.plans.insert_unscale.plan", plan)
    outcome = fix_text(LOOP, check_source)
    assert {left.finding.code for left in outcome.unfixed} == {"AMP101"}
    assert "the repair failed (KeyError: 'unforeseen'" in outcome.unfixed[0].reason
    assert "torch.cuda.amp" not in outcome.text
    monkeypatch.setenv("AMPFIX_DEBUG", "1")
    with pytest.raises(KeyError):
        fix_text(LOOP, check_source)


def test_an_interruption_ends_the_program_also_where_cleaning_up_after_it_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object) -> str:
        try:
            raise KeyboardInterrupt
        finally:
            positions: dict[str, int] = {}
            positions["a node that was never reached"]

    monkeypatch.setattr("ampfix.codemods.fixpoint.carry_out", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fix_text(LOOP, check_source, (SAFE,))
