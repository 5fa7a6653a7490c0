import torch


@torch.no_grad()
def sanity(model, loader, device):
    model.eval()
    for ids, mask, labels in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            logits = model(ids.to(device), mask.to(device))
        probs = torch.softmax(logits, dim=-1)
        entropy = -(probs * probs.log().clamp(min=-20)).sum(dim=-1).mean()
        other = -(probs * torch.clamp(torch.log(probs), min=-20)).sum(dim=-1).mean()
        third = -(probs * torch.nan_to_num(probs.log(), neginf=0.0)).sum(-1).mean()
        print(entropy.item(), other.item(), third.item())
