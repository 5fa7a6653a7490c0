import os

import torch


class Experiment:
    def __init__(self, folder):
        self.folder = folder

    def save_state(self, target, name):
        torch.save(target.state_dict(), os.path.join(self.folder, name))

    def load_state(self, target, name):
        target.load_state_dict(torch.load(os.path.join(self.folder, name)))
        return target
