import torch


class Net(torch.nn.Linear):
    pass


def train(data, small):
    dtype = torch.bfloat16 if small else torch.float32
    student = Net(8, 8).to(device="cuda", dtype=dtype).train()  # expect: AMP301
    optimizers = {}
    optimizers["student"] = torch.optim.AdamW(student.parameters())
    for x, y in data:
        torch.nn.functional.mse_loss(student(x), y).backward()
        optimizers["student"].step()
        optimizers["student"].zero_grad()


def scale(data, small):
    dtype = torch.bfloat16 if small else torch.float32
    table = torch.ones(8).to(device="cuda", dtype=dtype).contiguous()
    return [x * table for x in data]
