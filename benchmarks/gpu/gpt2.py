"""A training step of GPT-2 124M in each precision on a CUDA device, eager and compiled, as a table.

    python benchmarks/gpu/gpt2.py [--batch 8] [--sequence 1024] [--no-compile] [--output FILE]

The model is GPT-2's smallest (Radford et al. 2019): 12 blocks of width 768 with 12 heads, a vocabulary of 50,257,
learned positions, tied output weights. Tokens are random: time and memory do not depend on them. `--pad` takes a
vocabulary of 50,304, a multiple of 64: the difference is what misalignment costs. Without CUDA it prints status
"not_measured" and exits with 0.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from torch import nn

from ampfix import atomic

VOCABULARY, PADDED_VOCABULARY = 50257, 50304
WIDTH, HEADS, BLOCKS, POSITIONS = 768, 12, 12, 1024


class Block(nn.Module):
    """Pre-norm attention and a perceptron of four times the width."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.norm_mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mix, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(approximate="tanh"), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        heads = self.mix(self.norm(x)).view(batch, length, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(*heads.unbind(0), is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.norm_mlp(x))


class Gpt2(nn.Module):
    """Tokens to logits."""

    def __init__(self, vocabulary: int = VOCABULARY) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, WIDTH), nn.Embedding(POSITIONS, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        logits: torch.Tensor = self.head(self.norm(self.blocks(self.tokens(tokens) + self.positions(places))))
        return logits


def build(batch: int = 8, sequence: int = POSITIONS, vocabulary: int = VOCABULARY):  # type: ignore[no-untyped-def]
    """(model, inputs, loss), as `ampfix profile` and `ampfix memory` take it."""
    torch.manual_seed(0)
    tokens = torch.randint(VOCABULARY, (batch, sequence + 1))

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten().to(logits.device))

    return Gpt2(vocabulary), (tokens[:, :-1],), loss


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--sequence", type=int, default=POSITIONS)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--pad", action="store_true")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        result = json.dumps({"schema": 1, "status": "not_measured", "reason": "no CUDA device"})
        print(result)
        if args.output is not None:
            atomic.write(args.output, f"{result}\n".encode())
        return 0
    from ampfix.hardware.place import here
    from ampfix.hardware.profile.modelled import Effort, profile_model
    from ampfix.hardware.profile.workload import Workload
    from ampfix.report import profile_text

    place = here()
    model, inputs, loss = build(args.batch, args.sequence, PADDED_VOCABULARY if args.pad else VOCABULARY)
    work = Workload(model, inputs, loss, place.device)
    found = profile_model("GPT-2 124M", work, place, Effort(args.seconds, compiled=not args.no_compile))
    profile_text.write(found, sys.stdout)
    for arm in found.arms:
        if arm.step_ms is not None:
            rate = args.batch * args.sequence / arm.step_ms * 1e3
            print(f"{arm.arm}: {rate:,.0f} tokens a second")
    if args.output is not None:
        atomic.write(args.output, (found.to_json() + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
