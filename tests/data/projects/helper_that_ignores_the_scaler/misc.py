import torch


class NativeScaler:
    def __init__(self):
        self._scaler = torch.amp.GradScaler("cuda")

    def __call__(self, loss, optimizer, update_grad=True):
        self._scaler.scale(loss).backward()
        if update_grad:
            self._scaler.step(optimizer)
            self._scaler.update()

    def state_dict(self):
        return self._scaler.state_dict()

    def load_state_dict(self, state):
        self._scaler.load_state_dict(state)


def save_model(args, epoch, model, optimizer, loss_scaler):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "args": args}, args.out)


def save_all(args, epoch, model, optimizer, loss_scaler):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scaler": loss_scaler.state_dict()}
    torch.save(state, args.out)


def save_somehow(args, epoch, model, optimizer, loss_scaler):
    args.write(epoch, loss_scaler)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, args.out)
