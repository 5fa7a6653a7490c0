for images, labels in train_set:
    loss = objective(net(images), labels)
    loss.backward()
    optim.step()
    optim.zero_grad()
