import torch

from base import Base


class Clips(Base):
    def epoch(self, loader):
        for x, y in loader:
            with torch.autocast("cuda", dtype=torch.float16, enabled=self.scaler is not None):
                loss = torch.nn.functional.cross_entropy(self.model(x), y)
            self.backward(loss)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)  # expect: AMP101
            self.step()
