class Engine:
    def __init__(self, model, optimizer, scaler=None):
        self.model = model
        self.optimizer = optimizer
        self.scaler = scaler

    def backward(self, loss):
        self.scaler.scale(loss).backward()

    def unscale(self):
        self.scaler.unscale_(self.optimizer)
