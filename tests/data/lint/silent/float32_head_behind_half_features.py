"""Only float32 operations are in the graph."""

import torch
import torch.nn.functional as F


def train_nograd(backbone, head, loader):
    optimizer = torch.optim.AdamW(head.parameters())
    for x, y in loader:
        with torch.no_grad(), torch.autocast("cuda", dtype=torch.float16):
            features = backbone(x)
        loss = F.cross_entropy(head(features.float()), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def train_detached(backbone, head, loader):
    optimizer = torch.optim.AdamW(head.parameters())
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            f = backbone(x).detach()
        loss = F.cross_entropy(head(f.float()), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def detached_behind(backbone, head, loader):
    optimizer = torch.optim.AdamW(head.parameters())
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            f = backbone(x)
        loss = F.cross_entropy(head(f.detach().float()), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def frozen(backbone, head, loader):
    for p in backbone.parameters():
        p.requires_grad = False
    backbone.eval()
    optimizer = torch.optim.AdamW(head.parameters())
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            f = backbone(x)
        loss = F.cross_entropy(head(f.float()), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

def frozen_by_method(self, loader):
    self.backbone.requires_grad_(False)
    optimizer = torch.optim.AdamW(self.head.parameters())
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            f = self.backbone(x.cuda())
        loss = F.cross_entropy(self.head(f.float()), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
