"""Verdicts to render, built from the lab's own models."""

from __future__ import annotations

from typing import Any

from ampfix.lab.causes import Status
from ampfix.lab.suite import ScenarioReport, SeedRun, SuiteReport, VariantVerdict
from ampfix.lab.verdict import Check, CheckStatus, Figures, Isolation, Trust, Verdict


def check(name: str, status: CheckStatus = CheckStatus.PASS, **fields: Any) -> Check:
    return Check(**{"name": name, "status": status, "required": True, "source": Trust.ATTESTED, **fields})


def verdict(status: Status = Status.PASS, **fields: Any) -> Verdict:
    return Verdict(
        **{
            "scenario_id": "clip-before-unscale",
            "answer_sha256": "0" * 64,
            "status": status,
            "trust": Trust.SELF_REPORTED,
            "complete": False,
            "checks": (
                check("runs", decisive=True),
                check("converges", measured=0.01, threshold=0.25, unit="of the gap", decisive=True),
                check("half_precision", measured=0.97, threshold=0.4, source=Trust.SELF_REPORTED, decisive=True),
                check("speedup", CheckStatus.NOT_MEASURED, required=False),
            ),
            "figures": Figures(loss=0.1234567, reference_loss=0.12, skipped=2, attempted=150, half_precision=0.97),
            "policy": "cuda",
            "device": "A100",
            "isolation": Isolation(level="namespaces"),
            "secret": "0" * 16,
            "seeds": (1, 2, 3),
            "wall_s": 1.25,
            "versions": {"ampfix": "0.1.0", "torch": "2.13.0"},
            **fields,
        }
    )


def failed(**fields: Any) -> Verdict:
    wrong = check(
        "converges", CheckStatus.FAIL, measured=0.9, threshold=0.25, reason="loss_too_high", decisive=True,
        detail="held-out loss is nearer to the broken loop's",
    )  # fmt: skip
    loss = Figures(loss=1.5, reference_loss=0.12, skipped=0, attempted=150, half_precision=0.97)
    decided = {"reason": "loss_too_high", "trust": Trust.ATTESTED, "checks": (wrong,), "figures": loss}
    return verdict(Status.FAIL, **{**decided, **fields})


def scenario(
    verdicts: dict[str, Verdict], losses: dict[str, tuple[float, ...]] | None = None, **fields: Any
) -> ScenarioReport:
    """A scenario's report: a verdict per variant, and a run per seed with the given held-out losses."""
    runs = [
        SeedRun(variant=variant, seed=seed, repeat=0, verdict=verdict(figures=Figures(loss=loss)))
        for variant, values in (losses or {}).items()
        for seed, loss in enumerate(values)
    ]
    return ScenarioReport(
        **{
            "id": "clip-before-unscale",
            "valid": True,
            "problems": (),
            "runs": tuple(runs),
            "verdicts": tuple(
                VariantVerdict(variant=variant, repeat=0, verdict=one) for variant, one in verdicts.items()
            ),
            **fields,
        }
    )


def suite(*scenarios: ScenarioReport) -> SuiteReport:
    return SuiteReport(ok=all(one.valid for one in scenarios), scenarios=scenarios)
