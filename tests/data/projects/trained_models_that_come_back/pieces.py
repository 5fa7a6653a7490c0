import torch
from helpers import flipped, unrolled
from training import supervise


class Solver:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    def fit(self, loader):
        for x, y in loader:
            supervise(self.model, x, y, self.optimizer, self.scaler)

    @torch.no_grad()
    def evaluate(self, loader):
        for x, _ in loader:
            state = unrolled(self.model.block, x, 6)  # expect: AMP304
            print(state)

    @torch.no_grad()
    def predict(self, loader):
        for x, _ in loader:
            print(flipped(self.model, x))  # expect: AMP304

    @torch.no_grad()
    def predict_in_half(self, loader):
        for x, _ in loader:
            with torch.autocast("cuda"):
                print(flipped(self.model, x), unrolled(self.model.block, x, 6))

    @torch.no_grad()
    def normalize(self, loader):
        for x, _ in loader:
            print(unrolled(self.model.normalize, x, 6))
