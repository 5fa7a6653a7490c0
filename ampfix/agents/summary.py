"""What a run adds up to: rates with intervals, per family and per pressure, and the difference between two runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from ampfix.agents.grading import Graded
from ampfix.agents.pressures import NEUTRAL, PRESSURES
from ampfix.agents.statistics import Interval, cluster_bootstrap, mean_difference, pass_all, pass_at, wilson
from ampfix.lab.models import Document, Model
from ampfix.lab.verdict import CheckStatus

INFRA = "infra_error"


class Rate(Model):
    """passed of n answers, with a Wilson interval. infra: answers that we failed to judge, which are not in n."""

    n: int
    passed: int
    infra: int = 0
    interval: Interval | None = None


class AtK(Model):
    """Over the requests (scenario and pressure) that have at least k answers."""

    k: int
    pass_at: float
    pass_all: float
    requests: int


class PatternRate(Model):
    """One failure pattern: mean diagnosis score, and the share of answers that show it, where it was asked for."""

    answers: int
    score: float
    shown: float


class Summary(Document):
    """One agent's run. by_cluster: the rate with an interval from drawing families, not answers.

    drop: neutral rate minus that under each pressure, paired by scenario. fast: of the answers whose speed was
    measured, the share that passes and is at least p times as fast as float32; empty where none was measured.
    edits: median lines changed, relative to gold's, of passing answers. machine: versions, devices and policies.
    """

    agent: str
    rate: Rate
    by_cluster: Interval | None
    at_k: tuple[AtK, ...]
    families: dict[str, Rate]
    pressures: dict[str, Rate]
    drop: dict[str, Interval]
    pressure_met: dict[str, Rate]
    reasons: dict[str, int]
    trust: dict[str, int]
    diagnosis: float | None
    patterns: dict[str, PatternRate]
    fast: dict[str, float]
    edits: float | None
    cost_usd: float | None
    tokens: int | None
    machine: dict[str, str]


class Comparison(Document):
    """Two runs over the requests that both answered. difference: one's pass rate minus the other's, families drawn."""

    one: str
    other: str
    requests: int
    difference: Interval
    only_one: tuple[str, ...]
    only_other: tuple[str, ...]


class EvalReport(Document):
    """The JSON root of `report`."""

    runs: tuple[Summary, ...]
    comparisons: tuple[Comparison, ...]


FAST = (1.0, 1.1, 1.5, 2.0)


def summarise(agent: str, graded: Sequence[Graded], families: Mapping[str, str]) -> Summary:
    """families: by scenario; answers to unknown scenarios count in the family ''."""

    def family(each: Graded) -> str:
        return families.get(each.key.scenario_id, "")

    judged = [each for each in graded if _status(each) != INFRA]
    return Summary(
        agent=agent,
        rate=_rate(graded),
        by_cluster=cluster_bootstrap(_grouped(judged, family), _pass_rate) if judged else None,
        at_k=tuple(_at_k(judged)),
        families={name: _rate(group) for name, group in sorted(_grouped(graded, family).items())},
        pressures={name: _rate(group) for name, group in _by_pressure(graded).items()},
        drop=_drops(judged, family),
        pressure_met=_met(judged),
        reasons=dict(Counter(each.verdict.reason or _status(each) for each in graded).most_common()),
        trust=dict(Counter(each.verdict.trust.value for each in judged if each.verdict.trust is not None)),
        diagnosis=_mean(each.diagnosis.score for each in judged if each.diagnosis is not None),
        patterns=_patterns(judged),
        fast=_fast(judged),
        edits=_edits(judged),
        cost_usd=_total(each.usage.cost_usd for each in graded),
        tokens=_tokens(graded),
        machine=_machine(graded),
    )


def compare(one: Summary, other: Summary, ones: Sequence[Graded], others: Sequence[Graded],
            families: Mapping[str, str]) -> Comparison | None:  # fmt: skip
    """None where no request was answered in both."""
    scores = [_by_request(graded) for graded in (ones, others)]
    shared = sorted(scores[0].keys() & scores[1].keys())
    if not shared:
        return None
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for request in shared:
        pairs[families.get(request[0], "")].append((scores[0][request], scores[1][request]))
    better = [request for request in shared if scores[0][request] > scores[1][request]]
    worse = [request for request in shared if scores[0][request] < scores[1][request]]
    return Comparison(
        one=one.agent,
        other=other.agent,
        requests=len(shared),
        difference=cluster_bootstrap(pairs, mean_difference),
        only_one=tuple(f"{scenario} ({pressure})" for scenario, pressure in better),
        only_other=tuple(f"{scenario} ({pressure})" for scenario, pressure in worse),
    )


def _status(each: Graded) -> str:
    return each.verdict.status.value


def _passed(each: Graded) -> bool:
    return _status(each) == "pass"


def _pass_rate(items: Sequence[Graded]) -> float:
    return fmean(_passed(each) for each in items)


def _rate(graded: Sequence[Graded]) -> Rate:
    judged = [each for each in graded if _status(each) != INFRA]
    passed = sum(map(_passed, judged))
    interval = wilson(passed, len(judged)) if judged else None
    return Rate(n=len(judged), passed=passed, infra=len(graded) - len(judged), interval=interval)


def _grouped(graded: Iterable[Graded], key: Callable[[Graded], str]) -> dict[str, list[Graded]]:
    groups: dict[str, list[Graded]] = defaultdict(list)
    for each in graded:
        groups[key(each)].append(each)
    return groups


def _by_pressure(graded: Iterable[Graded]) -> dict[str, list[Graded]]:
    """In the order of the table of pressures."""
    groups = _grouped(graded, lambda each: each.key.pressure)
    return {name: groups[name] for name in PRESSURES if name in groups}


def _by_request(graded: Sequence[Graded]) -> dict[tuple[str, str], float]:
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for each in graded:
        if _status(each) != INFRA:
            groups[each.key.scenario_id, each.key.pressure].append(float(_passed(each)))
    return {request: fmean(scores) for request, scores in groups.items()}


def _at_k(judged: Sequence[Graded]) -> Iterable[AtK]:
    groups: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for each in judged:
        groups[each.key.scenario_id, each.key.pressure].append(_passed(each))
    largest = max(map(len, groups.values()), default=0)
    for k in sorted({1, *(k for k in (2, 3, 5, 10, 100) if k <= largest), largest} - {0}):
        enough = [(len(group), sum(group)) for group in groups.values() if len(group) >= k]
        if enough:
            yield AtK(
                k=k,
                pass_at=fmean(pass_at(k, n, passed) for n, passed in enough),
                pass_all=fmean(pass_all(k, n, passed) for n, passed in enough),
                requests=len(enough),
            )


def _drops(judged: Sequence[Graded], family: Callable[[Graded], str]) -> dict[str, Interval]:
    scores = _by_request(judged)
    families = {each.key.scenario_id: family(each) for each in judged}
    drops: dict[str, Interval] = {}
    for pressure in (name for name in _by_pressure(judged) if name != NEUTRAL):
        pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for (scenario, under), score in scores.items():
            if under == pressure and (scenario, NEUTRAL) in scores:
                pairs[families[scenario]].append((scores[scenario, NEUTRAL], score))
        if pairs:
            drops[pressure] = cluster_bootstrap(pairs, mean_difference)
    return drops


def _met(judged: Sequence[Graded]) -> dict[str, Rate]:
    asked = [each for each in judged if each.diagnosis is not None and each.diagnosis.pressure_met is not None]
    rates: dict[str, Rate] = {}
    for name, group in _by_pressure(asked).items():
        met = sum(bool(each.diagnosis and each.diagnosis.pressure_met) for each in group)
        rates[name] = Rate(n=len(group), passed=met, interval=wilson(met, len(group)))
    return rates


def _patterns(judged: Sequence[Graded]) -> dict[str, PatternRate]:
    scores: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for each in judged:
        for name, pattern in (each.diagnosis.patterns if each.diagnosis else {}).items():
            if pattern.score is not None and each.diagnosis is not None:
                scores[name].append((pattern.score, name in each.diagnosis.shown))
    return {
        name: PatternRate(
            answers=len(found), score=fmean(score for score, _ in found), shown=fmean(shown for _, shown in found)
        )
        for name, found in sorted(scores.items())
    }


def _fast(judged: Sequence[Graded]) -> dict[str, float]:
    """fast_p as KernelBench has it: correct, and faster by a factor."""
    measured = [
        (_passed(each), check.measured)
        for each in judged
        for check in each.verdict.checks
        if check.name == "speedup" and check.status is not CheckStatus.NOT_MEASURED and check.measured is not None
    ]
    if not measured:
        return {}
    return {f"{p:g}": fmean(passed and gain >= p for passed, gain in measured) for p in FAST}


def _edits(judged: Sequence[Graded]) -> float | None:
    ratios = sorted(
        each.edits.answer / each.edits.gold for each in judged if _passed(each) and each.edits and each.edits.gold
    )
    return round(ratios[len(ratios) // 2], 3) if ratios else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(fmean(known), 4) if known else None


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 6) if known else None


def _tokens(graded: Sequence[Graded]) -> int | None:
    known = [
        count for each in graded for count in (each.usage.input_tokens, each.usage.output_tokens) if count is not None
    ]
    return sum(known) if known else None


def _machine(graded: Sequence[Graded]) -> dict[str, str]:
    found: dict[str, set[str]] = defaultdict(set)
    for each in graded:
        verdict = each.verdict
        for name, value in {**verdict.versions, "device": verdict.device, "policy": verdict.policy}.items():
            found[name].add(value)
        if verdict.checks:
            found["isolation"].add(verdict.isolation.level)
    return {name: ", ".join(sorted(values)) for name, values in sorted(found.items())}
