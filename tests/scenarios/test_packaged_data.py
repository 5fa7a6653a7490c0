"""The tables that tasks read as files are what scikit-learn's own loaders give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sklearn import datasets

from ampfix.lab.spec import ScenarioSpec, all_specs
from graders.modules import load_module

PACKAGED = [spec for spec in all_specs() if "sklearn" in spec.task_file.read_text(encoding="utf-8")]


def table_of(task_file: Path) -> Callable[..., torch.Tensor]:
    table: Callable[..., torch.Tensor] = load_module("packaged_task", task_file).table
    return table


def test_some_scenarios_train_on_real_data() -> None:
    assert len(PACKAGED) >= 3


@pytest.mark.parametrize("spec", PACKAGED, ids=lambda spec: spec.id)
def test_the_task_says_where_its_data_come_from(spec: ScenarioSpec) -> None:
    assert "real-data" in spec.tags
    assert "scikit-learn" in (spec.root / "README.md").read_text(encoding="utf-8").replace("\n", " ")


def test_the_readers_are_one() -> None:
    """Each task stands alone, so the reader is repeated; it is the same everywhere."""
    readers = {spec.task_file.read_text(encoding="utf-8").split("def table")[1].split("\n\n\n")[0] for spec in PACKAGED}
    assert len(readers) == 1


def test_digits_cancer_and_diabetes_are_scikit_learns() -> None:
    table = table_of(PACKAGED[0].task_file)
    digits = datasets.load_digits()
    assert torch.equal(table("digits.csv.gz"), torch.tensor([*zip(*digits.data.T, digits.target, strict=True)]).float())
    cancer = datasets.load_breast_cancer()
    rows = torch.tensor(cancer.data).float(), torch.tensor(cancer.target).float().unsqueeze(1)
    assert torch.allclose(table("breast_cancer.csv", skip=1), torch.cat(rows, dim=1))
    diabetes = datasets.load_diabetes(scaled=False)
    assert torch.allclose(table("diabetes_data_raw.csv.gz", " "), torch.tensor(diabetes.data).float())
    assert torch.allclose(table("diabetes_target.csv.gz").squeeze(1), torch.tensor(diabetes.target).float())
