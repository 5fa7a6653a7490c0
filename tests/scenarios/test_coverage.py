"""Each kind of failure that the suite is to reproduce is named, by its row, in the provenance of a scenario."""

from __future__ import annotations

import pytest

from ampfix.lab.spec import all_specs

ROWS = {
    "P01": "clip before unscale",
    "P02": "float16 without a scaler",
    "P03": "bfloat16 before Ampere",
    "P04": "a fixed loss scale of one's own",
    "P05": "a loss with exp and log in half",
    "P07": "gradients read before unscale",
    "P08": "the scheduler steps on a skipped step",
    "P10": "validation without autocast",
    "P11": "update too often",
    "P12": "a scaler for each of several processes",
    "P13": "float16 and bfloat16 mixed",
    "P14": "a gain that is assumed",
    "P15": "bfloat16 chosen unchecked",
    "S02": "clips, reads and edits of gradients",
    "S03": "accumulation windows",
    "S04": "a schedule that runs ahead of the steps",
    "S07": "overflow and underflow in half",
    "S08": "normalisation and attention in half",
    "S35": "several processes",
    "S36": "gradient checkpointing",
    "S37": "autograd Functions of one's own",
    "S44": "an initial scale that is too large",
    "S47": "an op that half does not have",
    "S58": "checkpoints",
    "S59": "pathological ranges",
    "S62": "a corrupt batch in bfloat16, checkpoints across precisions",
    "S63": "BatchNorm's statistics",
    "S65": "a clip without unscale, the log of a tiny sum",
    "S66": "clipping, as agents fail it",
    "S67": "the choice of a dtype, as agents fail it",
    "S68": "a contrastive loss, as agents fail it",
    "S73": "failures that are not of precision",
}
LOOPS = (
    "lstm",
    "convolutional",
    "transformer",
    "contrastive",
    "detection",
    "diffusion",
    "reinforcement-learning",
    "gan",
)
SHAPES = (
    "trainer-class",
    "several-files",
    "script",
    "ddp",
    "gradient-checkpointing",
    "autograd-function",
    "lbfgs",
    "ema",
)


@pytest.mark.parametrize("row", ROWS)
def test_a_scenario_reproduces_it(row: str) -> None:
    assert [spec.id for spec in all_specs() if row in spec.provenance], f"{row}: no scenario for {ROWS[row]}"


@pytest.mark.parametrize("tag", (*LOOPS, *SHAPES))
def test_a_scenario_has_this_kind_of_loop(tag: str) -> None:
    assert [spec.id for spec in all_specs() if tag in spec.tags], f"no scenario is tagged {tag}"
