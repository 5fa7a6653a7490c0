"""Trains a small language model with mixed precision, the way it is often written, and with the bugs that come with it.

`ampfix check examples/train_broken.py` finds them, `ampfix fix --diff examples/train_broken.py` shows the repair.
It is written for CUDA and reads no data from disk.
"""

import argparse
import logging

import torch
import torch.nn.functional as F
from torch import nn
from torch.cuda.amp import GradScaler, autocast
from torch.nn.utils import clip_grad_norm_

log = logging.getLogger("train")

VOCABULARY, CONTEXT, WIDTH = 32, 16, 32


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.position = nn.Parameter(torch.zeros(CONTEXT, WIDTH))
        self.block = nn.TransformerEncoderLayer(WIDTH, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, tokens):
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], device=tokens.device)
        hidden = self.block(self.embedding(tokens) + self.position, src_mask=mask, is_causal=True)
        return self.head(hidden)


def batches(count, batch_size, generator):
    """Arithmetic sequences modulo the vocabulary: the step can be read off the first two tokens."""
    for _ in range(count):
        start = torch.randint(VOCABULARY, (batch_size, 1), generator=generator)
        step = torch.randint(1, 6, (batch_size, 1), generator=generator)
        tokens = (start + step * torch.arange(CONTEXT + 1)) % VOCABULARY
        yield tokens[:, :-1], tokens[:, 1:]


class Trainer:
    def __init__(self, model, steps, accumulate=2, max_norm=1.0):
        self.model = model.cuda()
        self.steps = steps
        self.accumulate = accumulate
        self.max_norm = max_norm
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=steps)
        self.scaler = GradScaler(2.0**14)

    def fit(self, generator):
        """Train, and return the mean loss of the last ten micro-batches."""
        recent = []
        for index, (tokens, targets) in enumerate(batches(self.steps * self.accumulate, 16, generator)):
            tokens, targets = tokens.cuda(), targets.cuda()
            with autocast(True, torch.float16):
                logits = self.model(tokens)
                loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten()) / self.accumulate
            self.scaler.scale(loss).backward()
            if (index + 1) % self.accumulate == 0:
                # a rare batch gives a gradient that would throw the weights far off
                norm = clip_grad_norm_(self.model.parameters(), self.max_norm)
                self.scaler.step(self.optimizer)
                self.scaler.update()
                self.optimizer.zero_grad()
                self.scheduler.step()
                log.info("loss %.3f  gradient norm %.3g", loss.item() * self.accumulate, norm)
            recent = [*recent[-9:], loss.item() * self.accumulate]
        return sum(recent) / len(recent)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--verbose", action="store_true", help="show every step")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO if arguments.verbose else logging.WARNING, format="%(message)s")
    torch.manual_seed(0)
    final = Trainer(LanguageModel(), arguments.steps).fit(torch.Generator().manual_seed(0))
    log.warning("loss of the last ten micro-batches: %.3f", final)


if __name__ == "__main__":
    main()
