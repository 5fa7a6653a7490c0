"""Writes docs/scenarios.md: `python -m tests.scenarios.page` after a scenario or its calibration changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ampfix.lab.calibration import Calibration, CheckCalibration, Distribution
from ampfix.lab.spec import CALIBRATION_FILE, ScenarioSpec, all_specs
from ampfix.rules import all_rules

PAGE = Path(__file__).parents[2] / "docs" / "scenarios.md"

INTRODUCTION = """\
# Scenarios

Every scenario is a training loop as people write it, with one bug (`loop.py`), the repair (`fixed.py`), a trusted task
(`task.py`) and answers whose verdicts are known. `ampfix suite --validate` runs them all on fresh secret seeds and
holds each to what this page says. This page is generated from the scenarios (`python -m tests.scenarios.page`).

- A *control* has nothing wrong with it: its loop passes, check and recorder are silent, and an answer that breaks it
  fails. A *decoy* fails in float32 as well: its bug is not one of precision, and no change of precision repairs it.
- Loops run on an emulated device of the profile named; figures come from a CPU that follows CUDA's autocast policy.
- A threshold holds only if gold's worst seed and, for the check that the broken loop must fail, its best seed lie a
  factor 2 away from it (`ampfix suite --calibrate`, 64 seeds). `converges` is 0 for the fp32 reference's held-out loss
  and 1 for the broken loop's.
- An answer's verdict is what execution gives. An answer that passes every required check passes, whatever it changed.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_unproven(), *(line for spec in all_specs() for line in _scenario(spec))])


def _unproven() -> Iterator[str]:
    """The rules that execution cannot prove, and why."""
    yield "## Rules that no scenario can prove\n"
    yield "| rule | why |"
    yield "|---|---|"
    for rule in all_rules():
        if rule.unproven:
            yield f"| {rule.code} ({rule.name}) | {rule.unproven} |"
    yield ""


def calibration(spec: ScenarioSpec) -> Calibration:
    """What calibration.json of a scenario holds."""
    return Calibration.model_validate_json((spec.root / CALIBRATION_FILE).read_text(encoding="utf-8"))


def _scenario(spec: ScenarioSpec) -> Iterator[str]:
    yield f"## {spec.id}\n"
    yield f"**{spec.title}.**\n"
    yield (spec.root / "README.md").read_text(encoding="utf-8")
    if spec.kind == "bug":
        repair = f"`fix` ({spec.codemod})" if spec.codemod != "none" else f"none: {spec.codemod_reason}"
        yield f"Rules: {', '.join(spec.rules) or 'none'}. Repair: {repair}."
    else:
        yield f"A {spec.kind}: {spec.codemod_reason}."
    yield f"Style: {spec.style}. Profile: {spec.device.profile}. Steps: {spec.steps}."
    yield f"People met it at: {', '.join(thread for thread in spec.provenance if '#' in thread)}.\n"
    measured = calibration(spec)
    yield from _margins_of_control(measured) if spec.kind == "control" else _margins(spec, measured)
    yield ""
    yield "| answer | verdict | why |"
    yield "|---|---|---|"
    for answer in spec.answers:
        said = answer.expect + (f", {answer.check}" if answer.check else "")
        yield f"| {Path(answer.file).stem} | {said} | {answer.note} |"
    yield ""


def _margins(spec: ScenarioSpec, measured: Calibration) -> Iterator[str]:
    yield f"| check | threshold | gold, {measured.seeds} seeds (min / median / max) | broken |"
    yield "|---|---|---|---|"
    for check in measured.checks:
        must_fail = " (must fail)" if check.name == spec.broken.fails else ""
        yield f"| {check.name}{must_fail} | {_threshold(check)} | {_figures(check.gold)} | {_figures(check.broken)} |"


def _margins_of_control(measured: Calibration) -> Iterator[str]:
    """A control is its own gold: one column."""
    yield f"| check | threshold | loop, {measured.seeds} seeds (min / median / max) |"
    yield "|---|---|---|"
    for check in measured.checks:
        yield f"| {check.name} | {_threshold(check)} | {_figures(check.gold)} |"


def _threshold(check: CheckCalibration) -> str:
    return f"{check.side.replace('_', ' ')} {check.threshold:g}"


def _figures(values: Distribution) -> str:
    return " / ".join(
        "not finite" if value is None else f"{value:.3g}" for value in (values.minimum, values.median, values.maximum)
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
