"""`ampfix check` and `ampfix rule` as users run them: formats, exit codes, and what is not imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ampfix.cli.main import main
from ampfix.codemods import apply_edits, carry_out
from ampfix.findings import Applicability, Edit, Position, Span
from ampfix.lint import check_source

BUG = """\
import torch
def train(model, loader, optimizer):
    scaler, scheduler = torch.amp.GradScaler("cuda"), torch.optim.lr_scheduler.StepLR(optimizer, 9)
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16): loss = model(x, y)
        scaler.scale(loss).backward()
        torch.nn.utils.clip_grad_norm_(
            model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
        optimizer.zero_grad()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(BUG, encoding="utf-8")
    (tmp_path / "clean.py").write_text("x = 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


CLIP_SAID = (
    "train.py:7:9: AMP101 [*] gradients are clipped before scaler.unscale_: gradients still carry the loss scale"
)
STEP_SAID = "train.py:11:9: AMP114 [*] warning: the scheduler steps even when the scaler skipped the optimizer step"


def test_concise(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "check", ".", "--output-format", "concise")
    lines = out.splitlines()
    assert code == 1
    assert err == ""
    assert lines[0].startswith(CLIP_SAID)
    assert lines[1].startswith(STEP_SAID)
    assert lines[2:] == ["Found 2 findings in 2 files; 2 [*] fixable with `ampfix fix`."]


def test_full_shows_source_path_and_fix(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "train.py", "--select", "AMP101")
    assert code == 1
    assert out.splitlines()[1:] == [
        "  |",
        "7 |         torch.nn.utils.clip_grad_norm_(",
        "  |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        "  = path: autocast_enter (line 5), backward (line 6), clip (line 7)",
        "  = fix: Insert `scaler.unscale_(optimizer)` before the clip",
        "",
        "Found 1 finding in 1 file; 1 [*] fixable with `ampfix fix`.",
    ]


def test_json_has_the_documented_shape_and_its_edits_are_the_repair(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "check", ".", "--output-format", "json")
    document = json.loads(out)
    assert code == 1
    assert sorted(document) == ["errors", "files_checked", "findings", "schema", "version"]
    assert (document["schema"], document["errors"], document["files_checked"]) == (1, [], 2)
    clip = document["findings"][0]
    assert {key: clip[key] for key in ("code", "path", "line", "column", "end_line", "end_column", "severity")} == {
        "code": "AMP101", "path": "train.py", "severity": "error",
        "line": 7, "column": 9, "end_line": 8, "end_column": 37,
    }  # fmt: skip
    assert clip["symbol"] == "train"
    assert clip["trace"][-1] == {"event": "clip", "path": "train.py", "line": 7, "column": 9}
    edits = tuple(
        Edit(Span(Position(e["start_line"], e["start_column"]), Position(e["end_line"], e["end_column"])), e["text"])
        for e in clip["fix"]["edits"]
    )
    repair = check_source(BUG)[0].repair
    assert repair is not None
    assert apply_edits(BUG, edits) == carry_out(BUG, repair)
    assert clip["fix"]["applicability"] == Applicability.SAFE.value


def test_json_lines(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "check", ".", "--output-format", "json-lines")
    assert [json.loads(line)["code"] for line in out.splitlines()] == ["AMP101", "AMP114"]


def test_github_annotations(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "check", ".", "--output-format", "github")
    first, second = out.splitlines()
    assert first.startswith(
        "::error title=AMP101 clip-before-unscale,file=train.py,line=7,endLine=8::train.py:7:9: AMP101"
    )
    assert second.startswith("::warning title=AMP114 scheduler-steps-on-skip,file=train.py,line=11,endLine=11,col=9")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("clean.py",), 0),
        (("train.py",), 1),
        (("train.py", "--exit-zero"), 0),
        (("train.py", "--ignore", "AMP1"), 0),
        (("missing.py",), 2),
        (("train.py", "missing.py"), 2),
        (("train.py", "--select", "nope"), 2),
    ],
)
def test_exit_codes(project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int) -> None:
    got, _, err = run(capsys, "check", *arguments)
    assert got == code
    assert bool(err) == (code == 2)
    assert len(err.splitlines()) <= 1


def test_statistics_and_output_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "check", ".", "--statistics", "--output-file", "counts.txt")
    assert out == ""
    assert Path("counts.txt").read_text(encoding="utf-8").split() == [
        "1", "AMP101", "clip-before-unscale", "1", "AMP114", "scheduler-steps-on-skip",
    ]  # fmt: skip


def test_the_projects_settings_apply_unless_isolated(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "pyproject.toml").write_text('[tool.ampfix]\nignore = ["AMP1"]\n', encoding="utf-8")
    assert run(capsys, "check", ".")[0] == 0
    assert run(capsys, "check", ".", "--isolated")[0] == 1


def test_stdin(project: Path) -> None:
    command = [sys.executable, "-m", "ampfix", "check", "-", "--stdin-filename", "typed.py", "--output-format", "full"]
    done = subprocess.run(command, input=BUG.encode(), capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout.decode().startswith("typed.py:7:9: AMP101")


@pytest.mark.parametrize("output_format", ["full", "concise", "github"])
def test_text_formats_import_nothing_heavy(project: Path, output_format: str) -> None:
    program = (
        "import sys\nfrom ampfix.cli.main import main\n"
        f"main(['check', 'train.py', '--output-format', '{output_format}'])\n"
        "print([m for m in ('torch', 'numpy', 'libcst', 'pydantic') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout
    assert done.stderr == "[]\n"


def test_rule_prints_its_page_by_code_and_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    code, page, _ = run(capsys, "rule", "AMP101")
    assert code == 0
    assert page.startswith("# clip-before-unscale (AMP101)\n")
    assert run(capsys, "rule", "clip-before-unscale")[1] == page
    assert run(capsys, "rule", "AMP999")[0] == 2
    listed = run(capsys, "rule", "--all")[1]
    assert "AMP101  clip-before-unscale" in listed
