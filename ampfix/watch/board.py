"""Curves of a watched run for TensorBoard: a companion of `Watch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampfix.watch.facts import StepFacts

if TYPE_CHECKING:
    from ampfix.watch.monitor import Watch

_CURVES = ("loss", "scale", "grad_norm", "norm_before_clip", "lr")


class Board:
    """Writes each attempt's loss, scale, norms, learning rate and whether it was skipped, by optimizer.

    Raises:
        ImportError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))

    def begin(self, watch: Watch) -> None:
        """Nothing to do: curves begin with the first attempt."""

    def stepped(self, facts: StepFacts) -> None:
        for name in _CURVES:
            value = getattr(facts, name)
            if value is not None:
                self._writer.add_scalar(f"{facts.optimizer}/{name}", value, facts.attempt)
        if facts.applied is not None:
            self._writer.add_scalar(f"{facts.optimizer}/skipped", float(not facts.applied), facts.attempt)

    def finish(self) -> dict[str, Any]:
        self._writer.close()
        return {}
