import torch


def train(net, optim, scaler, objective, train_set, window, decay):
    for index, (images, labels) in enumerate(train_set):
        with torch.autocast("cuda"):
            loss = objective(net(images), labels) / window
        scaler.scale(loss).backward()
        scaler.unscale_(optim)
        torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), float("inf"))
        print(f"norm {norm}")
        for weight in net.parameters():
            if weight.grad is not None:
                weight.grad.add_(weight.data * decay)
        if (index + 1) % window == 0:
            scaler.step(optim)
            scaler.update()
            optim.zero_grad()
