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

HEAD = """# What check says about real code

Eleven samples of published code. The *development* sample was read while the rules were written: each finding was
judged by hand, and the false ones were handed to the rules as tests; it shows check as it was the day the blind sample
was measured. The *blind* sample was set apart before anything ran: repositories by a hash of their names, and twelve
packages with loops of their own. Its bugs were labelled by reading the training code around every scaler, region,
backward and step; the labels were committed, and then `ampfix check` was run on it, once. Two labels lie in a file that
is not valid Python, which check refuses. The *second blind sample* was drawn and labelled after the repairs that the
first one brought, and each later one, to the *tenth*, after those of the sample before it, over code that the repairs
had not seen.

Labels that a closer reading did not bear out are withdrawn below, each with its reason; recall is given over all
labels, as committed, and over those that stand. AMP603 speaks once a file: a label at the import is met by a finding at
the call.

This page is written by `benchmarks/corpus_page.py` from `tests/data/real/` and `benchmarks/results/`;
`benchmarks/corpus_findings.py` measures.

"""

SECOND = """## Second blind sample

Small training scripts that the checker never ran on, from repositories in neither of the other samples. They were read
before the run as the first sample was; of the deprecated spellings (AMP601) the first of a file was labelled. The
labels were committed, `ampfix check` was run once, and what it said beyond the labels was read in its context. Most of
the false findings are one mistake in one repository: AMP503 on clocks around helpers that synchronize, or that only
wrap a model in `torch.compile`. Of the missed labels three lie in a file that is not valid Python; two of AMP603 are
met by findings that lie more than 60 lines from the labelled import, and two are imports without a use. The column
"after repair" is today's.

"""


THIRD = """## Third blind sample

Repositories that hold `src/train_ddp.py` or `scripts/train_ddp.py`, taken in the order of a hash of their names; those
with a file that builds a GradScaler, and with at most 1,300 lines in files that mention AMP, were kept. The rules were
frozen, the code around every scaler, region, backward, evaluation and checkpoint was read and the labels committed,
then `ampfix check` was run once, and what it said beyond the labels was read in its context. Of the deprecated
spellings (AMP601) the first of a file was labelled. What check still misses: a scaled loop whose imported model opens
no region (AMP210 keeps silent about imports), an evaluation inside a loop that trains something else, and an update in
a function that never steps.

"""


FOURTH = """## Fourth blind sample

Repositories found by the paths of their files (`train_amp.py`, `train_fp16.py`, `utils/amp.py`, `train_optimized.py`,
`src/training/trainer.py` and the like), kept by the last digit of a hash of their names if a loop of their own trains
under AMP. Copies of well-known code were left out, and files that are not valid Python. Two people labelled half each
without running the checker, then each read the other's labels: of 189 both held 182, the other seven lay in two files
that are not valid Python, and two were added. The labels were committed, `ampfix check` was run once with the rules of
commit d6e01f1, and each reader judged what it said beyond the labels in one half.

What check missed: models, regions and scalers that a helper of another file hands back (nine evaluations in one
repository), regions that are switched off for the evaluation alone, evaluations through another name of the model or
in a file whose names come from elsewhere, optimizers kept in a list or stepped by a wrapper of the scaler, a dtype that
a helper or the configuration picks beside a scaler (AMP204), half losses and attention in other files than the region
(AMP402, AMP404, AMP412), norms read by one method and unscaled by another, and a rank's skip in a file whose losses are
averaged for the log. One label of AMP302 is met in the same file, 161 lines away. Of the false findings one is an
error: a clip that check took for one of scaled gradients, though `unscale_` stands before it, under the same test of
the scaler.

"""


FIFTH = """## Fifth blind sample

Repositories found by the paths of their files, other paths than before (`train_convnext.py`, `train_segformer.py`,
`train_kd.py`, `src/engine/trainer.py`, `scripts/train_vae.py` and the like), taken in the order of a hash of their
names if a loop of their own trains under AMP. Copies of published code, files that are not valid Python and
repositories that only infer under AMP were left out. Two people labelled half each without running the checker, then
each read the other's labels: of 222 both held 217; four went with a repository that copies a published example, one
was the second branch of one checkpoint, and none was added. The labels were committed, `ampfix check` was run once
with the rules of commit fe15555, and each reader judged what it said beyond the labels in one half.

What check missed: evaluations that are a parameter, that a library's function, a loss or a helper of the same file
runs with the model handed in, by a method other than the call, through a model that a conditional unwraps, or by a
region switched off in the call; optimizers that another file steps under a scaler, saved or restored in the caller
(AMP203); a dtype that a table of the file fixes beside a scaler (AMP204); accumulation by a counter or a setting of
the project (AMP115); a test for NaN in a helper (AMP209, AMP110); and one label each of AMP301, AMP309 and AMP412.

Three of the false findings are errors: two on a window of accumulation that a constant of the file makes one batch
long, one on a region that is off around a model whose own forward opens another. The others: flags that one table or
helper sets together with the dtype, a region that a constant of the file switches off, evaluations on the CPU, code
that runs on old versions of torch alone, schedulers that the only caller leaves out, gradients that another method
unscales, a guard of a float32 tensor, and reads in steps that are timed on purpose or that weigh the loss.

"""

SIXTH = """## Sixth blind sample

Drawn as the fifth sample was, by two people again, from repositories in none of the other samples, while the rules were
repaired after the fifth: nobody else saw this code. Each read the other's labels: of 175 both held 174, one was dropped
and four were added. The labels were committed, `ampfix check` was run once with the rules of commit 41f8991, and each
reader judged what it said beyond the labels in one half.

What check missed: gradients that a branch with a scaler never zeroes while the branch without one does (AMP123, five
copies of one loop); attention by hand, two of three times in another file than the region (AMP412);
evaluations by a library's function or a sampler of another file, or on one branch of a forward that trains on the other
(AMP304); a second scaler's state where the first one's is stored, and an optimizer that a function steps which both are
handed to (AMP203); a scheduler behind an update that a model of another file makes (AMP114); and one label each of
AMP301 and AMP102. Four are the second or third of calls side by side of which check names the first: of one helper that
saves, and of two schedulers. Labels whose bug spans files are met by findings in any file of the project; so the list
of missed labels names `src/train.py` of one repository for two calls in its `src/finetune.py`, and in another
`train_finetune_high_psnr.py` for the last call in `tools/train_kd.py`.

One of the false findings is an error: a region in float16 around an evaluation, where the training runs in bfloat16 and
needs no scaler. The others are an accumulation that cannot add up, because each batch zeroes the gradients (which check
reports as well), and an evaluation in a method that nobody calls.

"""

SEVENTH = """## Seventh blind sample

Repositories found by the paths of their files, other paths than before, taken in the order of a hash of their names if
a loop of their own trains under AMP. Copies of published code and repositories that only infer under AMP were left out,
in one half also those with more than 2,000 lines in files that mention AMP; of scripts of one repository that are
nearly alike the first was kept. Two people labelled half each without running the checker, then each read the other's
labels: of 211 both held 208, the other three were dropped, and four were added. The labels were committed,
`ampfix check` was run once with the rules of commit df4372c, and each reader judged what it said beyond the labels in
one half.

What check missed: a region that a helper of another file chooses by the device, with the deprecated name in it and the
backward inside, and regions whose dtype a function reads from a name (AMP201); steps, savers, evaluations and scalers
that lie in helpers and scripts of other files than the scaler (AMP114, AMP202, AMP203, AMP304); a guard that updates
the scaler before any backward, a schedule behind it and its scaler beside bfloat16 (AMP110, AMP114, AMP204); a scaler
and a dtype switched by one flag (AMP204); the second of two evaluations, and the first of two restores; fakes of a
generator in evaluation mode (AMP304); and one label each of AMP119 and AMP123. Labels whose bug spans files, and
labels side by side, are met by any finding that fits; so the list of missed labels names `src/training/engine.py` of
one repository for a call in its `src/main.py`, `src/engine/train.py` of another for one in its `src/cli/train.py`, and
line 1176 of `alpha_zero.py` for line 1154.

Seventeen of the false findings are errors. Fifteen of them, in two repositories, are one mistake: AMP307 took the
models for models of the CPU, where they go only behind their regions, to free memory. The other two are clips (AMP101)
behind an `unscale_`: one stands in a wrapper of another file, under a flag of its own, the other in a function that two
callers hand an optimizer each. The others: attention by hand (AMP412) in a region that is bfloat16 or off, and at
lookups by normalized vectors; flags set together with the dtype (AMP208); evaluations that nobody calls or that measure
made-up data, and one of a model that no caller trains under AMP (AMP304); reads for a guard, or beside a scaler that
waits anyway (AMP502); a softmax in a branch for evaluation (AMP401), and half weights whose optimizer rounds
stochastically (AMP301). One true error, AMP602, lies in a fallback that nobody reaches. One label of AMP110 is met by
AMP111, of the same call, and counts as missed.

"""

EIGHTH = """## Eighth blind sample

Repositories found by the paths of their files, other paths than before, taken in the order of a hash of their names if
a loop of their own trains under AMP. Copies of published code and files that are not valid Python were left out. Two
people labelled half each without running the checker, then each read the other's labels: of 237 both held 236, of one
the line was disputed. A third settled the seventeen places that they had named missing, dropped four labels of a file
that is not valid Python and three of a loop that cannot run, and added eighteen: twelve of the seventeen, and six of
numerics (AMP4xx), which neither had looked for. The labels were committed, `ampfix check` was run once with the rules
of commit 059ba2c, and a fourth judged what it said beyond the labels.

What check missed: evaluations and training that meet through objects, averaged copies, parts of a model or regions kept
in a name (AMP304); numerics of a module in another file than the region it runs in (AMP402, AMP404, AMP407, AMP412);
scalers, optimizers and schedulers that meet only as parameters or through factories and base classes (AMP114, AMP203,
AMP210, AMP301); a scaler in one file and its loop in another (AMP204, AMP209); an optimizer that has no name (AMP123,
one file twice); two optimizers on one scaler (AMP110). Three labels of AMP110 are met by AMP111, of the same call, and
four labels by a finding that answers its neighbour or stands at the call of the helper: all seven count as missed.

The two false errors are one helper: a closure that steps at each window and once more behind the loop (AMP112, AMP113).
The others: a flag assigned side by side (AMP208); a count of operations on made-up data, and a region that is off by
default in training too (AMP304); reads beside one that waits anyway (AMP502), and layers of a self-test (AMP504).

"""

NINTH = """## Ninth blind sample

Drawn as the eighth. Two people labelled half each without running the checker, then each read the other's labels: they
agreed on 266 of 269 places. A third settled these, told checkpoints behind a helper at each call as the page of AMP203
does, dropped six labels of a file that is not valid Python, one repository that somebody may have seen before, and
added ten: seven of numerics, found by running the modules in float16, and three of AMP201. The labels were committed,
`ampfix check` was run once with the rules of commit a51dc0d, and a fourth judged what it said beyond the labels.

What check missed: one repository whose checkpoints are written by an object of another file (AMP203, seven labels),
and in which a test of a configuration was taken for one of torch (AMP601, three); one whose attention runs under a
region four files away (AMP404, AMP405, seven); one whose losses are divided and called scaled (AMP201, AMP411, six);
evaluations that run another method of the model than training does (AMP304, five); scalers, optimizers and models
that meet through parameters of other files (AMP106, AMP202, AMP210, AMP301); imports with a stub for a missing torch
(AMP602). Three labels are answered at another place of the same bug and count as missed.

The three false errors: a scaler that is missing where the loss is scaled, so that the line raises before the clip that
was accused, and two phases of training with an optimizer each over one model (both AMP101, repaired); a branch that
cannot run, since its optimizer is built in comments (AMP116). The other false ones: a switch that the helper beside it
makes true for float16 alone (AMP208, three); a probe with made-up data, a policy that acts, an augmentation and code
that nobody runs (AMP304, seven); reads elsewhere in the interval (AMP503, two); bounded values (AMP401, AMP404,
AMP407); a scheduler that nobody hands in (AMP114).

"""

TENTH = """## Tenth blind sample

Drawn as the ninth. Two people labelled half each without running the checker, then each read the other's labels, with
these in view: they agreed on 294 of 297 places. A third settled these and what else was in doubt, took out nine rows
(programs that raise before they get there, products of two halves) and added twenty of its own; then checkpoints behind
a helper of another file were told at each call, as in the ninth. The labels were committed, `ampfix check` was run once
with the rules of commit 841ba1f, and two more people judged what it said beyond the labels.

Four labels do not stand. What check missed: in one repository of experiments 18 of 27 labels, a device named in
capitals and models cast to a chosen dtype in a chain (AMP302 and AMP301, repaired but for four; without it recall is
0.883); checkpoints of one repository that imports itself by its own name, which the folder of the sample does not have
(AMP203, AMP304, five); evaluations by a base class (three, one repaired), through a function that is a parameter
(three), behind a step that a helper takes (two, one repaired) or with the scaler left out of a call (two), all AMP304;
casts whose optimizer stands in another function (AMP301, four); scalers that helpers of other files make (AMP203,
AMP204).

The false error: a second step of the scaler in a branch whose losses raise before it (AMP111). The other false ones:
seven in one repository whose programs raise before they get there, by a misspelled call or a name that is not set
(AMP203, AMP304); a logarithm of a probability clamped to what float16 holds, told at four calls (AMP402, repaired); a
scaler that is never built (AMP203, AMP304, three); code that nobody runs (AMP304, two); a clip inside an optimizer of
the file's own (AMP411); a finite check in an assert (AMP502, repaired); TF32 for convolutions (AMP505).

"""

# Folder in the tables -> what the page says of that sample.
LATER = {
    "second": SECOND,
    "third": THIRD,
    "fourth": FOURTH,
    "fifth": FIFTH,
    "sixth": SIXTH,
    "seventh": SEVENTH,
    "eighth": EIGHTH,
    "ninth": NINTH,
    "tenth": TENTH,
}


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
    for name, text in LATER.items():
        lines += [text.rstrip(), "", *sample(f"{name}_blind_sample", name)]
    for kept, title in (("holdout", "the blind sample"), ("dev", "the development sample")):
        entries = [each for each in table("sources.csv") if each["sample"] == kept]
        lines += contents(title, entries, table("verdicts.csv"))
    for name in LATER:
        lines += contents(f"the {name} blind sample", table(f"{name}/sources.csv"), table(f"{name}/verdicts.csv"))
    lines += ["## False findings met on the way, and the test that keeps each away", ""]
    lines += heading("source", "file", "rule", "what misled the analysis", "test")
    lines += [row(*each.values()) for each in table("misled.csv")]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
