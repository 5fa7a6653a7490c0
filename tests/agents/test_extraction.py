"""What is taken of an answer, in every form that people and models give one."""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.agents.answers import Mode, Question, take
from ampfix.lab.submission import InvalidAnswer

LOOP = """\
import torch
from torch.amp import GradScaler, autocast


def clip(model):
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = GradScaler("cuda")
    for x, y in task.batches:
        optimizer.zero_grad()
        with autocast("cuda"):
            loss = ((model(x) - y) ** 2).mean()
        scaler.scale(loss).backward()
        clip(model)  # glitches
        scaler.step(optimizer)
        scaler.update()
"""
FIXED = LOOP.replace("        clip(model)", "        scaler.unscale_(optimizer)\n        clip(model)")
LOOP_ONLY = Question({"loop.py": LOOP}, "loop.py")
PACKAGE = Question({"project/run.py": LOOP, "project/tools.py": "def helper():\n    return 1\n"}, "project/run.py")


def taken(text: str, question: Question = LOOP_ONLY, mode: Mode | None = None) -> str:
    return take(text.encode(), question, mode).text


def refused(text: str | bytes, question: Question = LOOP_ONLY, mode: Mode | None = None) -> InvalidAnswer:
    with pytest.raises(InvalidAnswer) as info:
        take(text if isinstance(text, bytes) else text.encode(), question, mode)
    assert "\n" not in str(info.value)
    return info.value


def diff(new: str, name: str = "loop.py", old: str = LOOP) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
    return "\n".join(lines) + "\n"


def fenced(code: str, info: str = "python") -> str:
    return f"```{info}\n{code}```\n"


def same(one: str, other: str) -> bool:
    return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))


def test_a_whole_file_is_taken_as_it_is() -> None:
    assert taken(FIXED) == FIXED
    assert taken("Here it is:\n\n" + fenced(FIXED)) == FIXED
    assert taken("1. Do this:\n\n" + "".join("   " + line for line in fenced(FIXED).splitlines(True))) == FIXED


def test_line_ends_and_byte_order_marks_do_not_matter() -> None:
    assert take(b"\xef\xbb\xbf" + FIXED.replace("\n", "\r\n").encode(), LOOP_ONLY).text == FIXED
    assert taken(diff(FIXED).replace("\n", "\r\n")) == FIXED


@pytest.mark.parametrize(
    "wrap", [str, lambda text: fenced(text, "diff"), lambda text: "I suggest:\n" + fenced(text, "")]
)
def test_a_diff_is_applied(wrap) -> None:  # type: ignore[no-untyped-def]
    assert taken(wrap(diff(FIXED))) == FIXED


def test_a_diff_with_wrong_numbers_is_taken_where_its_lines_stand_and_says_so() -> None:
    import re

    answer = take(re.sub(r"@@ .* @@", "@@ -400,3 +1,9 @@", diff(FIXED)).encode(), LOOP_ONLY)
    assert answer.text == FIXED
    assert any("where its lines stand" in line for line in answer.taken)
    assert taken(re.sub(r"@@ .* @@", "@@ ... @@", diff(FIXED))) == FIXED


def test_a_diff_that_does_not_fit_names_the_line() -> None:
    error = refused(diff(FIXED).replace("scaler.scale(loss)", "scaler.scale(lost)"))
    assert error.code == "patch_does_not_apply"
    assert "scaler.scale(lost)" in str(error)


def test_a_hunk_that_fits_twice_is_refused() -> None:
    loop = Question({"loop.py": "x = 1\ny = 2\nx = 1\ny = 2\n"}, "loop.py")
    assert refused("--- a/loop.py\n+++ b/loop.py\n@@ @@\n-x = 1\n+x = 3\n", loop).code == "patch_does_not_apply"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../task.py", "scenarios/x/../../task.py", "task.py", "C:\\loop.py", "fixed.py"]
)
def test_a_diff_of_another_file_is_refused(name: str) -> None:
    assert refused(diff(FIXED, name)).code == "path_not_allowed"
    assert refused(json.dumps({"files": {name: FIXED}})).code == "path_not_allowed"


@pytest.mark.parametrize(
    "line",
    ["deleted file mode 100644", "rename from loop.py", "new file mode 120000", "GIT binary patch", "old mode 100644"],
)
def test_what_a_diff_may_not_do_is_refused(line: str) -> None:
    assert refused(f"diff --git a/loop.py b/loop.py\n{line}\n" + diff(FIXED)).code == "path_not_allowed"


def test_making_a_file_is_refused() -> None:
    assert refused("--- /dev/null\n+++ b/conftest.py\n@@ -0,0 +1 @@\n+import os\n").code == "path_not_allowed"


def test_one_function_replaces_the_one_of_its_name() -> None:
    piece = "def clip(model):\n    torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)\n"
    assert taken(fenced(piece)) == LOOP.replace("1.0", "2.0")


def test_a_new_helper_and_its_import_come_along() -> None:
    piece = (
        "import math\n\ndef limit():\n    return math.pi\n\n"
        "def clip(model):\n    torch.nn.utils.clip_grad_norm_(model.parameters(), limit())\n"
    )
    text = taken(fenced(piece))
    names = {}
    exec(compile(text, "loop.py", "exec"), names)
    assert names["limit"]() == pytest.approx(3.14159, abs=1e-4)
    assert text.index("import math") < text.index("def limit") < text.index("def clip")


def test_a_method_replaces_the_one_in_its_class_and_keeps_strings() -> None:
    loop = (
        "import torch\n\n\nclass Trainer:\n    def one(self):\n        return 1\n\n    def two(self):\n"
        "        return 2\n"
    )
    piece = 'def two(self):\n    text = """a\nb"""\n    return text\n'
    names: dict[str, object] = {}
    exec(taken(fenced(piece), Question({"loop.py": loop}, "loop.py")), names)
    trainer = names["Trainer"]()  # type: ignore[operator]
    assert (trainer.one(), trainer.two()) == (1, "a\nb")


def test_statements_replace_those_they_resemble() -> None:
    piece = """\
scaler.scale(loss).backward()
scaler.unscale_(optimizer)
clip(model)
scaler.step(optimizer)
scaler.update()
"""
    answer = take(("Unscale first:\n" + fenced(piece)).encode(), LOOP_ONLY)
    assert same(answer.text, FIXED)
    assert answer.taken == ("loop.py: statements in place of lines 17-20",)


def test_a_with_block_replaces_the_region() -> None:
    piece = 'with autocast("cuda", dtype=torch.bfloat16):\n    loss = ((model(x) - y) ** 2).mean()\n'
    assert same(taken(fenced(piece)), LOOP.replace('autocast("cuda")', 'autocast("cuda", dtype=torch.bfloat16)'))


def test_statements_that_stand_elsewhere_too_are_refused() -> None:
    loop = LOOP.replace(
        "        scaler.step(optimizer)\n        scaler.update()\n",
        "        if x is not None:\n            scaler.step(optimizer)\n            scaler.update()\n",
    )
    piece = "scaler.scale(loss).backward()\nscaler.unscale_(optimizer)\nclip(model)\nscaler.step(optimizer)\n"
    assert refused(fenced(piece), Question({"loop.py": loop}, "loop.py")).code == "ambiguous_piece"


def test_a_quote_of_the_loop_is_not_an_answer_of_its_own() -> None:
    quote = "scaler.scale(loss).backward()\nclip(model)  # wrong: still scaled\n"
    fixed = "scaler.scale(loss).backward()\nscaler.unscale_(optimizer)\nclip(model)\n"
    answer = take(f"You have\n{fenced(quote)}\nbut need\n{fenced(fixed)}".encode(), LOOP_ONLY)
    assert same(answer.text, FIXED)
    assert "code block 1 quotes the loop" in answer.taken
    assert taken(f"Original:\n{fenced(LOOP)}\nFixed:\n{fenced(FIXED)}") == FIXED


def test_two_alternatives_are_refused() -> None:
    one = 'with autocast("cuda", dtype=torch.bfloat16):\n    loss = ((model(x) - y) ** 2).mean()\n'
    other = 'with autocast("cuda", enabled=False):\n    loss = ((model(x) - y) ** 2).mean()\n'
    assert refused(fenced(one) + "or\n" + fenced(other)).code == "several_code_blocks"
    assert refused(fenced(FIXED) + "or\n" + fenced(LOOP.replace("0.1", "0.2"))).code == "several_code_blocks"


def test_what_is_not_taken_is_said() -> None:
    answer = take(
        (fenced("pip install torch\n", "bash") + fenced(FIXED) + fenced("print('done')\n")).encode(), LOOP_ONLY
    )
    assert answer.text == FIXED
    assert answer.taken == ("the whole file loop.py", "code block 3 not taken")


@pytest.mark.parametrize(
    "line", ["# ... rest of the loop unchanged", "# ...", "...", "# the rest of the code is the same"]
)
def test_code_that_is_left_out_is_refused(line: str) -> None:
    piece = f"import torch\ndef train(task):\n    scaler = GradScaler('cuda')\n    {line}\n    scaler.update()\n"
    assert refused(fenced(piece)).code == "elided"


def test_files_are_told_by_their_names() -> None:
    helper = "def helper():\n    return 2\n"
    for text in (
        f"**`project/tools.py`**\n\n{fenced(helper)}",
        fenced(helper, 'python title="project/tools.py"'),
        fenced("# project/tools.py\n" + helper),
        fenced(helper),
        json.dumps({"files": {"project/tools.py": helper}}),
    ):
        answer = take(text.encode(), PACKAGE)
        assert same(answer.others["project/tools.py"], helper), text
        assert answer.loop(PACKAGE.files, PACKAGE.entry)["project/run.py"] == LOOP


def test_a_diff_of_several_files_is_applied_to_each() -> None:
    tools = PACKAGE.files["project/tools.py"]
    text = diff(FIXED, "project/run.py") + diff(tools.replace("1", "2"), "project/tools.py", tools)
    answer = take(text.encode(), PACKAGE)
    assert answer.text == FIXED
    assert answer.others == {"project/tools.py": tools.replace("1", "2")}


def test_json_holds_any_other_form() -> None:
    for fields in ({"code": FIXED}, {"patch": diff(FIXED)}, {"answer": fenced(FIXED)}, {"files": {"loop.py": FIXED}}):
        assert taken(json.dumps({**fields, "diagnosis": {"cause": "x"}})) == FIXED
    assert refused('{"diagnosis": {}}').code == "json_without_answer"
    assert refused(json.dumps({"code": FIXED, "patch": diff(FIXED)})).code == "json_without_answer"
    assert refused('{"files": {"loop.py": 3}}').code == "json_without_answer"


def test_prose_is_a_review_that_changes_nothing_and_otherwise_no_answer() -> None:
    prose = "The code looks mostly correct! Perhaps move zero_grad."
    answer = take(prose.encode(), LOOP_ONLY, Mode.REVIEW)
    assert (answer.text, answer.taken) == (LOOP, ("no code: the loop as it was",))
    assert refused(prose, mode=Mode.PATCH).code == "no_code"
    assert refused("Désolé. 我不知道。").code == "no_code"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty"), (b" \n\t\n", "empty"), (b"\xff\xfe\x00", "not_utf8"), (b"x" * (1 << 21), "too_large"),
        (b"```python\ndef train(:\n```\n", "syntax_error"), (b"```python\nimport os\0\n```", "syntax_error"),
        (b"```python\nimport torch\n```", "nothing_to_replace"), (b"```python\nfoo(1)\n```", "nothing_to_replace"),
        (b"--- a/loop.py\n+++ b/loop.py\n@@ -1 +1 @@\nwhat\n+x\n", "patch_malformed"),
        (b"[" * 100_000, "no_code"), (b"{" * 100_000, "no_code"),
    ],
)  # fmt: skip
def test_garbage_is_refused_by_name(raw: bytes, code: str) -> None:
    assert refused(raw).code == code


@given(st.binary(max_size=300))
def test_no_bytes_break_it(raw: bytes) -> None:
    try:
        take(raw, LOOP_ONLY, Mode.REVIEW)
    except InvalidAnswer as error:
        assert "\n" not in str(error)


WRAPPERS = (
    lambda text: text,
    fenced,
    lambda text: fenced(text, "diff"),
    lambda text: json.dumps({"files": {"loop.py": text}}),
    lambda text: json.dumps({"patch": text}),
    lambda text: json.dumps({"code": text}),
    lambda text: json.dumps({"answer": text, "diagnosis": text}),
)
FRAGMENTS = (
    *(f"{line}\n" for line in LOOP.splitlines()),
    "@@ -1 +1 @@\n",
    "-import torch\n",
    "+x\n",
    "...\n",
    "```\n",
    "(",
    "\0",
    "\t",
    "é",
)


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join), st.sampled_from(WRAPPERS), st.sampled_from(Mode))
def test_no_text_breaks_it_in_whatever_form_it_comes(text: str, wrap: Callable[[str], str], mode: Mode) -> None:
    try:
        found = take(wrap(text).encode(), LOOP_ONLY, mode)
    except InvalidAnswer as error:
        assert "\n" not in str(error)
    else:
        ast.parse(found.text)


LINES = LOOP.splitlines()


@given(
    st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.sampled_from(["drop", "# new", "twice"])), max_size=6),
    st.integers(0, 4),
)
def test_a_diff_made_by_difflib_gives_the_new_text(edits: list[tuple[int, str]], context: int) -> None:
    new = list(LINES)
    for at, edit in edits:
        at = min(at, len(new) - 1)
        new[at : at + 1] = {"drop": [], "# new": [new[at], "# new"], "twice": [new[at], new[at]]}[edit]
        if not new:
            return
    text = "\n".join(new) + "\n"
    made = "\n".join(difflib.unified_diff(LINES, new, "a/loop.py", "b/loop.py", lineterm="", n=context)) + "\n"
    if text == LOOP or "@@" not in made:
        return
    from ampfix.agents.answers import patches

    assert patches.apply(made, {"loop.py": LOOP}).files["loop.py"] == text


def test_every_answer_of_the_suite_can_be_given_as_a_diff(tmp_path: Path) -> None:
    from ampfix.lab.spec import all_specs

    for spec in [spec for spec in all_specs() if spec.kind != "control"][:20]:
        question = Question.of(spec)
        old = question.files[question.entry]
        gold = spec.gold_files()[spec.entry]
        made = "".join(
            difflib.unified_diff(old.splitlines(True), gold.splitlines(True), f"a/{spec.entry}", f"b/{spec.entry}")
        )
        assert take(made.encode(), question).text == gold, spec.id
