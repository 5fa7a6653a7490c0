"""On a local Ray cluster of several nodes: a node goes while it works, and nothing is lost or run for nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from ampfix.agents.cluster import RayExecutor
from ampfix.agents.executors import ExecutorError, Job, Loop
from ampfix.agents.grading import Graded, Grader
from ampfix.agents.predictions import index
from ampfix.agents.store import Store

pytestmark = pytest.mark.ray

SCENARIOS = Path(__file__).parent.parent / "golden" / "scenarios"
TOY = SCENARIOS / "toy"
SECRET = "0123456789abcdef"


@pytest.fixture
def cluster() -> Iterator[Any]:
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def predictions_file(path: Path, count: int) -> Path:
    gold = (TOY / "fixed.py").read_text()
    texts = [f"{gold}\n# {number}\n" for number in range(count)]
    path.write_text("".join(json.dumps({"scenario_id": "toy", "answer": text}) + "\n" for text in texts))
    return path


def graded(executor: RayExecutor, path: Path, folder: Path) -> list[Graded]:
    grader = Grader.on(executor, Store(folder), SECRET, SCENARIOS)
    return sorted(grader.grade(path, index(path)), key=lambda each: each.line)


def test_a_node_that_goes_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    path = predictions_file(tmp_path / "p.jsonl", 40)
    with RayExecutor() as executor:
        assert isinstance(executor, RayExecutor)
        grader = Grader.on(executor, Store(tmp_path / "out"), SECRET, SCENARIOS)
        ahead = executor.run_ahead(grader._jobs(path, index(path)))
        key, verdict = next(ahead)
        grader._keep(key, verdict)
        worker = next(node for node in cluster.list_all_nodes() if node is not cluster.head_node)
        cluster.remove_node(worker, allow_graceful=False)
        keys = [key]
        for key, verdict in ahead:
            grader._keep(key, verdict)
            keys.append(key)
        assert len(keys) == len(set(keys)) == 40
        assert len(list((tmp_path / "out" / "verdicts").iterdir())) == 40
        found = graded(executor, path, tmp_path / "out")
    assert [each.verdict.status.value for each in found] == ["pass"] * 40


def test_what_the_cluster_does_not_have_is_said_at_once(cluster: Any) -> None:
    del cluster
    with pytest.raises(ExecutorError, match="the cluster has no GPU"):
        RayExecutor(device="cuda")


def test_a_node_with_another_scenario_says_so(cluster: Any) -> None:
    del cluster
    loop = Loop(key="k", files={"loop.py": "pass"})
    job = Job(scenario=str(TOY), content="other", secret=SECRET, loops=(loop,))
    with RayExecutor() as executor, pytest.raises(ExecutorError, match="another version on this node"):
        list(executor.run(job))


def test_the_command_grades_on_a_cluster_of_its_own(tmp_path: Path) -> None:
    path = predictions_file(tmp_path / "p.jsonl", 3)
    command = [sys.executable, "-m", "ampfix", "grade", str(path), "--executor", "ray", "--scenarios-dir"]
    done = subprocess.run([*command, str(SCENARIOS), "--out", str(tmp_path / "out")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["verdict"]["status"] for line in lines] == ["pass"] * 3
