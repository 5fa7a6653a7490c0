import torch


def train(task):
    model = task.modules["model"].to("cuda")
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss_fn = torch.nn.MSELoss()
    scaler = torch.amp.GradScaler("cuda")

    for image, angle in task.batches:
        image, angle = image.to("cuda"), angle.to("cuda")
        optimizer.zero_grad()
        loss = loss_fn(model(image), angle)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
