"""Everything here that is called a scale."""


class FeatureScaler:
    """Stretches the inputs to an amplitude."""

    def __init__(self, amp):
        self.amp = amp

    def scale(self, features):
        return (features - 0.5) * self.amp


class GradScaler:
    """Kept so that loops look the same with and without it; it passes everything on."""

    def __init__(self, enabled=False):
        self.enabled = enabled

    def scale(self, loss):
        return loss

    def step(self, optimizer):
        optimizer.step()

    def update(self):
        pass
