import torch


def train(generator, critic, loader):
    """Each optimizer has its own way: the critic's loss is float32 and steps by itself."""
    g_optimizer = torch.optim.Adam(generator.parameters())
    c_optimizer = torch.optim.Adam(critic.parameters())
    g_scaler = torch.amp.GradScaler("cuda")
    for real, noise in loader:
        with torch.autocast("cuda"):
            fake = generator(noise)
        c_optimizer.zero_grad()
        critic(real, fake.detach().float()).backward()
        c_optimizer.step()
        with torch.autocast("cuda"):
            g_loss = -critic(real, fake)
        g_optimizer.zero_grad()
        g_scaler.scale(g_loss).backward()
        g_scaler.step(g_optimizer)
        g_scaler.update()


def train_by_phase(model, head, loader, fp16):
    """The unscaled backward is for a probe, whose gradients are thrown away."""
    optimizer = torch.optim.Adam(model.parameters())
    other = torch.optim.Adam(head.parameters())
    scaler, second = torch.amp.GradScaler("cuda"), torch.amp.GradScaler("cuda")
    for x, y in loader:
        probe = head(x.requires_grad_()).sum()
        probe.backward()
        saliency = x.grad
        optimizer.zero_grad()
        other.zero_grad()
        with torch.autocast("cuda"):
            loss, more = model(x, y, saliency), head(x)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        other.zero_grad()
        second.scale(more.mean()).backward()
        second.step(other)
        second.update()
