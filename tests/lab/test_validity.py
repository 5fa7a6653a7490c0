"""A scenario's claims against what was shown: each claim that fails is told, and only that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ampfix.lab.causes import Status
from ampfix.lab.checks import Paired
from ampfix.lab.measurement import Measurement
from ampfix.lab.recording import Breach
from ampfix.lab.spec import AnswerSpec, Broken, ScenarioSpec
from ampfix.lab.validity import matches, problems, static_problems
from ampfix.lab.verdict import Check, CheckStatus, Isolation, Trust, Verdict, decide


def verdict(failing: str = "", reason: str = "loss_too_high") -> Verdict:
    status = CheckStatus.FAIL if failing else CheckStatus.PASS
    check = Check(
        name=failing or "converges",
        status=status,
        required=True,
        reason=reason if failing else "",
        source=Trust.ATTESTED,
    )
    decision = decide([check])
    return Verdict(
        scenario_id="toy", answer_sha256="0" * 64, **dict(decision), policy="cuda", device="cpu",
        isolation=Isolation(level="namespaces"), secret="0" * 16, seeds=(1,), wall_s=0.0, versions={},
    )  # fmt: skip


def told(spec: ScenarioSpec, **changes: Verdict) -> list[str]:
    shown = {"reference": verdict(), "gold": verdict(), "codemod": verdict(), "broken": verdict("converges")}
    return list(problems(spec, shown | changes, {}))


def test_what_was_claimed_and_shown_is_no_problem(toy: ScenarioSpec) -> None:
    assert told(toy) == []


@pytest.mark.parametrize("variant", ["reference", "gold", "codemod"])
def test_what_should_pass_and_does_not_is_told(toy: ScenarioSpec, variant: str) -> None:
    (problem,) = told(toy, **{variant: verdict("converges")})
    assert problem.startswith(f"{variant} does not pass: fail: converges loss_too_high")


@pytest.mark.parametrize("shown", [verdict(), verdict("runs", "crashed")])
def test_a_broken_loop_that_does_not_fail_the_named_check_is_told(toy: ScenarioSpec, shown: Verdict) -> None:
    assert any("broken does not fail converges" in problem for problem in told(toy, broken=shown))


@pytest.mark.parametrize(
    ("expected", "shown", "valid"),
    [
        ({"expect": "fail", "check": "not_fp32", "reason": "amp_removed"}, verdict("not_fp32", "amp_removed"), True),
        ({"expect": "fail", "check": "not_fp32", "reason": "amp_removed"}, verdict("not_fp32"), False),
        ({"expect": "fail", "check": "not_fp32"}, verdict("converges"), False),
        ({"expect": "fail"}, verdict("converges"), True),
        ({"expect": "fail"}, verdict(), False),
        ({"expect": "pass"}, verdict("converges"), False),
        ({"expect": "pass"}, verdict(), True),
    ],
)
def test_an_answer_is_held_to_status_check_and_reason(
    toy: ScenarioSpec, expected: dict[str, Any], shown: Verdict, valid: bool
) -> None:
    spec = toy.model_copy(update={"answers": (AnswerSpec(file="answers/one.py", **expected),)})
    assert (told(spec, **{"answer:one": shown}) == []) is valid


def test_a_control_must_pass(toy: ScenarioSpec) -> None:
    control = toy.model_copy(update={"kind": "control"})
    assert told(control, broken=verdict()) == []
    assert any("is a control" in problem for problem in told(control))


@pytest.mark.parametrize("kind", ["control", "decoy"])
def test_what_has_no_precision_bug_has_no_recorded_violation(
    toy: ScenarioSpec, run: Callable[..., Measurement], kind: str
) -> None:
    breach = Breach(violation="clip_while_scaled", path="loop.py", line=9, first_step=0, count=3)
    spec = toy.model_copy(update={"kind": kind, "rules": (), "broken": Broken()})
    verdicts = {"broken": verdict("" if kind == "control" else "converges")}

    def shown(*breaches: Breach) -> list[str]:
        runs = Paired([run(breaches=breaches)], [run()], [run()], {})
        return list(problems(spec, verdicts, {"broken": runs}))

    assert shown() == []
    assert shown(breach) == ["the recorder sees AMP101 in broken, which has no precision bug"]


def test_a_control_is_its_own_gold(toy: ScenarioSpec) -> None:
    control = toy.model_copy(update={"kind": "control"})
    assert control.gold_files() == control.loop_files() != toy.gold_files()
    assert control.content_hash != toy.content_hash


def test_a_decoy_must_fail_in_fp32_too(toy: ScenarioSpec) -> None:
    decoy = toy.model_copy(update={"kind": "decoy"})
    assert told(decoy, broken_fp32=verdict("converges")) == []
    assert any("broken_fp32 does not fail" in problem for problem in told(decoy, broken_fp32=verdict()))


def test_static_codes_are_compared_with_check(toy: ScenarioSpec) -> None:
    assert list(static_problems(toy)) == []
    missing = toy.model_copy(update={"broken": Broken(static=("AMP101", "AMP114"))})
    assert list(static_problems(missing)) == ["check does not report AMP114 in loop.py"]
    swapped = toy.model_copy(update={"entry": "fixed.py"})
    assert "check does not report AMP101 in fixed.py" in list(static_problems(swapped))


def test_a_reason_may_name_the_beginning_of_its_detail() -> None:
    assert matches("crashed", "crashed", "TypeError: x")
    assert matches("crashed: TypeError", "crashed", "TypeError: x")
    assert not matches("crashed: ValueError", "crashed", "TypeError: x")
    assert not matches("crash", "crashed", "TypeError: x")


def test_the_status_of_a_verdict_made_here_follows_its_check() -> None:
    assert (verdict().status, verdict("runs").status) == (Status.PASS, Status.FAIL)
