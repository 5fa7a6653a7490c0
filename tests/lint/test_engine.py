"""Files in, findings and errors out: discovery, bad input, suppression, settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lint import Settings, SettingsError, UnreadableError, check_bytes, check_paths, check_source
from ampfix.lint.cache import Cache
from ampfix.lint.prefilter import has_words
from ampfix.lint.read import MAX_BYTES
from ampfix.lint.settings import validated
from ampfix.rules import listed

BUG = """\
import torch
def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16): loss = model(x, y)
        scaler.scale(loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
"""
CLIP_LINE = "        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)"


def write(folder: Path, name: str, content: str | bytes = BUG) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


BROKEN = {
    "plain": "import os\ndef f(:\n",
    "mentions": "with torch.autocast('cuda'):\n    pass\ndef f(:\n",
    "comment": "# autocast is not used here\ndef f(:\n",
}


@pytest.mark.parametrize(("kind", "found_by"), [("plain", "name"), ("comment", "name"), ("mentions", "folder")])
def test_what_is_not_python_is_told_where_it_mentions_amp_or_was_named(
    tmp_path: Path, kind: str, found_by: str
) -> None:
    bad = write(tmp_path, "bad.py", BROKEN[kind])
    told = [error.message.partition(",")[0] for error in check_paths([str(bad)]).errors]
    assert [message[:29] for message in told] == [f"is not valid Python: line {BROKEN[kind].count(chr(10))}: "[:29]]
    assert len(check_paths([str(tmp_path)]).errors) == (found_by == "folder")


def test_a_named_file_is_read_again_although_a_run_before_passed_it(tmp_path: Path) -> None:
    bad = write(tmp_path, "bad.py", BROKEN["plain"])
    os.utime(bad, (1e9, 1e9))
    kept = tmp_path / "cache"
    assert not check_paths([str(tmp_path)], cache=Cache(kept)).errors
    assert check_paths([str(bad)], cache=Cache(kept)).errors


def test_other_files_that_are_named_may_be_anything(tmp_path: Path) -> None:
    assert not check_paths([str(write(tmp_path, "notes.txt", "no program"))]).errors


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"import torch.cuda.amp.autocast\ndef f(:\n", "is not valid Python: line 2"),
        (b"import torch.cuda.amp.autocast\nx = '\xff'\n", "is not valid UTF-8"),
        (b"# -*- coding: nonsense -*-\nimport torch.cuda.amp.autocast\n", "unknown encoding"),
        (b"import torch.cuda.amp.autocast\x00\n", "is not valid Python"),
        (b"import torch.cuda.amp.autocast\n" + b"#" * MAX_BYTES, "exclude the file"),
        (b"import torch.cuda.amp.autocast\nx = " + b"-" * 5000 + b"1\n", "nested too deeply"),
        (b"import torch.cuda.amp.autocast\nx = " + b"(" * 300 + b")" * 300 + b"\n", "is not valid Python"),
    ],
    ids=["syntax", "not-utf8", "cookie", "nul", "large", "deep", "parentheses"],
)
def test_unreadable_files_are_named_in_one_line_and_others_still_checked(
    tmp_path: Path, content: bytes, said: str
) -> None:
    bad, good = write(tmp_path, "bad.py", content), write(tmp_path, "good.py")
    report = check_paths([str(bad), str(good)])
    assert [error.path for error in report.errors] == [str(bad)]
    assert said in report.errors[0].message
    assert "\n" not in report.errors[0].message
    assert [finding.path for finding in report.findings] == [str(good)]
    assert report.files_checked == 1


def test_an_empty_file_is_clean(tmp_path: Path) -> None:
    report = check_paths([str(write(tmp_path, "empty.py", b""))])
    assert (report.findings, report.errors, report.files_checked) == ((), (), 1)


def test_files_without_amp_are_not_parsed() -> None:
    assert check_bytes(b"def broken(:\n", "x.py") == []


@given(st.binary(max_size=200))
def test_any_bytes_are_checked_or_refused(data: bytes) -> None:
    try:
        check_bytes(b"import torch.cuda.amp.autocast\n" + data, "x.py")
    except UnreadableError as error:
        assert "\n" not in str(error)


@given(st.text(max_size=60))
def test_the_prefilter_passes_every_file_with_a_finding(comment: str) -> None:
    text = "# " + "".join(comment.split()) + "\n" + BUG
    assert has_words(text.encode("utf-8", "replace"), listed())


@pytest.mark.parametrize(
    ("comment", "silenced"),
    [
        ("  # noqa", True),
        ("  # noqa: AMP101", True),
        ("  # NOQA:AMP114,AMP101", True),
        ("  # noqa: E501 AMP101", True),
        ("  # noqa: AMP1", True),
        ("  # noqa: AMP114", False),
        ("  # noqa: E501", False),
        ("  # a comment", False),
    ],
)
def test_noqa_comments(comment: str, silenced: bool) -> None:
    assert (check_source(BUG.replace(CLIP_LINE, CLIP_LINE + comment)) == []) is silenced


def test_noqa_inside_a_string_is_no_comment() -> None:
    text = BUG.replace(CLIP_LINE, CLIP_LINE + "; '# noqa'")
    assert len(check_source(text)) == 1


@given(st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["", "\ufeff"]))
def test_positions_do_not_depend_on_line_ends_or_a_bom(ending: str, bom: str) -> None:
    data = (bom + "# é\n" + BUG).replace("\n", ending).encode("utf-8")
    (finding,) = check_bytes(data, "x.py")
    assert (finding.span.start.line, finding.span.start.column) == (8, 9)


def test_columns_count_characters() -> None:
    text = BUG.replace(CLIP_LINE, '        s = "äöü"; torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)')
    (finding,) = check_source(text)
    assert finding.span.start.column == 9 + len('s = "äöü"; ')


def test_selection_the_longest_selector_decides() -> None:
    def codes(**lists: tuple[str, ...]) -> set[str]:
        return {rule.code for rule in Settings(**lists).rules()}  # type: ignore[arg-type]

    assert codes(select=("AMP1",)) == {code for code in codes() if code.startswith("AMP1")}
    assert codes(ignore=("AMP1",)) == {code for code in codes() if not code.startswith("AMP1")}
    assert "AMP101" in codes(select=("AMP101",), ignore=("AMP1",))
    assert "AMP101" not in codes(ignore=("AMP101",))
    assert "AMP601" in codes(select=("AMP1",), extend_select=("AMP6",))


def test_a_selector_for_no_rule_is_refused() -> None:
    with pytest.raises(SettingsError, match="XYZ9"):
        validated(Settings(ignore=("XYZ9",)))


def test_a_repair_knows_the_oldest_supported_torch() -> None:
    (finding,) = check_source("import torch\ntorch.cuda.amp.GradScaler()\n", settings=Settings(torch_floor="2.1"))
    assert finding.repair is not None
    assert finding.repair.arguments["floor"] == "2.1"
