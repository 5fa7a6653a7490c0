"""A suite's result as a JUnit XML report: a suite for each scenario, a case for each variant.

A case fails where the variant's verdict is not what the scenario claims, or not the locked one; a verdict that could
not be reached is an error. What concerns no single variant is the case "scenario".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree as xml

from ampfix.report.junit_xml import clean, counts, document
from ampfix.report.rows import number

if TYPE_CHECKING:
    from ampfix.lab.compare import Change
    from ampfix.lab.suite import ScenarioReport, SuiteReport
    from ampfix.lab.verdict import Check, Verdict

_WHOLE = "scenario"


def junit(report: SuiteReport) -> str:
    """An XML document. Where nothing ran it holds one passing case, since servers refuse an empty report."""
    changes: Sequence[Change] = getattr(report, "changes", ())
    suites = [_suite(scenario, changes) for scenario in report.scenarios]
    known = {scenario.id for scenario in report.scenarios}
    if lost := [change for change in changes if change.scenario_id not in known]:
        suites.append(_suite_of_lost(lost))
    if not suites:
        empty = xml.Element("testsuite", counts("ampfix", 1, 0, 0))
        xml.SubElement(empty, "testcase", {"name": "no scenario to run", "classname": "ampfix"})
        suites.append(empty)
    tests, failures, errors = (sum(int(one.attrib[name]) for one in suites) for name in ("tests", "failures", "errors"))
    root = xml.Element("testsuites", counts("ampfix", tests, failures, errors))
    root.extend(suites)
    return document(root)


def _suite(scenario: ScenarioReport, changes: Sequence[Change]) -> xml.Element:
    mine = [change for change in changes if change.scenario_id == scenario.id and change.fails]
    cases = [_case_of_scenario(scenario, mine), *_cases(scenario, mine)]
    failed, broke = (sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error"))
    suite = xml.Element("testsuite", counts(scenario.id, len(cases), failed, broke))
    suite.set("time", f"{sum(one.verdict.wall_s for one in scenario.verdicts):.3f}")
    suite.extend(cases)
    return suite


def _cases(scenario: ScenarioReport, changes: Sequence[Change]) -> Iterator[xml.Element]:
    repeated = any(one.repeat for one in scenario.verdicts)
    for one in scenario.verdicts:
        name = f"{one.variant} (repeat {one.repeat})" if repeated else one.variant
        case = _case(scenario.id, name, one.verdict.wall_s)
        if one.verdict.status.value == "infra_error":
            kind = {"message": clean(one.verdict.detail), "type": one.verdict.reason}
            xml.SubElement(case, "error", kind).text = clean(one.verdict.detail)
        else:
            for problem in scenario.problems:
                if _owner(problem, scenario) == one.variant:
                    _fail(case, problem, "invalid")
            for change in changes:
                if change.variant == one.variant:
                    _fail(case, change.line, f"changed {change.kind}")
        xml.SubElement(case, "system-out").text = clean("\n".join(_said(one.verdict)))
        yield case


def _case_of_scenario(scenario: ScenarioReport, changes: Sequence[Change]) -> xml.Element:
    """What concerns the scenario as a whole, or a variant that did not run."""
    case = _case(scenario.id, _WHOLE, 0.0)
    ran = {one.variant for one in scenario.verdicts}
    for problem in scenario.problems:
        if not _owner(problem, scenario):
            _fail(case, problem, "invalid")
    for change in changes:
        if change.variant not in ran:
            _fail(case, change.line, f"changed {change.kind}")
    return case


def _suite_of_lost(changes: Sequence[Change]) -> xml.Element:
    suite = xml.Element("testsuite", counts("scenarios.lock", len(changes), len(changes), 0))
    for change in changes:
        case = _case("scenarios.lock", change.scenario_id, 0.0)
        _fail(case, change.line, f"changed {change.kind}")
        suite.append(case)
    return suite


def _case(suite: str, name: str, seconds: float) -> xml.Element:
    return xml.Element("testcase", {"name": clean(name), "classname": clean(suite), "time": f"{seconds:.3f}"})


def _fail(case: xml.Element, message: str, kind: str) -> None:
    xml.SubElement(case, "failure", {"message": clean(message), "type": kind}).text = clean(message)


def _owner(problem: str, scenario: ScenarioReport) -> str:
    """The variant that a problem speaks of; problems begin with its name."""
    return next((one.variant for one in scenario.verdicts if problem.startswith(f"{one.variant} ")), "")


def _said(verdict: Verdict) -> Iterator[str]:
    yield f"{verdict.status.value} {verdict.reason}".rstrip()
    yield from map(_line, verdict.checks)
    yield f"secret {verdict.secret}"


def _line(check: Check) -> str:
    figures = f"measured {number(check.measured)}, threshold {number(check.threshold)}"
    return f"{check.name}: {check.status.value} {check.reason}".rstrip() + f" ({figures})"
