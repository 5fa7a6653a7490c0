import itertools

import torch
import torch.nn.functional as F


class Network(torch.nn.Module):
    def __init__(self, stem, norm, head):
        super().__init__()
        self.stem, self.norm, self.head = stem, norm, head

    def forward(self, images):
        maps = self.stem(images)
        with torch.autocast("cuda", enabled=False):
            maps = self.norm(maps.float())
        return self.head(torch.relu(maps))


def train(task):
    network = Network(**task.modules).cuda().train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    scaler = torch.amp.GradScaler()

    for epoch in itertools.count():
        for images, labels in task.batches:
            optimizer.zero_grad()
            with torch.autocast("cuda", dtype=torch.float16, enabled=False):
                loss = F.cross_entropy(network(images.cuda()), labels.cuda())
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        if epoch == 0:
            break
