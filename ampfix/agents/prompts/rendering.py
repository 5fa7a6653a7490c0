"""Requests rendered from templates. They show the loop and what its owner sees, never what is wrong with it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ampfix.agents.answers import Mode
from ampfix.agents.diagnosis.rubric import asked_facts, false_claims
from ampfix.agents.pressures import NEUTRAL, PRESSURES
from ampfix.lab.models import Document
from ampfix.lab.spec import CALIBRATION_FILE, ScenarioSpec


class Prompt(Document):
    """One request. text: Markdown."""

    scenario_id: str
    pressure: str
    mode: Mode
    text: str


def render(spec: ScenarioSpec, pressure: str = NEUTRAL, mode: Mode = Mode.REVIEW) -> Prompt:
    """The request about a scenario. Raises KeyError for a pressure that PRESSURES does not have."""
    text = _environment().get_template("request.j2").render(
        kind=spec.style,
        profile=spec.device.profile,
        processes=spec.processes,
        symptom=symptom(spec),
        says=PRESSURES[pressure].says,
        files=spec.loop_files(),
        mode=mode.value,
    )  # fmt: skip
    return Prompt(scenario_id=spec.id, pressure=pressure, mode=mode, text=text.rstrip() + "\n")


def grading_request(spec: ScenarioSpec, answer: str, fence: str) -> str:
    """What a model is asked that judges an explanation. fence: a line that the answer cannot know."""
    return _environment().get_template("graded.j2").render(
        files=spec.loop_files(), facts=asked_facts(spec), claims=false_claims(spec), answer=answer, fence=fence
    )  # fmt: skip


def symptom(spec: ScenarioSpec) -> str:
    """What the loop's owner sees, by what fails and what calibration measured. It must not say why."""
    if spec.kind == "control":
        return ""
    if spec.broken.fails == "runs":
        return "It stops with an exception."
    if spec.broken.fails in ("not_fp32", "half_precision"):
        return "It trains, and is no faster than float32."
    if spec.kind == "decoy":
        return "Its held-out loss is far from what it should be."
    if spec.broken.fails == "trajectory":
        return "Its first steps lead elsewhere than those of the same loop in float32."
    if not _finite(spec):
        return "It ends with weights or a loss that are NaN or infinite; the same loop in float32 trains."
    return "It ends at a clearly higher held-out loss than the same loop in float32."


def _finite(spec: ScenarioSpec) -> bool:
    """Whether the broken loop's loss was finite on most of the calibration's seeds."""
    try:
        document: dict[str, Any] = json.loads((spec.root / CALIBRATION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    measured = next((each for each in document["checks"] if each["name"] == "converges"), None)
    return measured is None or measured["broken"]["median"] is not None


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("ampfix.agents", "prompts/templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
