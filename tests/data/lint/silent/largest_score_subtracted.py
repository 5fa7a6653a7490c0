import torch


class SupCon(torch.nn.Module):
    def forward(self, features, mask):
        scores = torch.div(torch.matmul(features, features.T), 0.07)
        largest, _ = torch.max(scores, dim=1, keepdim=True)
        shifted = scores - largest.detach()
        exponentials = torch.exp(shifted) * mask
        log_prob = shifted - torch.log(exponentials.sum(1, keepdim=True))
        return -log_prob.mean()


def train(net, loader, scaler, optimizer):
    criterion = SupCon()
    for x, mask in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = criterion(net(x), mask)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
