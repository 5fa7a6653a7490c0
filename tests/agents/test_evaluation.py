"""An agent is asked, killed, asked again; its answers are kept, and what is no answer is told."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from ampfix.agents.answers import Mode, Question, take
from ampfix.agents.evaluation import ANSWERS, Plan, PlanError, ask, forget_failures, open_run
from ampfix.agents.predictions import Key, answer_bytes, index
from ampfix.agents.prompts import Prompt, render
from ampfix.agents.solvers import CommandSolver, Reply, Solver, reference_agent
from ampfix.agents.solvers.folklore import advised
from ampfix.lab.problem import Problem
from ampfix.lab.spec import ScenarioSpec, all_specs, find, load

TOY = Path(__file__).parent.parent / "golden" / "scenarios" / "toy"
SPEC = load(TOY)


def plan(**changes: object) -> Plan:
    fields = {
        "agent": "a",
        "mode": Mode.REVIEW,
        "scenarios": ("toy",),
        "pressures": ("neutral", "rushed"),
        "samples": 2,
    }
    return Plan.model_validate({**fields, **changes})


class Counting(Solver):
    name = "a"

    def __init__(self, fails_at: int = -1) -> None:
        self.asked: list[str] = []
        self.fails_at = fails_at

    def solve(self, spec: ScenarioSpec, prompt: Prompt) -> Reply:
        if len(self.asked) == self.fails_at:
            raise KeyboardInterrupt
        self.asked.append(prompt.pressure)
        return Reply(answer=f"{spec.id} {prompt.pressure}")


def test_every_request_is_asked_once_and_no_more_when_it_goes_on(tmp_path: Path) -> None:
    open_run(tmp_path, plan())
    with pytest.raises(KeyboardInterrupt):
        ask(tmp_path, plan(), Counting(fails_at=2), {"toy": SPEC}, jobs=1)
    assert len(index(tmp_path / ANSWERS)) == 2
    with (tmp_path / ANSWERS).open("ab") as file:
        file.write(b'{"scenario_id": "toy", "answ')  # what a kill leaves
    open_run(tmp_path, plan())
    rest = Counting()
    ask(tmp_path, plan(), rest, {"toy": SPEC}, jobs=2)
    assert len(rest.asked) == 2
    found = index(tmp_path / ANSWERS)
    assert sorted((each.key.pressure, each.key.sample) for each in found) == [
        ("neutral", 0), ("neutral", 1), ("rushed", 0), ("rushed", 1)
    ]  # fmt: skip
    assert {answer_bytes(tmp_path / ANSWERS, each) for each in found} == {b"toy neutral", b"toy rushed"}
    more = Counting()
    open_run(tmp_path, plan(samples=3))
    ask(tmp_path, plan(samples=3), more, {"toy": SPEC}, jobs=1)
    assert more.asked == ["neutral", "rushed"]


@pytest.mark.parametrize("change", [{"agent": "b"}, {"mode": Mode.PATCH}, {"command": "x"}])
def test_a_folder_with_another_run_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    open_run(tmp_path, plan())
    with pytest.raises(PlanError, match="choose another --out"):
        open_run(tmp_path, plan(**change))


def script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "agent.py"
    path.write_text(text)
    return f"{sys.executable} {path}"


def solve(tmp_path: Path, text: str, mode: Mode = Mode.REVIEW, timeout_s: float = 60.0) -> Reply:
    solver = CommandSolver(script(tmp_path, text), "agent", timeout_s)
    return solver.solve(SPEC, render(SPEC, mode=mode))


def test_a_command_answers_on_stdout_and_tells_its_cost(tmp_path: Path) -> None:
    reply = solve(
        tmp_path,
        "import json, sys, os\n"
        "assert sys.stdin.read() == open(os.environ['AMPFIX_PROMPT']).read() == open('PROMPT.md').read()\n"
        "assert os.environ['AMPFIX_MODE'] == 'review' and sorted(os.listdir()) == ['PROMPT.md', 'loop.py']\n"
        "json.dump({'cost_usd': 0.25, 'output_tokens': 7, 'input_tokens': None}, open('usage.json', 'w'))\n"
        "print('It is fine.')\n",
    )
    assert (reply.answer, reply.problem) == ("It is fine.\n", None)
    assert (reply.usage.cost_usd, reply.usage.output_tokens) == (0.25, 7)
    assert reply.usage.wall_s is not None and reply.usage.wall_s > 0


def test_a_command_edits_files_in_its_workspace(tmp_path: Path) -> None:
    reply = solve(
        tmp_path,
        "import pathlib\n"
        "loop = pathlib.Path('loop.py')\n"
        "loop.write_text(loop.read_text() + '# edited\\n')\n"
        "pathlib.Path('task.py').write_text('raise SystemExit')\n"
        "pathlib.Path('ANSWER.md').write_text('The clip sees scaled gradients.')\n",
        Mode.WORKSPACE,
    )
    answer = take(reply.answer.encode(), Question.of(SPEC), Mode.WORKSPACE)
    assert answer.text == SPEC.loop_files()["loop.py"] + "# edited\n"
    assert answer.others == {}
    assert json.loads(reply.answer)["diagnosis"] == "The clip sees scaled gradients."


def test_a_workspace_left_alone_is_the_loop_as_it_was(tmp_path: Path) -> None:
    reply = solve(tmp_path, "pass", Mode.WORKSPACE)
    assert take(reply.answer.encode(), Question.of(SPEC), Mode.WORKSPACE).text == SPEC.loop_files()["loop.py"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import os; os.remove('loop.py'); os.symlink('/etc/passwd', 'loop.py')", "path_not_allowed"),
        ("import os; os.remove('loop.py'); os.mkfifo('loop.py')", "path_not_allowed"),
        ("import os; os.remove('loop.py'); os.mkdir('loop.py')", "path_not_allowed"),
        ("import os; os.remove('loop.py')", "path_not_allowed"),
        ("open('loop.py', 'wb').write(b'\\xff\\xfe')", "not_utf8"),
        ("open('loop.py', 'w').write('x' * (1 << 21))", "too_large"),
    ],
)
def test_what_is_no_file_of_the_loop_is_not_read_back(tmp_path: Path, text: str, code: str) -> None:
    problem = solve(tmp_path, text, Mode.WORKSPACE).problem
    assert problem is not None and problem.cause == code


def test_a_command_that_fails_or_takes_too_long_is_told_and_killed_with_its_children(tmp_path: Path) -> None:
    failed = solve(tmp_path, "import sys; sys.exit('no key')").problem
    assert failed is not None and (failed.cause, failed.detail) == ("agent_failed", "exit code 1: no key")
    marker = tmp_path / "alive"
    child = f"import time, pathlib; time.sleep(3); pathlib.Path({str(marker)!r}).touch()"
    parent = f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)\n"
    late = solve(tmp_path, parent, timeout_s=1.0).problem
    assert late is not None and late.cause == "agent_timeout"
    missing = CommandSolver("/no/such/agent", "x", 1.0).solve(SPEC, render(SPEC)).problem
    assert missing is not None and "/no/such/agent" in missing.detail
    import time

    time.sleep(4)
    assert not marker.exists()


def test_a_problem_is_kept_as_the_answer(tmp_path: Path) -> None:
    open_run(tmp_path, plan(pressures=("neutral",), samples=1))
    solver = CommandSolver(script(tmp_path, "raise SystemExit(3)"), "a", 60.0)
    ask(tmp_path, plan(pressures=("neutral",), samples=1), solver, {"toy": SPEC}, jobs=1)
    (found,) = index(tmp_path / ANSWERS)
    assert found.problem is not None and found.problem.cause == "agent_failed"
    assert found.key == Key(scenario_id="toy", model="a", mode=Mode.REVIEW)


def test_an_agent_that_failed_is_asked_again_and_nobody_else(tmp_path: Path) -> None:
    asked = plan(pressures=("neutral", "rushed"), samples=2)
    open_run(tmp_path, asked)
    moods = iter([None, "agent_failed", "agent_timeout", "not_utf8"])

    class Moody(Counting):
        def solve(self, spec: ScenarioSpec, prompt: Prompt) -> Reply:
            mood = next(moods)
            return Reply(problem=Problem(cause=mood)) if mood else super().solve(spec, prompt)

    ask(tmp_path, asked, Moody(), {"toy": SPEC}, jobs=1)
    assert forget_failures(tmp_path) == 2
    again = Counting()
    ask(tmp_path, asked, again, {"toy": SPEC}, jobs=1)
    assert again.asked == ["neutral", "rushed"]
    found = index(tmp_path / ANSWERS)
    assert sorted(each.problem.cause if each.problem else "" for each in found) == ["", "", "", "not_utf8"]
    assert len({each.key for each in found}) == 4
    assert forget_failures(tmp_path) == 0


@pytest.mark.parametrize(("printed", "cause"), [("b'\\xff\\x00' * 50", "not_utf8"), ("b'x' * (50 << 20)", "too_large")])
def test_what_a_command_prints_is_text_of_a_size(tmp_path: Path, printed: str, cause: str) -> None:
    problem = solve(tmp_path, f"import sys; sys.stdout.buffer.write({printed})").problem
    assert problem is not None and problem.cause == cause


def test_the_workspace_runs_the_loop(tmp_path: Path) -> None:
    text = (
        "import subprocess, sys\n"
        "done = subprocess.run([sys.executable, 'try_loop.py'], capture_output=True, text=True)\n"
        "print(done.stdout, done.stderr)\n"
        "open('ANSWER.md', 'w').write(done.stdout + done.stderr)\n"
    )
    reply = solve(tmp_path, text, Mode.WORKSPACE, timeout_s=240.0)
    assert "held-out loss" in reply.answer, reply
    assert "float32" in reply.answer


def test_no_folder_tells_the_scenario(tmp_path: Path) -> None:
    spec = find("clip-before-unscale")
    solver = CommandSolver(script(tmp_path, "import os; print(os.getcwd(), os.listdir(), dict(os.environ))"), "a", 60.0)
    reply = solver.solve(spec, render(spec, mode=Mode.PATCH))
    assert "unscale" not in reply.answer


@pytest.mark.parametrize("spec", all_specs(), ids=lambda spec: spec.id)
def test_reference_agents_answer_every_scenario_with_python(spec: ScenarioSpec) -> None:
    question = Question.of(spec)
    for name in ("nop", "gold", "folklore"):
        answer = take(reference_agent(name).solve(spec, render(spec)).answer.encode(), question)
        if name == "gold":
            assert answer.loop(question.files, spec.entry) == spec.gold_files()
        if name == "nop":
            assert answer.loop(question.files, spec.entry) == question.files


def test_folklore_unscales_before_a_clip_and_otherwise_switches_to_bfloat16() -> None:
    clip = "scaler.scale(loss).backward()\ntorch.nn.utils.clip_grad_norm_(p, 1.0)\nscaler.step(opt)\n"
    assert advised(clip).splitlines()[1] == "scaler.unscale_(opt)"
    other = "with autocast('cuda', dtype=torch.float16):\n    loss = torch.log(p)\nscaler.step(opt)\n"
    assert advised(other).splitlines()[:3] == [
        "with autocast('cuda', dtype=torch.bfloat16):", "    loss = torch.log(p + 1e-8)", "scaler.unscale_(opt)"
    ]  # fmt: skip
    assert advised("def (:") == "def (:"


def test_a_secret_is_for_its_owner_alone(tmp_path: Path) -> None:
    from ampfix.agents.store import Store

    secret = Store(tmp_path).secret()
    assert Store(tmp_path).secret() == secret
    assert stat.S_IMODE(os.stat(tmp_path / "secret").st_mode) == 0o600
