import misc
import torch


def main(args, model, loader):
    optimizer = torch.optim.AdamW(model.parameters())
    loss_scaler = misc.NativeScaler()
    for epoch in range(args.epochs):
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = torch.nn.functional.cross_entropy(model(x), y)
            loss_scaler(loss, optimizer)
        misc.save_all(args, epoch, model, optimizer, loss_scaler)
