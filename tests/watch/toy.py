"""A tiny training set-up for loops that are recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from ampfix.protocol import Event, EventKind
from ampfix.watch import Recorder

REGIONS = {EventKind.AUTOCAST_ENTER, EventKind.AUTOCAST_EXIT}


def model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def batch(step: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    return torch.randn(6, 8, generator=generator), torch.randint(0, 4, (6,), generator=generator)


def half_loss(net: nn.Module, step: int = 0, dtype: torch.dtype = torch.float16) -> torch.Tensor:
    inputs, labels = batch(step)
    with torch.autocast("cpu", dtype=dtype):
        return nn.functional.cross_entropy(net(inputs), labels)


def scaler(**options: Any) -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", **options)


@dataclass
class Recorded:
    events: list[Event] = field(default_factory=list)
    attempts: list[tuple[int, bool | None]] = field(default_factory=list)
    recorder: Recorder = field(default_factory=Recorder)

    @property
    def kinds(self) -> list[str]:
        """Names of the events, autocast regions left out."""
        return [event.kind.value for event in self.events if event.kind not in REGIONS]

    @property
    def violations(self) -> list[str]:
        return [item.broken.violation.value for item in self.recorder.violations]

    @property
    def summary(self) -> dict[str, Any]:
        return self.recorder.summary()

    def of(self, kind: EventKind) -> list[Event]:
        return [event for event in self.events if event.kind is kind]


def record(loop: Callable[..., object], *args: Any, root: Path | None = None) -> Recorded:
    """Run `loop` under a recorder."""
    recorded = Recorded()
    recorded.recorder = Recorder(
        recorded.events.append, lambda attempt, applied: recorded.attempts.append((attempt, applied)), root
    )
    with recorded.recorder:
        loop(*args)
    return recorded


class Attention(nn.Module):
    """Linear, attention, normalisation and convolution: every op whose work is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(8, 48)
        self.out = nn.Linear(16, 4)
        self.mix = nn.Conv1d(6, 6, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        query, key, value = self.embed(inputs.unsqueeze(0)).chunk(3, dim=-1)
        attended = nn.functional.scaled_dot_product_attention(query[None], key[None], value[None])[0]
        return self.out(self.mix(attended)[0])


def attention() -> nn.Module:
    torch.manual_seed(0)
    return Attention()


def train(net: nn.Module, steps: int = 10, rounds: int = 1) -> list[torch.Tensor]:
    optimizer, scaling = torch.optim.AdamW(net.parameters(), lr=1e-2), scaler(init_scale=2.0**20)
    for step in range(steps):
        for part in range(rounds):
            scaling.scale(half_loss(net, step * rounds + part) / rounds).backward()
        scaling.unscale_(optimizer)
        clip_grad_norm_(net.parameters(), 0.1)
        scaling.step(optimizer)
        scaling.update()
        optimizer.zero_grad()
    return [parameter.detach().clone() for parameter in net.parameters()]
