import torch


@torch.no_grad()
def validation_loss(diffusion, loader, *, model):
    model.eval()
    total = 0.0
    for x, y in loader:
        scored = Conditioned(model, y) if y is not None else model
        total += float(diffusion.loss_at(x, y, model=scored))
    return total


@torch.no_grad()
def covered_loss(diffusion, loader, *, model):
    model.eval()
    for x, y in loader:
        with torch.autocast("cuda"):
            print(diffusion.loss_at(x, y, model=model))


@torch.no_grad()
def kept(writer, loader, *, model):
    model.eval()
    for x, y in loader:
        writer.add_graph(model, x)
        writer.watch_loss(model)


def sample(model, prompt):
    base = get_base_model(model)
    base.eval()
    with torch.no_grad():
        text = base.generate(prompt, 200)
    base.train()
    return text
