"""Notebooks: one program over all cells, places told by cell, and every byte outside changed source kept."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.cli.main import main
from ampfix.codemods.repair import repair
from ampfix.findings import Position, Span
from ampfix.lint import Settings, UnreadableError, check_paths
from ampfix.lint.magics import mask, unmask
from ampfix.lint.notebook import Notebook

SETUP = "%matplotlib inline\nimport torch\nfrom torch.cuda.amp import GradScaler\n!pip install wandb \\\n    --quiet\n"
TRAIN = """\
%%time
def train(model, loader, optimizer):
    scaler = GradScaler()
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        scaler.scale(loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        !nvidia-smi
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()"""
REPAIRED = TRAIN.replace("GradScaler()", 'GradScaler("cuda")').replace(
    "        torch.nn", "        scaler.unscale_(optimizer)\n        torch.nn"
)


def cell(source: str, kind: str = "code", *, lines: bool = True, **more: Any) -> dict[str, Any]:
    value = source.splitlines(keepends=True) if lines else source
    return {"cell_type": kind, "metadata": {}, "source": value, **more}


def document(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def written(notebook: dict[str, Any], indent: int | None = 1, ascii_only: bool = False) -> bytes:
    return (json.dumps(notebook, indent=indent, ensure_ascii=ascii_only) + "\n").encode()


LESSON = document(
    cell("# Mixed precision é", "markdown"),
    cell(SETUP, outputs=[], execution_count=1),
    cell("%%bash\nls torch.cuda.amp", outputs=[]),
    cell(TRAIN, outputs=[{"data": {"image/png": "iVBOR\u00e9"}, "output_type": "display_data"}]),
    cell("train(model, loader, optimizer)", lines=False),
)


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lesson.ipynb"
    path.write_bytes(written(LESSON))
    return path


def test_findings_are_told_by_cell_and_line_in_it(lesson: Path) -> None:
    found = check_paths(["lesson.ipynb"]).findings
    assert [(finding.code, finding.cell, finding.span.start.line) for finding in found] == [
        ("AMP601", 4, 3),
        ("AMP101", 4, 8),
    ]
    assert [(point.cell, point.span.start.line) for point in found[1].trace] == [(4, 5), (4, 7), (4, 8)]


def test_the_whole_directory_is_searched_for_notebooks(lesson: Path) -> None:
    assert check_paths(["."]).files_checked == 1


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_repair_changes_the_source_of_its_cells_alone(
    lesson: Path, indent: int | None, ascii_only: bool, ending: bytes
) -> None:
    lesson.write_bytes(written(LESSON, indent, ascii_only).replace(b"\n", ending))
    assert main(["fix", "."]) == 0
    expected = json.loads(json.dumps(LESSON))
    expected["cells"][1]["source"] = SETUP.replace("torch.cuda.amp", "torch.amp").splitlines(keepends=True)
    expected["cells"][3]["source"] = REPAIRED.splitlines(keepends=True)
    assert lesson.read_bytes() == written(expected, indent, ascii_only).replace(b"\n", ending)
    assert check_paths(["."]).findings == ()


def test_a_byte_order_mark_and_odd_spacing_survive(lesson: Path) -> None:
    odd = written(LESSON, None).replace(b'{"cell_type"', b'{ \t"cell_type"').replace(b', "nbformat"', b' ,\n"nbformat"')
    lesson.write_bytes(b"\xef\xbb\xbf" + odd)
    assert main(["fix", "."]) == 0
    after = lesson.read_bytes()
    assert after.startswith(b'\xef\xbb\xbf{"cells": [{ \t"cell_type"')
    assert b' ,\n"nbformat"' in after
    assert after.count(b"unscale_") == 1


def test_a_source_that_is_one_string_stays_one(lesson: Path) -> None:
    lesson.write_bytes(written(document(cell(SETUP + TRAIN.partition("\n")[2], lines=False))))
    assert main(["fix", "."]) == 0
    source = json.loads(lesson.read_bytes())["cells"][0]["source"]
    assert source == SETUP.replace("torch.cuda.amp", "torch.amp") + REPAIRED.partition("\n")[2]


def test_a_diff_is_accepted_by_git(lesson: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import subprocess

    before = lesson.read_bytes()
    assert main(["fix", ".", "--diff"]) == 1
    assert lesson.read_bytes() == before
    subprocess.run(["git", "apply", "-p0", "-"], input=capsys.readouterr().out.encode(), check=True, cwd=lesson.parent)
    assert b"unscale_" in lesson.read_bytes()


def test_what_stays_is_told_by_cell(lesson: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", ".", "--unfixable", "AMP101"]) == 1
    assert "lesson.ipynb:cell 4:8:9: AMP101" in capsys.readouterr().out


def test_noqa_works_in_cells(lesson: Path) -> None:
    quiet = TRAIN.replace("1.0)", "1.0)  # noqa: AMP101").replace("GradScaler()", "GradScaler()  # noqa")
    lesson.write_bytes(written(document(cell(SETUP), cell(quiet))))
    assert check_paths(["."]).findings == ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"cells": [], "x": torch.amp', "is not a valid notebook"),
        (b'"GradScaler"', "is not a valid notebook"),
        (b'{"GradScaler": 1}', "is not a notebook: it has no cells"),
        (b'{"worksheets": [], "GradScaler": 1}', "convert it with"),
        (b'{"cells": 3, "GradScaler": 1}', "is not a valid notebook"),
        (b'{"cells": ["GradScaler"', "is not a valid notebook"),
        (b'"GradScaler\xff"', "is not valid UTF-8 at byte 11"),
        (b"[" * 100_000 + b'"GradScaler"', "is not a valid notebook"),
        (written(document(cell("x = 1"), cell("from torch.cuda.amp import autocast\ndef f(:"))), "cell 2, line 2"),
    ],
)
def test_what_is_no_notebook_is_an_error_of_one_line(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(data)
    (error,) = check_paths([str(path)]).errors
    assert said in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize(
    "notebook",
    [
        document(cell(SETUP), cell(TRAIN), language_info={"name": "R"}),
        document(cell(SETUP), cell(TRAIN), kernelspec={"language": "julia"}),
        document(cell(SETUP, metadata={"vscode": {"languageId": "rust"}}), cell("%%javascript\n" + TRAIN)),
        document(cell(SETUP, "raw"), cell(TRAIN, "markdown")),
        document(cell("x"), {"cell_type": "code", "source": [1]}, {"cell_type": "code"}, 3),  # type: ignore[arg-type]
        document(),
    ],
)
def test_other_languages_and_odd_cells_are_passed_over(tmp_path: Path, notebook: dict[str, Any]) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(written(notebook).replace(b'"nbformat"', b'"GradScaler": 1, "nbformat"'))
    report = check_paths([str(path)])
    assert (report.findings, report.errors, report.files_checked) == ((), (), 1)


@pytest.mark.parametrize(
    ("line", "stands"),
    [
        ("%time x = 1", "pass"),
        ("!ls 'unbalanced", "pass"),
        ("?torch", "pass"),
        ("torch.amp?", "pass"),
        ("torch.amp.*??", "pass"),
        ("files = !ls", "files = get_ipython()"),
        ("cd drive/MyDrive/cassava", "pass"),
        ("pip install timm", "pass"),
        ("ls -la", "pass"),
        ("ls", "pass"),
        ("a, self.b[0] = %sx ls", "a, self.b[0] = get_ipython()"),
    ],
)
def test_magics_become_python_and_come_back(line: str, stands: str) -> None:
    code = f"if x:\n    {line}\nelse:\n    y = (1\n        % 2)\n"
    masked, hidden = mask(code, 3)
    assert masked.splitlines()[1].startswith(f"    {stands}  #")
    ast.parse(masked)
    assert unmask(masked, hidden) == code


@pytest.mark.parametrize(
    "code",
    [
        "print('a = %d' % 3)",
        's = """\n%time\n!ls\n"""',
        "x = (a\n% b)",
        "x = a \\\n% b",
        "t = {'%': 1}",
        "x = 'a?'\n# what?\nf(x)  # why?",
        "assert x != 3",
        "x %= 2",
        "ls = []\nls[0]\nls.append(1)\nls += [1]",
        "cat if x else y",
        "pip(1)\nrm, cp = 1, 2\nmv: int = 3",
        "rm in x",
    ],
)
def test_python_is_left_alone(code: str) -> None:
    assert mask(code, 1) == (code, {})


def test_a_lost_magic_is_an_error() -> None:
    masked, hidden = mask("%time x\ny = 1\n", 1)
    with pytest.raises(ValueError, match="magic"):
        unmask(masked.partition("\n")[2], hidden)


SOURCES = st.lists(
    st.one_of(
        st.sampled_from(
            ["%time x", "x = !ls \\", "x = 1", "if x:", "    pass", "'''", "(", ")", "é = '\u2028'", "", "a?"]
        ),
        st.text(alphabet="ab \t'\"\\#%!?=()\r\x0c", max_size=8),
    ),
    max_size=8,
).map("\n".join)


@given(SOURCES)
def test_masking_keeps_every_line_and_is_undone_exactly(code: str) -> None:
    masked, hidden = mask(code, 7)
    assert masked.count("\n") == code.count("\n")
    assert unmask(masked, hidden) == code


@given(st.lists(SOURCES, max_size=4), st.sampled_from([None, 0, 1, 4]), st.booleans(), st.booleans())
def test_a_notebook_is_given_back_byte_for_byte(
    sources: list[str], indent: int | None, ascii_only: bool, lines: bool
) -> None:
    data = written(document(*(cell(source, lines=lines) for source in sources)), indent, ascii_only)
    notebook = Notebook(data)
    assert notebook.source(notebook.text).encode() == data


@given(st.lists(SOURCES, min_size=1, max_size=4), st.integers(0, 3), SOURCES)
def test_changing_one_cell_of_the_program_changes_that_cell(sources: list[str], index: int, new: str) -> None:
    index %= len(sources)
    notebook = Notebook(written(document(*map(cell, sources))))
    codes = [one.code for one in notebook.cells]
    numbers = [one.number for one in notebook.cells]
    if not notebook.cells:
        return
    index %= len(notebook.cells)
    if new.lstrip().startswith("%%"):
        return
    place = notebook.cells[index]
    masked, _ = mask(new.replace("%", "").replace("!", "").replace("?", ""), 99)
    hidden_lines = [line for line in place.masked.splitlines() if "# ampfix: magic" in line]
    changed = "\n".join((masked, *hidden_lines))
    text = "".join(f"{one.marker}\n{changed if one is place else one.masked}\n" for one in notebook.cells)
    after = json.loads(notebook.source(text))
    for number, code in zip(numbers, codes, strict=True):
        source = "".join(after["cells"][number - 1]["source"])
        assert (source == code) or number == place.number


def test_a_program_that_lost_a_cell_is_refused() -> None:
    notebook = Notebook(written(document(cell("x = 1"), cell("y = 2"))))
    with pytest.raises(ValueError, match="apart"):
        notebook.source(notebook.text.replace(notebook.cells[1].marker + "\n", ""))


def test_lines_of_the_file_are_found(lesson: Path) -> None:
    notebook = Notebook(lesson.read_bytes())
    lines = lesson.read_text(encoding="utf-8").splitlines()
    for one in notebook.cells:
        for number, text in enumerate(one.code.splitlines(), 1):
            assert json.dumps(text, ensure_ascii=False)[1:-1] in lines[notebook.file_line(number, one.number) - 1]
            assert notebook.line(number, one.number) == text
    span = Span(Position(notebook.cells[1].first_line + 2, 5), Position(notebook.cells[1].first_line + 2, 9))
    assert notebook.locate(span) == (4, Span(Position(3, 5), Position(3, 9)))


def test_repairing_twice_changes_nothing_more(lesson: Path) -> None:
    first = repair(lesson.read_bytes(), "lesson.ipynb", Settings())
    assert first is not None and first.changed
    assert repair(first.after.encode(), "lesson.ipynb", Settings()) is None


def test_a_huge_notebook_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ampfix.lint.notebook.MAX_NOTEBOOK_BYTES", 10)
    with pytest.raises(UnreadableError, match="clear its outputs"):
        Notebook(written(LESSON))
