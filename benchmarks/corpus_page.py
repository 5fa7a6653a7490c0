"""Writes docs/real-world.md from the tables of tests/data/real and the measured figures.

python benchmarks/corpus_page.py
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data" / "real"
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "real-world.md"
COUNTED = ("AMP601", "AMP502")  # many and alike: counted per source, not listed

HEAD = """# What check says about real code

Two samples of published code. The *development* sample was read while the rules were written: each finding was judged
by hand, and the false ones were handed to the rules as tests; it shows check as it was the day the blind sample was
measured. The *blind* sample was set apart before anything ran: repositories by a hash of their names, and twelve
packages with loops of their own. Its bugs were labelled by reading the training code around every scaler, region,
backward and step; the labels were committed, and then `ampfix check` was run on it, once. Two labels lie in a file that
is not valid Python, which check refuses.

This page is written by `benchmarks/corpus_page.py` from `tests/data/real/` and `benchmarks/results/`;
`benchmarks/corpus_findings.py` measures.

"""


def table(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def heading(*cells: str) -> list[str]:
    return [row(*cells), "|" + "---|" * len(cells)]


def figure(share: dict[str, Any]) -> str:
    if not share["of"]:
        return "-"
    low, high = share["interval"]
    return f"{share['rate']:.3f} ({share['hits']} of {share['of']}; {low:.3f} to {high:.3f})"


def blind(first: dict[str, Any], now: dict[str, Any] | None) -> list[str]:
    """The figures of the first run, and those after repair, which are no longer blind."""
    runs = {"first run, blind": first, **({"after repair": now} if now else {})}
    lines = ["## The blind sample", "", *heading("", *runs)]
    measures = {
        "findings": lambda run: run["findings"],
        "precision": lambda run: figure(run["precision"]),
        "precision without AMP601": lambda run: figure(run["precision_without_AMP601"]),
        "precision of errors and warnings": lambda run: figure(run["precision_without_notes"]),
        "false errors": lambda run: len(run["false_errors"]),
        "recall of the labels": lambda run: figure(run["recall"]),
        "recall without AMP601": lambda run: figure(run["recall_without_AMP601"]),
    }
    lines += [row(name, *(of(run) for run in runs.values())) for name, of in measures.items()]
    lines += ["", "In brackets: the count and Wilson's 95 % interval. AMP5xx is advice and was not labelled.", ""]
    lines += ["### Recall by rule", "", *heading("rule", *runs)]
    for rule in first["recall_by_rule"]:
        lines.append(row(rule, *(figure(run["recall_by_rule"][rule]) for run in runs.values())))
    for name, run in runs.items():
        lines += ["", f"### Labels missed, {name}", "", *heading("source", "file", "line", "rule")]
        lines += [row(*each) for each in run["missed"]] or ["none"]
    return [*lines, ""]


def sources(sample: str, counts: Counter[tuple[str, str]]) -> list[str]:
    lines = heading("source", "version or commit", "files", "that mention AMP", *COUNTED, "other findings")
    for each in table("sources.csv"):
        if each["sample"] != sample:
            continue
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


def page() -> str:
    verdicts = table("verdicts.csv")
    counts = Counter((each["source"], each["rule"]) for each in verdicts if each["verdict"] != "repaired")
    named = {
        sample: {each["source"] for each in table("sources.csv") if each["sample"] == sample}
        for sample in ("dev", "holdout")
    }
    first = json.loads((RESULTS / "blind_sample.json").read_text(encoding="utf-8"))
    after = RESULTS / "blind_sample_after.json"
    lines = blind(first, json.loads(after.read_text(encoding="utf-8")) if after.exists() else None)
    for sample, title in (("holdout", "the blind sample"), ("dev", "the development sample")):
        lines += [f"## Sources of {title}", "", *sources(sample, counts), ""]
        lines += [f"## Findings in {title}", "", *listed(verdicts, named[sample]), ""]
    lines += ["## False findings met on the way, and the test that keeps each away", ""]
    lines += heading("source", "file", "rule", "what misled the analysis", "test")
    lines += [row(*each.values()) for each in table("misled.csv")]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
