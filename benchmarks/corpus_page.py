"""Writes docs/real-world.md from the tables of tests/data/real and the measured figures.

python benchmarks/corpus_page.py
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Container
from pathlib import Path
from typing import Any

from corpus_findings import ADVICE, share

from ampfix.findings import Severity
from ampfix.rules import all_rules

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data" / "real"
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "real-world.md"
CODES = {rule.code for rule in all_rules()}
NOTES = {rule.code for rule in all_rules() if rule.severity is Severity.NOTE}
COUNTED = ("AMP601", "AMP502")  # many and alike: counted per source, not listed

SAMPLES = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth")
"""The folders of the later blind samples in the tables, each with a file that tells how it was read."""


def table(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def about(folder: str) -> str:
    return (DATA / folder / "about.md").read_text(encoding="utf-8").rstrip()


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def heading(*cells: str) -> list[str]:
    return [row(*cells), "|" + "---|" * len(cells)]


def figure(share: dict[str, Any]) -> str:
    if not share["of"]:
        return "-"
    low, high = share["interval"]
    return f"{share['rate']:.3f} ({share['hits']} of {share['of']}; {low:.3f} to {high:.3f})"


def without_advice(run: dict[str, Any]) -> dict[str, Any]:
    kept = [each for rule, each in run["precision_by_rule"].items() if not rule.startswith(ADVICE)]
    return share(sum(each["hits"] for each in kept), sum(each["of"] for each in kept))


def recall_of(run: dict[str, Any], codes: Container[str]) -> dict[str, Any]:
    kept = [each for rule, each in run["recall_by_rule"].items() if rule in codes]
    return share(sum(each["hits"] for each in kept), sum(each["of"] for each in kept))


def figures(runs: dict[str, dict[str, Any]]) -> list[str]:
    """What runs on one sample gave, side by side: the first is blind, a later one no more."""
    lines = heading("", *runs)
    measures = {
        "findings": lambda run: run["findings"],
        "precision": lambda run: figure(run["precision"]),
        "precision without AMP601": lambda run: figure(run["precision_without_AMP601"]),
        "precision without AMP5xx": lambda run: figure(without_advice(run)),
        "precision of errors and warnings": lambda run: figure(run["precision_without_notes"]),
        "false errors": lambda run: len(run["false_errors"]),
        "recall of the labels": lambda run: figure(run["recall"]),
        "recall of the labels that stand": lambda run: (
            figure(run["recall_of_standing"]) if "recall_of_standing" in run else "-"  # none was withdrawn yet
        ),
        "recall, rules of errors and warnings": lambda run: figure(recall_of(run, CODES - NOTES)),
        "recall, rules of notes": lambda run: figure(recall_of(run, NOTES)),
        "recall without AMP601": lambda run: figure(run["recall_without_AMP601"]),
    }
    lines += [row(name, *(of(run) for run in runs.values())) for name, of in measures.items()]
    lines += ["", "In brackets: the count and Wilson's 95 % interval. AMP5xx is advice and was not labelled.", ""]
    lines += ["### Recall by rule", "", *heading("rule", *runs)]
    for rule in next(iter(runs.values()))["recall_by_rule"]:
        lines.append(row(rule, *(figure(run["recall_by_rule"][rule]) for run in runs.values())))
    for name, run in runs.items():
        lines += ["", f"### Labels missed, {name}", "", *heading("source", "file", "line", "rule")]
        lines += [row(*each) for each in run["missed"]] or ["none"]
    return [*lines, ""]


def sources(entries: list[dict[str, str]], counts: Counter[tuple[str, str]]) -> list[str]:
    lines = heading("source", "version or commit", "files", "that mention AMP", *COUNTED, "other findings")
    for each in entries:
        name = each["source"]
        other = sum(number for (source, rule), number in counts.items() if source == name and rule not in COUNTED)
        version = each["version"][:12]
        numbers = [counts[name, rule] for rule in COUNTED]
        lines.append(row(name, version, each["files"], each["amp_files"], *numbers, other))
    return lines


def listed(verdicts: list[dict[str, str]], names: set[str]) -> list[str]:
    lines = heading("source", "file", "line", "rule", "severity", "verdict")
    for each in verdicts:
        if each["source"] in names and each["rule"] not in COUNTED:
            said = each["verdict"] + (f": {each['why']}" if each["why"] else "")
            lines.append(row(each["source"], each["file"], each["line"], each["rule"], each["severity"], said))
    return lines


def result(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def contents(title: str, entries: list[dict[str, str]], verdicts: list[dict[str, str]]) -> list[str]:
    """The sources of a sample, and what check found in them."""
    counts = Counter((each["source"], each["rule"]) for each in verdicts if each["verdict"] != "repaired")
    names = {each["source"] for each in entries}
    lines = [f"## Sources of {title}", "", *sources(entries, counts), ""]
    return [*lines, f"## Findings in {title}", "", *listed(verdicts, names), ""]


def withdrawn(folder: str) -> list[str]:
    if not (DATA / folder / "withdrawn.csv").exists():
        return []
    lines = ["### Labels withdrawn", "", *heading("source", "file", "line", "rule", "why it is no bug of this rule")]
    return [*lines, *(row(*each.values()) for each in table(f"{folder}/withdrawn.csv")), ""]


def sample(name: str, folder: str) -> list[str]:
    """The blind run of a sample, the run after the repairs it brought, and the labels that were withdrawn."""
    runs = {"one run, blind": result(name)}
    if (RESULTS / f"{name}_after.json").exists():
        runs["after repair"] = result(f"{name}_after")
    return [*figures(runs), *withdrawn(folder)]


def page() -> str:
    lines = ["## The blind sample", "", *sample("blind_sample", ".")]
    for name in SAMPLES:
        lines += [about(name), "", *sample(f"{name}_blind_sample", name)]
    for kept, title in (("holdout", "the blind sample"), ("dev", "the development sample")):
        entries = [each for each in table("sources.csv") if each["sample"] == kept]
        lines += contents(title, entries, table("verdicts.csv"))
    for name in SAMPLES:
        lines += contents(f"the {name} blind sample", table(f"{name}/sources.csv"), table(f"{name}/verdicts.csv"))
    lines += ["## False findings met on the way, and the test that keeps each away", ""]
    lines += heading("source", "file", "rule", "what misled the analysis", "test")
    lines += [row(*each.values()) for each in table("misled.csv")]
    return "\n".join([about("."), "", *lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
