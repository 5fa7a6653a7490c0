import torch

for images, labels in train_set:
    optim.zero_grad()
    with torch.autocast("cuda"):
        loss = objective(net(images), labels)
    scaled_loss = loss * 65536
    scaled_loss.backward()
    optim.step()
