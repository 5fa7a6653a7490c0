import torch
from callbacks import CoveredCallback, EvaluationCallback, Saver, TrainerCallback
from trainer import Trainer


def main(model, loader, held_out):
    callbacks = [TrainerCallback(held_out), Saver(model)]  # expect: AMP304
    trainer = Trainer(model, torch.optim.Adam(model.parameters()), callbacks)
    trainer.fit(loader)


def loop(model, teacher_model, loader, held_out):
    optimizer = torch.optim.Adam(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    callbacks = [
        EvaluationCallback(model, held_out),  # expect: AMP304
        CoveredCallback(model, held_out),
        EvaluationCallback(teacher_model, held_out),
    ]
    for epoch in range(10):
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = torch.nn.functional.mse_loss(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        for callback in callbacks:
            callback.on_epoch_end(epoch)
