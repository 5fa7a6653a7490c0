import torch
from engine import train_one_epoch, validate


def main(model, loader, held_out, optimizer, config, teacher_model):
    scaler = torch.amp.GradScaler("cuda")
    print(scaler)
    train_one_epoch(model, loader, optimizer, config)
    validate(model, held_out, config)
    model.eval()
    teacher_model.eval()
    with torch.no_grad():
        for x in held_out:
            print(teacher_model(x))
        for x in held_out:
            print(model(x))  # expect: AMP304
