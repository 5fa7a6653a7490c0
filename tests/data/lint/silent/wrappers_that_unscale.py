import lightning
import torch
from accelerate import Accelerator
from timm.utils import NativeScaler
from torch.nn.utils import clip_grad_norm_

accelerator = Accelerator(mixed_precision="fp16")
torch.cuda.amp  # noqa: AMP601


def with_timm(model, loader, optimizer):
    loss_scaler = NativeScaler()
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        optimizer.zero_grad()
        loss_scaler(loss, optimizer, clip_grad=1.0, parameters=model.parameters())


def with_accelerate(model, loader, optimizer, scheduler):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()


class Module(lightning.LightningModule):
    def training_step(self, batch, _):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = self(batch)
        self.manual_backward(loss)
        clip_grad_norm_(self.parameters(), 1.0)
        self.optimizers().step()
