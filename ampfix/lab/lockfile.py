"""The lock file: the verdicts that a suite is expected to give, kept beside the scenarios as scenarios.lock.

It holds outcomes, never seeds: every run draws fresh ones, so an outcome that is not the same on all of them is kept
as the several outcomes that were seen. Comparing with it is `compare`'s part.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ampfix import atomic
from ampfix.lab.calibration import Calibration
from ampfix.lab.causes import Status
from ampfix.lab.models import Document, Model
from ampfix.lab.spec import CALIBRATION_FILE, ScenarioSpec
from ampfix.lab.suite import ScenarioReport, SuiteReport
from ampfix.lab.validity import BROKEN, GOLD
from ampfix.lab.verdict import Check, Verdict

LOCK_FILE = "scenarios.lock"

Range = tuple[float | None, float | None]
"""Lowest and highest; None stands for one that is not finite."""

_DIGITS = 4
_DEPTH_OF_CHECKS = 6  # deeper, everything stands on one line


class LockError(ValueError):
    """A lock file that cannot be read, or may not be written; the message is one line."""


class LockedCheck(Model):
    """One check of one variant.

    outcomes: what it came to, "pass", "not_measured" or "fail: REASON". measured: the medians over a run's seeds.
    calibrated: single seeds of gold and the broken loop, from calibration.json.
    """

    outcomes: tuple[str, ...]
    required: bool = True
    measured: Range | None = None
    threshold: float | None = None
    calibrated: Range | None = None


class LockedVariant(Model):
    """One variant: what its verdicts came to, "pass" or "STATUS: REASON", and its checks by name."""

    outcomes: tuple[str, ...]
    checks: dict[str, LockedCheck] = {}


class LockedScenario(Model):
    """One scenario. cost_s: what its loops took together, for sharing scenarios out."""

    content_sha256: str
    cost_s: float = Field(ge=0)
    variants: dict[str, LockedVariant]


class Lock(Document):
    """The JSON root of a lock file."""

    versions: dict[str, str]
    policy: str
    device: str
    scenarios: dict[str, LockedScenario]


def read(path: Path) -> Lock | None:
    """The lock in a file; None where there is no such file. Raises LockError."""
    try:
        return Lock.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LockError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        raise LockError(f"{path}: not a lock file: {place}: {first['msg']}; write it anew with --update") from None


def write(lock: Lock, path: Path) -> None:
    """Write a lock in one move, one check a line, in an order that depends on names alone. Raises LockError."""
    try:
        atomic.write(path, (_laid_out(_plain(lock), 1) + "\n").encode())
    except OSError as error:
        raise LockError(f"{path}: cannot be written: {error.strerror or error}") from error


def locked(report: SuiteReport, specs: Sequence[ScenarioSpec]) -> Lock:
    """What a run showed, as a lock. Raises LockError where it shows no expected verdicts."""
    if not report.scenarios:
        raise LockError("no scenario ran: nothing written")
    for scenario in report.scenarios:
        if not scenario.valid:
            raise LockError(f"{scenario.id} is not valid, so its verdicts are not what is expected: nothing written")
    first = _any_verdict(report)
    by_id = {spec.id: spec for spec in specs}
    return Lock(
        versions=first.versions,
        policy=first.policy,
        device=first.device,
        scenarios={scenario.id: _scenario(scenario, by_id[scenario.id]) for scenario in report.scenarios},
    )


def merged(old: Lock | None, part: Lock, known: Iterable[str]) -> Lock:
    """A lock of some scenarios put into one of all. known: the ids of every scenario there is.

    Raises LockError where there is no lock to put it into, or the rest of it was measured under other circumstances.
    """
    missing = set(known) - set(part.scenarios)
    if not missing:
        return part if old is None else _settled(old, part)
    if old is None:
        raise LockError(f"no lock to merge these scenarios into: run --update on all ({_some(missing)} missing)")
    for what in ("torch", "policy", "device"):
        was, now = _circumstance(old, what), _circumstance(part, what)
        if was != now:
            raise LockError(f"the lock was written with {what} {was}, not {now}: run --update on all scenarios")
    kept = {name: entry for name, entry in old.scenarios.items() if name in missing}
    return part.model_copy(update={"scenarios": kept | _settled(old, part).scenarios})


def _settled(old: Lock, new: Lock) -> Lock:
    """The new lock with the old entry of each scenario that came out the same: fresh seeds alone change no line."""
    same = {
        name: old.scenarios[name]
        for name, entry in new.scenarios.items()
        if name in old.scenarios and _outcomes(old.scenarios[name]) == _outcomes(entry)
    }
    return new.model_copy(update={"scenarios": new.scenarios | same})


def _outcomes(entry: LockedScenario) -> dict[str, Any]:
    """An entry without what every run measures anew."""
    checks = {"__all__": {"checks": {"__all__": {"measured"}}}}
    return entry.model_dump(exclude={"cost_s": True, "variants": checks})


def outcome(status: str, reason: str) -> str:
    """A status and its reason as one text."""
    return f"{status}: {reason}" if reason else status


def check_outcome(check: Check) -> str:
    """What a check came to."""
    return outcome(check.status.value, check.reason)


def _circumstance(lock: Lock, what: str) -> str:
    return lock.versions.get("torch", "") if what == "torch" else str(getattr(lock, what))


def _any_verdict(report: SuiteReport) -> Verdict:
    for scenario in report.scenarios:
        for one in scenario.verdicts:
            if one.verdict.status is Status.INFRA_ERROR:
                raise LockError(f"{scenario.id} {one.variant} could not be judged: nothing written")
    return report.scenarios[0].verdicts[0].verdict


def _scenario(scenario: ScenarioReport, spec: ScenarioSpec) -> LockedScenario:
    repeats = 1 + max(one.repeat for one in scenario.verdicts)
    verdicts: dict[str, list[Verdict]] = {}
    for one in scenario.verdicts:
        verdicts.setdefault(one.variant, []).append(one.verdict)
    calibrated = _calibrated(spec)
    return LockedScenario(
        content_sha256=spec.content_hash,
        cost_s=round(sum(one.verdict.wall_s for one in scenario.verdicts) / repeats, 1),
        variants={
            variant: _variant(several, {name: range_ for (of, name), range_ in calibrated.items() if of == variant})
            for variant, several in verdicts.items()
        },
    )


def _variant(verdicts: Sequence[Verdict], calibrated: dict[str, Range]) -> LockedVariant:
    checks: dict[str, list[Check]] = {}
    for verdict in verdicts:
        for check in verdict.checks:
            checks.setdefault(check.name, []).append(check)
    return LockedVariant(
        outcomes=_distinct(outcome(verdict.status.value, verdict.reason) for verdict in verdicts),
        checks={name: _check(several, calibrated.get(name)) for name, several in checks.items()},
    )


def _check(checks: Sequence[Check], calibrated: Range | None) -> LockedCheck:
    measured = [check.measured for check in checks if check.measured is not None]
    return LockedCheck(
        outcomes=_distinct(map(check_outcome, checks)),
        required=checks[0].required,
        measured=(_rounded(min(measured)), _rounded(max(measured))) if measured else None,
        threshold=checks[0].threshold,
        calibrated=calibrated,
    )


def _calibrated(spec: ScenarioSpec) -> dict[tuple[str, str], Range]:
    """The ranges of calibration.json by variant and check, as long as it was measured on these very files."""
    try:
        calibration = Calibration.model_validate_json((spec.root / CALIBRATION_FILE).read_bytes())
    except (OSError, ValidationError):
        return {}
    if calibration.content_sha256 != spec.content_hash:
        return {}
    sides = {(GOLD, check.name): check.gold for check in calibration.checks}
    sides |= {(BROKEN, check.name): check.broken for check in calibration.checks}
    return {key: (side.minimum, side.maximum) for key, side in sides.items()}


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(texts)))


def _rounded(value: float) -> float | None:
    rounded = float(f"{value:.{_DIGITS}g}")
    return rounded if abs(rounded) != float("inf") and rounded == rounded else None


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")


def _plain(lock: Lock) -> dict[str, Any]:
    """The lock as JSON's own types, without what has its default."""
    plain: dict[str, Any] = json.loads(lock.model_dump_json(by_alias=True, exclude_defaults=True))
    return {"schema": lock.version_of_schema, **plain}


def _laid_out(value: Any, depth: int) -> str:
    if not isinstance(value, dict) or not value or depth > _DEPTH_OF_CHECKS:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    inner = ",\n".join(
        f"{'  ' * depth}{json.dumps(key)}: {_laid_out(value[key], depth + 1)}" for key in _ordered(value)
    )
    return f"{{\n{inner}\n{'  ' * (depth - 1)}}}"


def _ordered(value: dict[str, Any]) -> Iterator[str]:
    """Names in order, the schema first: a reader wants to know what it is about to read."""
    yield from sorted(value, key=lambda name: (name != "schema", name))
