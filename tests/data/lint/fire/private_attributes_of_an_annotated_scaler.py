from torch.amp import GradScaler


def rollback(scaler: GradScaler | None):
    if scaler is not None:
        scaler._growth_interval = max(100, scaler.get_growth_interval() // 2)  # expect: AMP206


class Guard:
    def __init__(self, scaler: GradScaler):
        self.scaler = scaler

    def report(self):
        print(self.scaler._scale)  # expect: AMP206
