import torch


@torch.no_grad()
def evaluate_policy(model, env, episodes):
    model.eval()
    total = 0
    for _ in range(episodes):
        observation, done = env.reset(), False
        while not done:
            action = model(torch.as_tensor(observation)).argmax()
            observation, reward, done = env.step(action.item())
            total += reward
    return total


@torch.no_grad()
def refresh_statistics(model, loader):
    model.train()
    for x in loader:
        model(x)


@torch.no_grad()
def denoise(model, scheduler, x):
    model.eval()
    for t in scheduler.timesteps:
        x = scheduler.step(model(x, t), t, x)
    return x
