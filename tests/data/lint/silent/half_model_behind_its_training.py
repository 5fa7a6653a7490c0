"""The cast is behind the training, for an export; or what trains makes the weights float32; or only reads the model."""

import torch


def train(model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        loss = torch.nn.functional.cross_entropy(model(x.cuda()), y.cuda())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def export(model, loader, path):
    train(model, loader)
    model.half()
    torch.save(model.state_dict(), path)


def train_in_float32(model, loader):
    model.float()
    optimizer = torch.optim.AdamW(model.parameters())
    for x, y in loader:
        loss = torch.nn.functional.cross_entropy(model(x.cuda()), y.cuda())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def tune(model, loader):
    model.half()
    train_in_float32(model, loader)


def distill(student, teacher, loader):
    optimizer = torch.optim.AdamW(student.parameters())
    for x in loader:
        with torch.no_grad():
            target = teacher(x.cuda().half())
        loss = torch.nn.functional.mse_loss(student(x.cuda()), target.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def teach(student, teacher, loader):
    teacher.half()
    distill(student, teacher, loader)
