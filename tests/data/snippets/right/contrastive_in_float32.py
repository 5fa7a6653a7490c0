import torch
import torch.nn.functional as F


@torch.autocast("cuda", enabled=False)
def contrast(vectors, temperature=0.07):
    vectors = vectors.float()
    vectors = F.normalize(vectors, dim=-1)
    scores = torch.matmul(vectors, vectors.T) / temperature
    weights = torch.exp(scores)
    shares = weights / weights.sum(dim=-1, keepdim=True)
    return -torch.log(shares.diagonal()).mean()


def train_step(net, images):
    with torch.autocast("cuda"):
        vectors = net(images)
    return contrast(vectors)
