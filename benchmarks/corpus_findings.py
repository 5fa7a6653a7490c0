"""What check says about real code, compared with what people who read that code first say.

    python benchmarks/corpus_findings.py FOLDER [--tables DIR] [--output FILE] [--unread FILE]

FOLDER holds `wheels/PACKAGE/` and `repos/OWNER/NAME/` (named as a clone is: some programs import themselves by that
name; and with a `.git` folder: a package that is installed has no programs). In the tables (`tests/data/real/`,
and `second/` to `twelfth/` in it for the later blind samples), `labels.csv` lists the bugs found by reading the holdout
before the linter ever ran on it; `verdicts.csv` says of each finding, read in its context, whether it is true.
Recall is the part of the labels that a finding of the same rule meets, in the same file within NEAR lines (for a bug
that spans files: in the same source; for a rule that speaks once a file: anywhere in it). `withdrawn.csv` lists labels
that a closer reading did not bear out; recall is given with and without them. Precision is the part of the findings
judged true. Both with Wilson's interval. A finding is `moot` where it is right about the code it stands at and the
program cannot get there for a reason that has nothing to do with AMP (a module is missing, another line raises first,
no caller takes the branch): precision counts it as false, and precision_where_code_runs leaves it out.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ampfix.lint.run import check_paths

DATA = Path(__file__).resolve().parent.parent / "tests" / "data" / "real"
NEAR = 60
ADVICE = ("AMP5",)  # performance advice was not labelled: it counts for precision alone
ONCE_A_FILE = ("AMP603",)  # the labels stand at an import, the findings at what is called first
DEPRECATED = "AMP601"  # counted apart, so that the many easy ones do not carry the figure


@dataclass(frozen=True, order=True)
class Found:
    source: str
    file: str
    line: int
    rule: str
    severity: str
    message: str = ""

    @property
    def key(self) -> tuple[str, str, int, str]:
        return self.source, self.file, self.line, self.rule


@dataclass(frozen=True)
class Label:
    source: str
    file: str
    line: int
    rule: str
    scope: str

    def met_by(self, found: Found) -> bool:
        if (found.source, found.rule) != (self.source, self.rule):
            return False
        near = self.rule in ONCE_A_FILE or abs(found.line - self.line) <= NEAR
        return self.scope == "project" or (found.file == self.file and near)


def wilson(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion (E. B. Wilson, JASA 22, 1927)."""
    if not total:
        return 0.0, 1.0
    rate, square = hits / total, z * z
    middle = (rate + square / (2 * total)) / (1 + square / total)
    half = z * math.sqrt(rate * (1 - rate) / total + square / (4 * total * total)) / (1 + square / total)
    return round(middle - half, 4), round(middle + half, 4)


def share(hits: int, total: int) -> dict[str, object]:
    return {
        "hits": hits,
        "of": total,
        "rate": round(hits / total, 4) if total else None,
        "interval": wilson(hits, total),
    }


def findings(folder: Path) -> tuple[list[Found], list[str]]:
    """Every finding of all rules in a sample, and the files that could not be checked."""
    found, errors = [], []
    for kind, pattern in (("wheels", "*"), ("repos", "*/*")):
        for root in sorted((folder / kind).glob(pattern)):
            report = check_paths([str(root)])
            source = root.relative_to(folder / kind).as_posix()
            for finding in report.findings:
                file = Path(finding.path).resolve().relative_to(root.resolve()).as_posix()
                at = finding.span.start.line
                found.append(Found(source, file, at, finding.code, finding.severity.value, finding.message))
            errors += [f"{source}: {Path(each.path).name}: {each.message}" for each in report.errors]
    return sorted(found), errors


def rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def labels(tables: Path) -> list[Label]:
    return [Label(r["source"], r["file"], int(r["line"]), r["rule"], r["scope"]) for r in rows(tables / "labels.csv")]


def standing(tables: Path) -> set[Label]:
    """The labels but those withdrawn."""
    gone = {(r["source"], r["file"], int(r["line"]), r["rule"]) for r in rows(tables / "withdrawn.csv")}
    return {each for each in labels(tables) if (each.source, each.file, each.line, each.rule) not in gone}


def verdicts(tables: Path) -> dict[tuple[str, str, int, str], str]:
    judged = rows(tables / "verdicts.csv")
    return {(r["source"], r["file"], int(r["line"]), r["rule"]): r["verdict"] for r in judged}


def pair(wanted: Iterable[Label], found: Iterable[Found]) -> dict[Label, Found]:
    """Label -> the finding nearest to it; a finding answers one label."""
    free, met = set(found), {}
    for label in wanted:
        fitting = [each for each in free if label.met_by(each)]
        if fitting:
            met[label] = min(fitting, key=lambda each: (each.file != label.file, abs(each.line - label.line)))
            free.remove(met[label])
    return met


def measure(found: list[Found], tables: Path) -> dict[str, object]:
    wanted, judged = labels(tables), verdicts(tables)
    stand = standing(tables)
    met = pair(wanted, found)
    answers = set(met.values())
    true = {each for each in found if each in answers or judged.get(each.key) == "true"}
    moot = {each for each in found if judged.get(each.key) == "moot" and each not in answers}
    false = moot | {each for each in found if judged.get(each.key) == "false" and each not in answers}

    def precision(chosen: Iterable[Found]) -> dict[str, object]:
        listed = list(chosen)
        return share(sum(each in true for each in listed), sum(each in true or each in false for each in listed))

    def recall(chosen: Iterable[Label]) -> dict[str, object]:
        listed = list(chosen)
        return share(sum(label in met for label in listed), len(listed))

    return {
        "findings": len(found),
        "by_severity": dict(Counter(each.severity for each in found)),
        "precision": precision(found),
        "precision_without_AMP601": precision(each for each in found if each.rule != DEPRECATED),
        "precision_where_code_runs": precision(each for each in found if each not in moot),
        "precision_without_notes": precision(each for each in found if each.severity != "note"),
        "false_errors": [each.key for each in sorted(false) if each.severity == "error"],
        "recall": recall(wanted),
        "recall_of_standing": recall(label for label in wanted if label in stand),
        "recall_without_AMP601": recall(label for label in wanted if label.rule != DEPRECATED),
        "recall_by_rule": {
            rule: recall(label for label in wanted if label.rule == rule)
            for rule in sorted({label.rule for label in wanted})
        },
        "precision_by_rule": {
            rule: precision(each for each in found if each.rule == rule)
            for rule in sorted({each.rule for each in found})
        },
        "missed": [(each.source, each.file, each.line, each.rule) for each in wanted if each not in met],
        "false": [(*each.key, each.severity) for each in sorted(false)],
        "unread": sum(each not in true and each not in false for each in found),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", type=Path, default=DATA, help="where labels.csv and verdicts.csv are")
    parser.add_argument("--output", type=Path, help="the figures as JSON")
    parser.add_argument("--unread", type=Path, help="findings that no label or verdict speaks of, as CSV")
    args = parser.parse_args()
    found, errors = findings(args.folder)
    result = {**measure(found, args.tables), "unreadable": errors}
    shown = json.dumps(result, indent=2)
    print(shown)
    if args.output:
        args.output.write_text(shown + "\n", encoding="utf-8")
    if args.unread:
        known = {*pair(labels(args.tables), found).values()}
        with args.unread.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["source", "file", "line", "rule", "severity", "message"])
            judged = verdicts(args.tables)
            for each in found:
                if each not in known and each.key not in judged:
                    writer.writerow([*each.key, each.severity, each.message])
    return 0


if __name__ == "__main__":
    sys.exit(main())
