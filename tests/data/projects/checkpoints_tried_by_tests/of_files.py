import torch

from checkpoint import save_checkpoint


def test_a_step_moves_the_weights():
    model = torch.nn.Linear(4, 2)
    optimizer, scaler = torch.optim.Adam(model.parameters()), torch.amp.GradScaler("cuda")
    with torch.autocast("cuda"):
        loss = model(torch.ones(1, 4)).mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


def test_a_file_is_written(tmp_path):
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters())
    save_checkpoint(tmp_path / "last.pt", model, optimizer, 1)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "last.pt")


def test_training_goes_on(tmp_path):
    model = torch.nn.Linear(4, 2)
    optimizer, scaler = torch.optim.Adam(model.parameters()), torch.amp.GradScaler("cuda")
    with torch.autocast("cuda"):
        loss = model(torch.ones(1, 4)).mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    save_checkpoint(tmp_path / "last.pt", model, optimizer, 1)  # expect: AMP203
