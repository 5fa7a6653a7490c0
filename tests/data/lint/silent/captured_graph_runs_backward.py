import torch


def train(graph, static_input, static_target, loader, optimizer, half):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        static_input.copy_(x)
        static_target.copy_(y)
        graph.replay()
        if half:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
