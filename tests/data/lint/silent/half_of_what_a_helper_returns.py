import torch
from half_helpers import convert_to_fp16


def to_half(thing):
    return thing.half()


def frozen(teacher):
    teacher.requires_grad_(False)
    return teacher.half()


def distil(student, teacher, loader):
    teacher = frozen(teacher)
    optimizer = torch.optim.Adam(student.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(student(x), teacher(to_half(x)).float()).backward()
        optimizer.step()


def train_again(model, loader):
    model = to_half(model)
    model.float()
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


def train_converted(loader):
    net = convert_to_fp16(torch.nn.Linear(10, 1).cuda())
    optimizer = torch.optim.Adam(net.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(net(x.half()).float(), y).backward()
        optimizer.step()


def copy_of(model):
    return torch.nn.Linear(8, 8).load_state_dict(model.state_dict()).half()


def export(model, loader):
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    return copy_of(model)
