import torch
import torch.nn.functional as F


def contrast(vectors, temperature=0.07):
    vectors = F.normalize(vectors, dim=-1)
    scores = torch.matmul(vectors, vectors.T) / temperature
    shares = F.softmax(scores, dim=-1)
    return -torch.log(shares.diagonal()).mean()


with torch.autocast("cuda"):
    vectors = net(images)
    loss = contrast(vectors)
