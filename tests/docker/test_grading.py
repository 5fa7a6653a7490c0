"""Verdicts from containers: scenarios hold, exploits fail, and a verdict says where it comes from."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from ampfix.lab.bench import Bench
from ampfix.lab.grade import grade_on
from ampfix.lab.process import ProcessRunner
from ampfix.lab.seeds import new_secret
from ampfix.lab.session import Session
from ampfix.lab.spec import find
from ampfix.lab.submission import read
from ampfix.lab.suite import run_suite
from ampfix.lab.verdict import CheckStatus, Status, Trust, Verdict
from tests.exploits import corpus
from tests.exploits.conftest import LIMITS
from tests.graders.jailing import eventually

from .conftest import one_seed

SCENARIOS = (
    "clip-before-unscale",
    "contrastive-loss",
    "fp16-without-scaler",
    "scheduler-on-skip",
    "second-optimizer-bypasses-scaler",
    "lbfgs-with-scaler",
)

# One of each technique, those first whose remedy is not the same process's: memory, time, processes, disk, network.
EXPLOITS = (
    "forged_result_file",
    "symlinked_outputs",
    "forged_frames_and_exit",
    "weights_gigabyte",
    "safetensors_header_bomb",
    "patched_recorder",
    "fewer_steps",
    "scenario_from_checkout",
    "stash_between_runs",
    "network",
    "escape_by_namespaces",
    "amp_both_disabled",
    "daemon",
    "killing_everything",
    "fork_bomb",
    "memory_filling",
    "memory_filling_by_children",
    "disk_filling",
    "hang_with_signals_ignored",
    "stdout_flood",
    "honest_gold",
    "honest_data_workers",
    "honest_distributed",
)
ENTRIES = {str(entry): entry for entry in corpus.read()}


@pytest.fixture(scope="module")
def secret() -> str:
    return new_secret()


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_holds_in_containers(name: str, bench: Bench) -> None:
    spec = one_seed(find(name))
    report = run_suite([spec], runner=bench.runner)
    assert report.ok, report.scenarios[0].problems
    statuses = {one.variant: one.verdict.status for one in report.scenarios[0].verdicts}
    assert (statuses["gold"], statuses["broken"]) == (Status.PASS, Status.FAIL)


@pytest.mark.parametrize("name", EXPLOITS)
def test_a_submission_gets_the_verdict_it_deserves(
    name: str, bench: Bench, secret: str, client: docker.DockerClient
) -> None:
    entry = ENTRIES[name]
    usual = one_seed(find(entry.scenario), LIMITS["usual"])
    Session(bench, usual, secret).reference()[0]()  # never under other limits
    spec = one_seed(usual, LIMITS[entry.limits])
    verdict = grade_on(Session(bench, spec, secret), read(entry.path))
    assert verdict.status.value == entry.status, verdict
    if entry.status == "fail":
        failing = {check.name for check in verdict.checks if check.required and check.status is CheckStatus.FAIL}
        # Without a control group of its own, the jail learns of a lack of memory only as a kill.
        reasons = {*entry.reason, "killed"} if "memory" in entry.reason else set(entry.reason)
        assert verdict.reason in reasons and failing.intersection(entry.check), verdict
    assert eventually(lambda: processes(client) == resting(client), 60.0), processes(client)


def processes(client: docker.DockerClient) -> int:
    return sum(len(container.top()["Processes"]) for container in client.containers.list())


def resting(client: docker.DockerClient) -> int:
    """The first process, the server and its child that waits for a job, of each container."""
    return 3 * len(client.containers.list())


def test_a_verdict_is_the_process_runners_but_for_where_it_ran(
    bench: Bench, image: str, client: docker.DockerClient
) -> None:
    """One secret, both engines: checks, sources and trust agree; level and versions say what differs."""
    shared = new_secret()
    spec = one_seed(find("clip-before-unscale"))
    answers = [read(spec.root / name) for name in ("loop.py", "fixed.py")]
    contained = [grade_on(Session(bench, spec, shared), answer) for answer in answers]
    with ProcessRunner() as runner, Bench(runner) as local:
        direct = [grade_on(Session(local, spec, shared), answer) for answer in answers]
    for one, other in zip(contained, direct, strict=True):
        assert (one.status, one.reason, one.trust, one.complete) == (
            other.status,
            other.reason,
            other.trust,
            other.complete,
        )
        assert outline(one) == outline(other)
        assert one.isolation.level == "container+namespaces" and one.isolation.undefended == ()
        assert one.versions["image"] == client.images.get(image).id and one.versions["torch"]
        assert one.seeds == other.seeds and one.secret == shared
    assert contained[0].trust is Trust.ATTESTED


def outline(verdict: Verdict) -> list[tuple[object, ...]]:
    return [(c.name, c.status, c.required, c.source, c.decisive, c.reason, c.threshold) for c in verdict.checks]


def test_an_answer_through_the_command_line(ampfix: object, image: str, tmp_path: Path) -> None:
    import json

    spec = find("clip-before-unscale")
    arguments = (
        "grade",
        str(spec.root / "fixed.py"),
        str(spec.root / "loop.py"),
        "--runner",
        "docker",
        "--image",
        image,
    )
    done = ampfix(*arguments, "--output-format", "json")  # type: ignore[operator]
    assert (done.returncode, done.stderr) == (1, "")
    assert [one["status"] for one in json.loads(done.stdout)["verdicts"]] == ["pass", "fail"]
