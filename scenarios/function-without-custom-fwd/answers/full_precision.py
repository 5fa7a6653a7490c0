import torch
from ampfix_task import task
from torch.amp import custom_bwd, custom_fwd
from torch.cuda.amp import GradScaler, autocast


class Product(torch.autograd.Function):
    @staticmethod
    @custom_fwd(device_type="cuda")
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    @custom_bwd(device_type="cuda")
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        return grad @ weight.t(), x.t() @ grad


model = task.modules["model"].cuda()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
scaler = GradScaler()

for valves, pressure in task.batches:
    optimizer.zero_grad()
    with autocast(enabled=False):
        output = model.head(torch.relu(Product.apply(valves.cuda(), model.weight)))
        loss = torch.nn.functional.mse_loss(output, pressure.cuda())
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
