import torch
import torch.nn.functional as F

WEIGHT_DECAY = 1e-2


@torch.no_grad()
def encode(encoder, images):
    with torch.autocast("cuda", dtype=torch.float16):
        return encoder(images)


def train(task):
    encoder = task.modules["encoder"].cuda().eval().requires_grad_(False)
    head = task.modules["head"].cuda()
    optimizer = torch.optim.LBFGS(head.parameters(), lr=0.5, max_iter=4, history_size=8)

    for images, labels in task.batches:
        features, labels = encode(encoder, images.cuda()).float(), labels.cuda()

        def closure(features=features, labels=labels):
            optimizer.zero_grad()
            decay = WEIGHT_DECAY * head.weight.square().sum()
            loss = F.cross_entropy(head(features), labels) + decay
            loss.backward()
            return loss

        optimizer.step(closure)
