class Unscaling:
    def clip(self):
        self.scaler.unscale_(self.optimizer)
        super().clip()
