"""Which rule each inverse edit belongs to, and what a loop must be like for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.codemods.inverse_edits import (
    Break,
    Lines,
    always_scaled,
    apex,
    backward_in_the_region,
    both_steps,
    bypass,
    clip_scaled,
    edit_scaled,
    half_inputs,
    half_saved,
    half_sum,
    half_weights,
    no_device,
    no_scaler,
    no_update,
    old_names,
    plain_backward,
    private_scale,
    read_scaled,
    region_on_the_cpu,
    scale_for_a_device,
    scaler_for_bfloat16,
    scaler_in_the_loop,
    scrubbed,
    skip_without_update,
    state_not_saved,
    thrashing,
    two_halves,
    undivided,
    unguarded_scheduler,
    unscale_each_micro_batch,
    unscale_twice,
    update_each_micro_batch,
    update_first,
    update_per_optimizer,
    zeroed_in_the_window,
)
from tests.codemods.loops import Shape, program


@dataclass(frozen=True)
class Bug:
    """What a rule finds in a loop that an edit has broken.

    adjust: what the loop must be like for it. codes: it may be named by either. same_scale: whether the repaired
    loop ends with the scale of the correct one.
    """

    edit: Break
    codes: tuple[str, ...]
    adjust: dict[str, object] | None = None
    same_scale: bool = True

    def pair(self, shape: Shape) -> tuple[Lines, Lines] | None:
        """The correct loop and the broken one; None where this shape has no place for the bug."""
        right_shape = replace(shape, **self.adjust) if self.adjust else shape  # type: ignore[arg-type]
        right = program(right_shape)
        broken = self.edit(right, right_shape)
        return None if broken is None or broken == right else (right, broken)


DEFAULTS: dict[str, object] = {"init_scale": "", "enabled": ""}
PLAIN: dict[str, object] = {"scaled": False, "dtype": "torch.bfloat16", "enabled": ""}
BUGS = (
    Bug(clip_scaled, ("AMP101",)),
    Bug(read_scaled, ("AMP102",)),
    Bug(edit_scaled, ("AMP103",)),
    Bug(unscale_twice, ("AMP104",)),
    Bug(unscale_each_micro_batch, ("AMP105",)),
    Bug(bypass, ("AMP106",)),
    Bug(both_steps, ("AMP107",)),
    Bug(plain_backward, ("AMP108",)),
    Bug(no_update, ("AMP109",)),
    Bug(update_each_micro_batch, ("AMP110",)),
    Bug(update_per_optimizer, ("AMP111", "AMP112")),
    Bug(update_first, ("AMP112",)),
    Bug(skip_without_update, ("AMP113",)),
    Bug(unguarded_scheduler, ("AMP114",)),
    Bug(undivided, ("AMP115",)),
    Bug(zeroed_in_the_window, ("AMP116",)),
    Bug(scrubbed, ("AMP117",)),
    Bug(backward_in_the_region, ("AMP121",)),
    Bug(
        no_scaler, ("AMP201",), {**DEFAULTS, "second": False, "log": False, "decay": False, "checkpoint": False}, False
    ),
    Bug(scaler_in_the_loop, ("AMP202",)),
    Bug(state_not_saved, ("AMP203",)),
    Bug(scaler_for_bfloat16, ("AMP204",), {"dtype": "torch.bfloat16", "enabled": "False", "always": True}),
    Bug(private_scale, ("AMP206",), {"enabled": ""}),
    Bug(thrashing, ("AMP207",)),
    Bug(always_scaled, ("AMP208",), {"enabled": "use_amp"}),
    Bug(half_weights, ("AMP301",), {**PLAIN, "second": False, "clip": "norm"}),
    Bug(two_halves, ("AMP303",)),
    Bug(half_inputs, ("AMP305",)),
    Bug(half_saved, ("AMP306",)),
    Bug(region_on_the_cpu, ("AMP307",), {"moved": True}),
    Bug(half_sum, ("AMP309",)),
    Bug(old_names, ("AMP601",)),
    Bug(no_device, ("AMP602",)),
    Bug(apex, ("AMP603",), {**DEFAULTS, "named_loss": False}, False),
    Bug(scale_for_a_device, ("AMP605",)),
)
