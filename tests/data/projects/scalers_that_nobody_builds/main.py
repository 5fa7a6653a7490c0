import torch
from learner import Equipped, Learner


def main(model, batches):
    Learner(model).fit(batches)
    learner = Equipped(model)
    learner.grad_scaler = torch.amp.GradScaler("cuda")
    learner.fit(batches)
    learner.save("last.pt")
