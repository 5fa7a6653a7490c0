"""The scheduler advances only where the scale did not fall."""

from __future__ import annotations

import pytest

from ampfix.codemods import CannotRepair
from tests.codemods.repairs import repair, repaired


def guarded(text: str, scaler: str = "scaler") -> str:
    return repaired(text, repair("guard_scheduler", text, "sched.step()", scaler=scaler))


def test_scale_is_read_before_update_and_compared_behind_it() -> None:
    before = """\
for x in data:
    scaler.step(opt)
    scaler.update()  # adapt
    # learning rate
    sched.step()  # per batch
    log(x)
"""
    assert (
        guarded(before)
        == """\
for x in data:
    scaler.step(opt)
    scale_before = scaler.get_scale()
    scaler.update()  # adapt
    # learning rate
    if scaler.get_scale() >= scale_before:
        sched.step()  # per batch
    log(x)
"""
    )


def test_update_in_a_branch_leaves_the_other_branch_as_it_was() -> None:
    before = """\
def train(opt):
  for x in data:
    if use_amp:
      scaler.step(opt); scaler.update()
    else:
      opt.step()
    if i % 2: sched.step()
"""
    assert (
        guarded(before)
        == """\
def train(opt):
  for x in data:
    scale_before = None
    if use_amp:
      scaler.step(opt)
      scale_before = scaler.get_scale()
      scaler.update()
    else:
      opt.step()
    if i % 2:
      if scale_before is None or scaler.get_scale() >= scale_before:
        sched.step()
"""
    )


def test_a_scheduler_in_front_of_update_moves_behind_it_with_its_comments() -> None:
    before = "scaler.step(opt)\n# lr\nsched.step()  # x\n# up\nscaler.update()\nlog()\n"
    assert guarded(before) == (
        "scaler.step(opt)\n# up\nscale_before = scaler.get_scale()\nscaler.update()\n"
        "if scaler.get_scale() >= scale_before:\n    # lr\n    sched.step()  # x\nlog()\n"
    )


def test_several_schedulers_in_a_loop_share_one_comparison_value() -> None:
    before = "for x in data:\n    scaler.update()\n    for sched in all_of_them:\n        sched.step()\n"
    assert guarded(before) == (
        "for x in data:\n    scale_before = scaler.get_scale()\n    scaler.update()\n"
        "    for sched in all_of_them:\n        if scaler.get_scale() >= scale_before:\n            sched.step()\n"
    )


def test_update_in_a_called_method_is_compared_around_the_iteration() -> None:
    before = "def fit(self):\n    for x in data:\n        self._step(x, self.scaler)\n        sched.step()\n"
    assert guarded(before, "self.scaler") == (
        "def fit(self):\n    for x in data:\n        scale_before = self.scaler.get_scale()\n"
        "        self._step(x, self.scaler)\n"
        "        if self.scaler.get_scale() >= scale_before:\n            sched.step()\n"
    )


def test_the_name_is_fresh() -> None:
    after = guarded("scale_before = scale_before_2 = 1\nscaler.update()\nsched.step()\n")
    assert "scale_before_3 = scaler.get_scale()" in after


def test_a_flush_behind_the_loop_is_not_taken_for_the_update_of_the_step() -> None:
    before = "for x in d:\n    scaler.update()\n    sched.step()\nscaler.update()\n"
    assert guarded(before) == (
        "for x in d:\n    scale_before = scaler.get_scale()\n    scaler.update()\n"
        "    if scaler.get_scale() >= scale_before:\n        sched.step()\nscaler.update()\n"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("scaler.update()\nlr = sched.step()\n", "statement of its own"),
        ("if a:\n    scaler.update()\nelse:\n    sched.step()\n", "another branch"),
        ("for x in d:\n    for y in x:\n        scaler.update()\n    sched.step()\n", "loop of its own"),
        ("if a:\n    sched.step()\nscaler.update()\n", "behind that call"),
        ("def step():\n    sched.step()\n", "does not run in the function"),
        ("for x in d:\n    step(x)\n    sched.step()\n", "not in reach"),
    ],
)
def test_what_cannot_be_guarded_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(CannotRepair, match=reason):
        guarded(text)
