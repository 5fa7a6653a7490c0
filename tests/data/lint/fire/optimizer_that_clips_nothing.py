import torch


def train(model, loader, grad_clipped):
    model = model.cuda()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    assert torch.cuda.get_device_capability() >= (8, 0)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()  # expect: AMP411
        optimizer.step()
        print(grad_clipped)
