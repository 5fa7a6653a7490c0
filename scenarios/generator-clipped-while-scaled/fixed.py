import torch
import torch.nn.functional as F
from torch.amp import GradScaler, autocast
from torch.nn.utils import clip_grad_norm_


def adversarial(score, real):
    return F.binary_cross_entropy_with_logits(score, torch.full_like(score, float(real)))


class Painter:
    def __init__(self, task):
        self.generator = task.modules["generator"].cuda()
        self.discriminator = task.modules["discriminator"].cuda()
        self.opt_g = torch.optim.SGD(self.generator.parameters(), lr=0.5, momentum=0.9)
        self.opt_d = torch.optim.SGD(self.discriminator.parameters(), lr=0.05)
        self.scaler = GradScaler("cuda")

    def judge(self, sketch, picture):
        return self.discriminator(torch.cat([sketch, picture], dim=1))

    def step_discriminator(self, sketch, picture):
        self.opt_d.zero_grad()
        with autocast("cuda"):
            painted = self.generator(sketch).detach()
            loss = adversarial(self.judge(sketch, picture), True) + adversarial(self.judge(sketch, painted), False)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.opt_d)
        clip_grad_norm_(self.discriminator.parameters(), 1.0)
        self.scaler.step(self.opt_d)

    def step_generator(self, sketch, picture):
        self.opt_g.zero_grad()
        with autocast("cuda"):
            painted = self.generator(sketch)
            loss = 10 * F.l1_loss(painted, picture) + 0.1 * adversarial(self.judge(sketch, painted), True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.opt_g)
        clip_grad_norm_(self.generator.parameters(), 1.0)
        self.scaler.step(self.opt_g)


def train(task):
    painter = Painter(task)
    for sketch, picture in task.batches:
        sketch, picture = sketch.cuda(), picture.cuda()
        painter.step_discriminator(sketch, picture)
        painter.step_generator(sketch, picture)
        painter.scaler.update()
