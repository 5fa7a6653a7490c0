"""Python programs about mixed precision, put together from bytes: by a grammar, or by cutting up rules' examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache

from ampfix.rules import all_rules

from .choices import Choices

IMPORTS = (
    "import torch",
    "from torch.cuda.amp import autocast, GradScaler",
    "from torch.cuda import amp",
    "from torch.amp import autocast, GradScaler as Scaler",
    "import torch.cuda.amp as tamp",
    "from apex import amp",
    "from accelerate import Accelerator",
    "from torch.nn.utils import clip_grad_norm_ as clip",
    "import torch.nn.functional as F",
    "try:\n    from torch.cuda.amp import GradScaler\nexcept ImportError:\n    GradScaler = None",
    "from .engine import *",
)
NAMES = ("scaler", "opt", "opt2", "model", "loss", "x", "sched", "self.scaler", "self.opt", "amp")
MAKERS = (
    "torch.cuda.amp.GradScaler()",
    "GradScaler(enabled=use)",
    "Scaler('cuda', init_scale=2.0 ** 10)",
    "torch.amp.GradScaler('cuda') if use else None",
    "torch.optim.SGD(model.parameters(), lr=0.1)",
    "torch.optim.AdamW(model.half().parameters(), eps=1e-8)",
    "torch.optim.LBFGS(model.parameters())",
    "torch.optim.lr_scheduler.OneCycleLR(opt, 0.1, 10)",
    "Accelerator(mixed_precision='fp16')",
    "torch.nn.Linear(7, 50257).cuda()",
    "model(x)",
    "F.cross_entropy(model(x), y) / 4",
    "torch.log(torch.softmax(x.half(), -1) + 1e-8)",
    "x.masked_fill(x == 0, -1e9)",
    "torch.autograd.grad(scaler.scale(loss), model.parameters())",
    "lambda: scaler.step(opt)",
    "functools.partial(torch.autocast, 'cuda', dtype=torch.float16)",
    "loss.item()",
    "scaler.get_scale()",
)
CALLS = (
    "{0}.scale({1}).backward()",
    "{1}.backward()",
    "{0}.unscale_({1})",
    "{0}.step({1})",
    "{0}.step()",
    "{0}.update()",
    "{0}.zero_grad(set_to_none=True)",
    "torch.nn.utils.clip_grad_norm_({0}.parameters(), 1.0)",
    "clip({0}.parameters(), 1.0)",
    "torch.save({{'m': {0}.state_dict(), 'o': {1}.state_dict()}}, 'c.pt')",
    "{0}.load_state_dict(torch.load('c.pt')['o'])",
    "[p.grad.mul_(0.5) for p in {0}.parameters() if p.grad is not None]",
    "print({0}.item(), {1})",
    "train({0}, {1})",
    "{0}.half(); {1}.float()",
    "{0}.register_backward_hook(print)",
    "assert torch.isfinite({0}), {1}",
)
CONDITIONS = (
    "use",
    "(i + 1) % 4 == 0",
    "scaler is not None",
    "not torch.isfinite(loss)",
    "i % k",
    "args.fp16",
    "x := i",
)
REGIONS = (
    "torch.cuda.amp.autocast()",
    "torch.autocast('cuda', dtype=torch.float16, enabled=use)",
    "torch.autocast(device_type='cuda', dtype=torch.bfloat16)",
    "autocast(use)",
    "torch.no_grad()",
    "amp.scale_loss(loss, opt) as scaled",
    "torch.autocast('cuda', enabled=False), torch.no_grad()",
)
BLOCKS = (
    "for i, (x, y) in enumerate(loader):",
    "for epoch in range(3):",
    "while use:",
    "if {condition}:",
    "with {region}:",
    "def train(scaler, opt, *args, **kwargs):",
    "async def step(self, loss=None):",
    "class Trainer(torch.nn.Module):",
    "@torch.autocast('cuda')\n{indent}def forward(self, x):",
    "try:",
    "match loss:\n{indent}  case None | 0:",
)
MAGICS = ("", "%time x = 1\n", "!pip install torch\n", "%%bash\n", "?print\n")
ENDINGS = {"if": "else:", "for": "else:", "while": "else:", "try": "finally:"}
LEAVES = ("return", "pass", "raise ValueError", "# a comment", "'text'", "yield", "continue", "break")
OUTSIDE_LOOPS = 6  # of LEAVES


def _block(choices: Choices, depth: int, in_loop: bool = False) -> Iterator[str]:
    """Lines of a block; its first is a statement, so that it is never empty."""
    indent = "  " * depth
    yield indent + _statement(choices)
    for _ in range(choices.below(6)):
        kind = choices.below(4)
        if kind == 0 and depth < 5:
            head = choices.pick(BLOCKS).format(
                condition=choices.pick(CONDITIONS), region=choices.pick(REGIONS), indent=indent
            )
            word = head.split()[0].rstrip(":")
            inner = depth + 1 + (word == "match")
            looping = word in ("for", "while") or (in_loop and word in ("if", "with", "try", "match"))
            yield indent + head
            yield from _block(choices, inner, looping)
            ending = ENDINGS.get(word)
            if ending and (ending == "finally:" or choices.maybe()):
                yield indent + ending
                yield from _block(choices, inner, in_loop)
        elif kind == 1:
            yield indent + choices.pick(LEAVES if in_loop else LEAVES[:OUTSIDE_LOOPS])
        else:
            yield indent + _statement(choices)


def _statement(choices: Choices) -> str:
    if choices.maybe():
        return choices.pick(CALLS).format(choices.pick(NAMES), choices.pick(NAMES))
    return f"{choices.pick(NAMES)} = {choices.pick(MAKERS)}"


def program(data: bytes) -> str:
    """A program of the grammar: imports and functions. Nearly always valid Python."""
    choices = Choices(data)
    lines = [choices.pick(IMPORTS) for _ in range(1 + choices.below(4))]
    while True:
        lines.append("def main(loader, model, opt, args, use):")
        lines += _block(choices, 1)
        if choices.spent:
            break
    return "\n".join(lines) + "\n"


@cache
def examples() -> tuple[str, ...]:
    """Every example of every rule, by rule."""
    texts: list[str] = []
    for rule in all_rules():
        texts += rule.VALID
        texts += [example.code for example in rule.INVALID]
    return tuple(texts)


def spliced(data: bytes) -> str:
    """One example with lines left out, repeated, moved, renamed, put into a block, or taken from another example."""
    choices = Choices(data)
    texts = examples()
    lines = texts[(choices.below(256) * 256 + choices.below(256)) % len(texts)].splitlines()
    other = texts[(choices.below(256) * 256 + choices.below(256)) % len(texts)].splitlines()
    for _ in range(1 + choices.below(5)):
        if not lines:
            break
        at = choices.below(len(lines)) if len(lines) < 256 else choices.below(256)
        match choices.below(10):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[at])
            case 2:
                other_at = choices.below(min(len(lines), 256))
                lines[at], lines[other_at] = lines[other_at], lines[at]
            case 3:
                lines.insert(at, choices.pick(other[:256]) if other else "")
            case 4 | 8 | 9:
                lines[at] = lines[at].replace(choices.pick(NAMES), choices.pick(NAMES))
            case 5:
                space = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
                head = choices.pick(BLOCKS[:5]).format(
                    condition=choices.pick(CONDITIONS), region=choices.pick(REGIONS), indent=space
                )
                lines[at : at + 1] = [space + head, "    " + lines[at]]
            case 6:
                lines[at] += "  # noqa"
            case _:
                lines[at] = lines[at] + "; " + _statement(choices)
    return "\n".join(lines) + "\n"


def notebook(data: bytes) -> str:
    """A notebook whose cells hold a program cut into pieces, with magics among them; now and then cut off."""
    choices = Choices(data[:40])
    lines = program(data[40:]).splitlines(keepends=True)
    cells: list[object] = []
    while lines:
        size = 1 + choices.below(12)
        piece, lines = lines[:size], lines[size:]
        piece.insert(
            choices.below(len(piece) + 1), choices.pick(["", "%time x = 1\n", "!pip install torch\n", "%%bash\n"])
        )
        kind = choices.pick(["code", "code", "code", "markdown", "raw"])
        source: object = piece if choices.maybe() else "".join(piece)
        cells.append({"cell_type": kind, "metadata": {}, "source": source, "outputs": [{"text": ["\u2028"]}]})
    book: dict[str, object] = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    text = json.dumps(book, indent=choices.pick([None, 1, 4]), ensure_ascii=choices.maybe())
    return text[: -choices.below(9)] if choices.below(8) == 7 else text
