import torch
import torch.nn.functional as F


def both_train(backbone, head, loader):
    optimizer = torch.optim.AdamW([*backbone.parameters(), *head.parameters()])
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            f = backbone(x)
        loss = F.cross_entropy(head(f.float()), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # expect: AMP201
        optimizer.step()


def one_way_is_open(backbone, head, aux, loader):
    optimizer = torch.optim.AdamW([*backbone.parameters(), *head.parameters()])
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            f = backbone(x)
        loss = F.cross_entropy(head(f.float()) + aux(f.detach().float()), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # expect: AMP201
        optimizer.step()


def head_inside(backbone, head, loader):
    optimizer = torch.optim.AdamW(head.parameters())
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            f = backbone(x).detach()
            loss = F.cross_entropy(head(f), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # expect: AMP201
        optimizer.step()


def prompt_is_learnt(backbone, prompt, head, loader):
    backbone.requires_grad_(False)
    optimizer = torch.optim.AdamW([prompt, *head.parameters()])
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            f = backbone(x + prompt)
        loss = F.cross_entropy(head(f.float()), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # expect: AMP201
        optimizer.step()
