import torch


class Detector:
    def __init__(self, encoder, scorer):
        self.encoder = encoder
        self.scorer = scorer

    def score(self, window):
        with torch.no_grad():
            return self.scorer(self.encoder(window))

    def evaluate(self, loader):
        return [self.score(window) for window in loader]

    def evaluate_in_region(self, loader):
        with torch.autocast("cuda", dtype=torch.bfloat16):
            return [self.score(window) for window in loader]
