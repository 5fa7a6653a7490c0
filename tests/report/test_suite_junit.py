"""The suite's JUnit report: what the schema of JUnit's XML allows, and a failure at the place it belongs to."""

from __future__ import annotations

import re
from xml.etree import ElementTree as xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lab.causes import Status
from ampfix.lab.compare import Change, LockedReport
from ampfix.lab.suite import SuiteReport
from ampfix.report.suite_junit import junit

from . import samples
from .test_suite_text import shown

# The elements of JUnit's schema that a report may use: attributes that must and may stand there, and the children.
SCHEMA = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors", "disabled"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests"},
        {"failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "testcase": (
        {"name", "classname"},
        {"assertions", "time", "status"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": (set(), {"message", "type"}, set()),
    "error": (set(), {"message", "type"}, set()),
    "system-out": (set(), set(), set()),
}
NUMBERS = {"tests": r"\d+", "failures": r"\d+", "errors": r"\d+", "time": r"\d+\.\d+"}


def parsed(report: SuiteReport) -> xml.Element:
    """The report, held to the schema and to its own counts."""
    root = xml.fromstring(junit(report))
    assert root.tag == "testsuites"
    for element in root.iter():
        must, may, children = SCHEMA[element.tag]
        assert must <= set(element.attrib) <= must | may, element.tag
        assert {child.tag for child in element} <= children, element.tag
        for name, value in element.attrib.items():
            assert re.fullmatch(NUMBERS.get(name, "(?s).*"), value), (name, value)
    for suite in root:
        cases = suite.findall("testcase")
        counted = [len(cases), *(sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error"))]
        assert [int(suite.attrib[name]) for name in ("tests", "failures", "errors")] == counted
        assert cases, "servers refuse an empty suite"
    for name in ("tests", "failures", "errors"):
        assert int(root.attrib[name]) == sum(int(suite.attrib[name]) for suite in root)
    return root


def messages(root: xml.Element) -> dict[str, list[str]]:
    return {
        f"{case.attrib['classname']} {case.attrib['name']}": [one.attrib["message"] for one in case.findall("failure")]
        for case in root.iter("testcase")
        if case.find("failure") is not None
    }


VERDICTS = {"gold": samples.verdict(), "broken": samples.failed(), "answer:larger_max_norm": samples.failed()}


def test_a_failing_verdict_that_is_expected_is_a_passing_case() -> None:
    root = parsed(samples.suite(samples.scenario(VERDICTS)))
    assert messages(root) == {}
    names = [case.attrib["name"] for case in root.iter("testcase")]
    assert names == ["scenario", "gold", "broken", "answer:larger_max_norm"]
    (out,) = [case.findtext("system-out") for case in root.iter("testcase") if case.attrib["name"] == "broken"]
    assert out.startswith("fail loss_too_high\nconverges: fail loss_too_high (measured 0.9, threshold 0.25)")
    assert "secret " + "0" * 16 in out, "the run can be repeated"


def test_a_problem_stands_at_the_variant_it_speaks_of() -> None:
    problems = ("gold does not pass: fail", "check does not report AMP101 in loop.py")
    root = parsed(samples.suite(samples.scenario(VERDICTS, valid=False, problems=problems)))
    assert messages(root) == {
        "clip-before-unscale gold": ["gold does not pass: fail"],
        "clip-before-unscale scenario": ["check does not report AMP101 in loop.py"],
    }


def locked(*changes: Change) -> LockedReport:
    one = samples.scenario(VERDICTS)
    return LockedReport(ok=not any(change.fails for change in changes), scenarios=(one,), changes=changes)


def test_a_change_from_the_lock_stands_at_its_variant_and_drift_is_no_failure() -> None:
    name = "clip-before-unscale"
    report = locked(
        Change(scenario_id=name, variant="gold", kind="verdict", text="pass -> fail"),
        Change(scenario_id=name, variant="broken", kind="drift", text="converges drifts"),
        Change(scenario_id=name, variant="answer:lost", kind="scenario", text="in the lock, and did not run"),
        Change(scenario_id="gone", kind="scenario", text="in the lock, and no such scenario is left"),
    )
    assert messages(parsed(report)) == {
        "clip-before-unscale gold": ["clip-before-unscale gold: pass -> fail"],
        "clip-before-unscale scenario": ["clip-before-unscale answer:lost: in the lock, and did not run"],
        "scenarios.lock gone": ["gone: in the lock, and no such scenario is left"],
    }


def test_the_table_tells_changes_too_and_counts_those_that_fail() -> None:
    report = locked(
        Change(scenario_id="clip-before-unscale", variant="gold", kind="verdict", text="pass -> fail"),
        Change(scenario_id="clip-before-unscale", variant="gold", kind="drift", text="converges drifts"),
    )
    text = shown(report)
    assert "verdict clip-before-unscale gold: pass -> fail" in text and "converges drifts" in text
    assert text.rstrip().endswith("1 of 1 scenarios valid, 1 changes from the lock")


def test_what_could_not_be_judged_is_an_error() -> None:
    broke = samples.verdict(Status.INFRA_ERROR, reason="server_died", detail="the judge ended", trust=None)
    root = parsed(samples.suite(samples.scenario(VERDICTS | {"gold": broke}, valid=False, problems=("gold broke",))))
    (error,) = root.iter("error")
    assert error.attrib == {"message": "the judge ended", "type": "server_died"}


def test_nothing_to_run_is_a_report_too() -> None:
    assert len(list(parsed(samples.suite()).iter("testcase"))) == 1


@pytest.mark.parametrize("repeats", [2, 3])
def test_repeats_are_cases_of_their_own(repeats: int) -> None:
    one = samples.scenario(VERDICTS)
    all_ = tuple(said.model_copy(update={"repeat": n}) for n in range(repeats) for said in one.verdicts)
    root = parsed(samples.suite(one.model_copy(update={"verdicts": all_})))
    names = [case.attrib["name"] for case in root.iter("testcase")]
    assert len(set(names)) == len(names) == 1 + 3 * repeats


@given(text=st.text())
def test_whatever_a_loop_says_stays_text(text: str) -> None:
    problem = f"gold {text}"
    broke = samples.verdict(Status.INFRA_ERROR, reason="server_died", detail=text, trust=None)
    parsed(samples.suite(samples.scenario(VERDICTS | {"broken": broke}, valid=False, problems=(problem,))))
