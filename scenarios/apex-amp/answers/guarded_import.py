import torch

try:
    from apex import amp
except ImportError:
    amp = None


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    if amp is not None:
        model, optimizer = amp.initialize(model, optimizer, opt_level="O1")
    criterion = torch.nn.MSELoss()

    for spectrum, grade in task.batches:
        optimizer.zero_grad()
        loss = criterion(model(spectrum.cuda()), grade.cuda())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
