import torch


class Net(torch.nn.Linear):
    pass


if __name__ == "__main__":
    dtype = torch.bfloat16
    student = Net(8, 8).to(device="cuda", dtype=dtype).train()  # expect: AMP301, AMP302
    optimizer = torch.optim.AdamW(student.parameters())
    for x, y in data:
        torch.nn.functional.mse_loss(student(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
