import torch
import torch.nn.functional as F


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    model.train()
    for window, target in task.batches:
        window, target = window.cuda(), target.cuda()

        optimizer.zero_grad()

        prediction = model(window)
        loss = F.mse_loss(prediction, target)

        loss.backward()

        # meter glitches produce huge gradients now and then
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.2)

        optimizer.step()
