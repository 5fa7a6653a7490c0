"""Which text of an answer becomes the loop, and what is turned away."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lab.blocks import code_blocks
from ampfix.lab.submission import LARGEST_ANSWER, InvalidAnswer, extract, header_scenario, read

LOOP = "def train(task):\n    pass\n"


def test_a_python_file_is_taken_as_it_is() -> None:
    assert extract(LOOP.encode(), markdown=False).text == LOOP


def test_the_only_python_block_of_prose_is_the_loop() -> None:
    text = f"The clip comes too early.\n\n```text\nnan nan nan\n```\n\n```python\n{LOOP}```\nDone.\n"
    assert extract(text.encode(), markdown=True).text == LOOP


@pytest.mark.parametrize("fence", ["```", "````", "~~~"])
@pytest.mark.parametrize("language", ["python", "py", "Python", "python3", ""])
def test_every_spelling_of_a_block_is_read(fence: str, language: str) -> None:
    assert [block.text for block in code_blocks(f"{fence}{language}\n{LOOP}{fence}\n")] == [LOOP]


@pytest.mark.parametrize(
    ("raw", "markdown", "code"),
    [
        (b"", False, "empty"),
        (b"  \n\t\n", True, "empty"),
        (b"I would not change anything.\n", True, "no_code"),
        (b"```bash\npip install torch\n```\n", True, "no_code"),
        (f"```\n{LOOP}```\n\n```python\n{LOOP}```\n".encode(), True, "several_code_blocks"),
        (b"def train(task):\n    \xff\xfe\n", False, "not_utf8"),
        (b"def train(task:\n    pass\n", False, "syntax_error"),
        (b"x = 1\0\n", False, "syntax_error"),
        (b"(" * 5000, False, "syntax_error"),
        (b"#" * (LARGEST_ANSWER + 1), False, "too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_answer_with_nothing_to_run_is_invalid_for_its_reason(raw: bytes, markdown: bool, code: str) -> None:
    with pytest.raises(InvalidAnswer) as caught:
        extract(raw, markdown)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "answer.py"
    with path.open("wb") as file:
        file.truncate(50 << 20)
    with pytest.raises(InvalidAnswer, match="larger than"):
        read(path)


def test_a_header_comment_names_the_scenario() -> None:
    assert header_scenario(b"# ampfix-scenario: toy\n" + LOOP.encode()) == "toy"
    assert header_scenario(LOOP.encode()) is None


@given(st.binary(max_size=400), st.booleans())
def test_whatever_the_bytes_an_answer_is_either_taken_or_turned_away(raw: bytes, markdown: bool) -> None:
    try:
        submission = extract(raw, markdown)
    except InvalidAnswer as invalid:
        assert invalid.sha256
    else:
        assert submission.text.strip()


@given(st.lists(st.text("abc=1 \n", min_size=1).map(lambda text: text.replace("\n", " ") + "\n"), max_size=4))
def test_blocks_come_back_as_they_were_written(bodies: list[str]) -> None:
    found = code_blocks("prose\n".join(f"```python\n{body}```\n" for body in bodies))
    assert [block.text for block in found] == bodies
