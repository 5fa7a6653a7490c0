import torch
from nets import Sampler, Student, Teacher
from torch.nn import functional as F


class Distillation:
    def __init__(self):
        self.student = Student().cuda()
        self.teacher = Teacher().cuda()
        self.model = Sampler().cuda()
        self.optimizer = torch.optim.AdamW(self.student.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    def train(self, loader):
        for x in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = F.mse_loss(self.student(x), self.teacher(x)) + self.model(x).mean()
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def evaluate(self, loader):
        with torch.no_grad():
            for x in loader:
                target = self.teacher(x)
                output = self.student(x)  # expect: AMP304
                print(F.mse_loss(output, target).item())

    def teach(self, loader):
        with torch.no_grad():
            for x in loader:
                print(self.teacher(x))

    def draw(self, loader):
        with torch.no_grad():
            for x in loader:
                print(self.model.sample(x))
