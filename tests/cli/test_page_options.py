"""`--html` of the commands that run something of the user's: a page is written whole, or an error says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ampfix.cli.main import main
from ampfix.hardware import diagnosis
from ampfix.hardware.diagnosis import Run

from ..report import runs


def test_the_record_of_a_killed_run_is_drawn_later(tmp_path: Path) -> None:
    page = tmp_path / "pages" / "killed.html"
    assert main(["report", str(runs.record(tmp_path / "out", end=False)), "--html", str(page)]) == 0
    assert "did not end by itself" in page.read_text(encoding="utf-8")


def test_a_file_that_is_no_record_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "watch-0.jsonl").write_text("\x00\x01 garbage\n")
    assert main(["report", str(tmp_path), "--html", str(tmp_path / "page.html")]) == 2
    assert "no record" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["advise", "--device", "T4", "--html", str(tmp_path / "file" / "page.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_watched_script_leaves_its_page_and_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(
        "import sys, torch\n"
        "weight = torch.nn.Parameter(torch.ones(2))\n"
        "optimizer = torch.optim.SGD([weight], lr=0.1)\n"
        "for _ in range(4):\n"
        "    optimizer.zero_grad()\n"
        "    weight.square().sum().backward()\n"
        "    optimizer.step()\n"
        "sys.exit(3)\n"
    )
    assert main(["watch", "--out", "out", "--html", "page.html", "--", "train.py"]) == 3
    page = Path("page.html").read_text(encoding="utf-8")
    assert "4 steps attempted" in page and "by attempt" in page


def test_a_diagnosis_leaves_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("")

    def ran(_script: object, folder: Path, *_: object, **__: object) -> Run:
        runs.record(folder)
        return Run(folder.name, 0, 100, 4, 2.0, 0.5, ())

    monkeypatch.setattr(diagnosis, "_run", ran)
    main(["diagnose", "--out", "out", "--html", "page.html", "--", "train.py"])
    page = Path("page.html").read_text(encoding="utf-8")
    assert "ampfix diagnose" in page and "fp32</text>" in page
