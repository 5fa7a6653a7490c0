import torch
from apex import amp


def train(task):
    model = task.modules["model"].cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    model, optimizer = amp.initialize(model, optimizer, opt_level="O1")
    criterion = torch.nn.MSELoss()

    for spectrum, grade in task.batches:
        optimizer.zero_grad()
        loss = criterion(model(spectrum.cuda()), grade.cuda())
        with amp.scale_loss(loss, optimizer) as scaled_loss:
            scaled_loss.backward()
        torch.nn.utils.clip_grad_norm_(amp.master_params(optimizer), 1.0)
        optimizer.step()
