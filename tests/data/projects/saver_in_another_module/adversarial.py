import torch

import checkpoints as store


def train(generator, critic, loader, path):
    optim_g = torch.optim.AdamW(generator.parameters())
    optim_d = torch.optim.AdamW(critic.parameters())
    plain = torch.optim.SGD(critic.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        for network, optimizer in ((critic, optim_d), (generator, optim_g)):
            optimizer.zero_grad()
            scaler.scale(network(x, y)).backward()
        scaler.step(optim_d)
        scaler.step(optim_g)
        scaler.update()
    store.save_checkpoint(critic, plain, 0, path)
    store.save_checkpoint(generator, optim_g, 0, path)  # expect: AMP203
