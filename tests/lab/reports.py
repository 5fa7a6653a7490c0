"""Suite reports made by hand, for what reads them: the lock file, its comparison and the reports of both."""

from __future__ import annotations

from typing import Any

from ampfix.lab.causes import Status
from ampfix.lab.suite import ScenarioReport, SuiteReport, VariantVerdict
from ampfix.lab.verdict import Check, CheckStatus, Isolation, Trust, Verdict


def passing(name: str = "converges", measured: float | None = 0.01, **fields: Any) -> Check:
    return Check(
        **{"name": name, "status": CheckStatus.PASS, "measured": measured, "required": True, "threshold": 0.25}
        | {"source": Trust.ATTESTED}
        | fields
    )


def failing(
    name: str = "converges", measured: float | None = 0.9, reason: str = "loss_too_high", **fields: Any
) -> Check:
    return passing(name, measured, **{"status": CheckStatus.FAIL, "reason": reason, "decisive": True} | fields)


def verdict(*checks: Check, scenario: str = "toy", **fields: Any) -> Verdict:
    wrong = next((check for check in checks if check.required and check.status is CheckStatus.FAIL), None)
    return Verdict(
        **{
            "scenario_id": scenario,
            "answer_sha256": "0" * 64,
            "status": Status.FAIL if wrong else Status.PASS,
            "reason": wrong.reason if wrong else "",
            "trust": Trust.ATTESTED,
            "complete": True,
            "checks": checks,
            "policy": "cuda",
            "device": "cpu",
            "isolation": Isolation(level="namespaces"),
            "secret": "0" * 16,
            "seeds": (1,),
            "wall_s": 2.0,
            "versions": {"ampfix": "0.1.0", "torch": "2.13.0"},
        }
        | fields
    )


def scenario(verdicts: dict[str, Verdict], name: str = "toy", **fields: Any) -> ScenarioReport:
    said = tuple(VariantVerdict(variant=variant, repeat=0, verdict=one) for variant, one in verdicts.items())
    return ScenarioReport(**{"id": name, "valid": True, "problems": (), "runs": (), "verdicts": said} | fields)


def suite(*scenarios: ScenarioReport) -> SuiteReport:
    return SuiteReport(ok=all(one.valid for one in scenarios), scenarios=scenarios)


def usual(**changed: Verdict) -> SuiteReport:
    """Gold passes, the broken loop fails, one answer of each kind; keywords replace verdicts."""
    verdicts = {
        "gold": verdict(passing()),
        "broken": verdict(failing()),
        "answer:right": verdict(passing()),
        "answer:wrong": verdict(failing()),
    }
    return suite(scenario(verdicts | {name.replace("answer_", "answer:"): one for name, one in changed.items()}))
