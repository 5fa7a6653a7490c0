import torch
from engine import fit


def main(model, loader, held_out, device):
    model = model.cuda()
    fit(model, loader, held_out, torch.optim.Adam(model.parameters()), device)
    model.eval()
    with torch.no_grad():
        for x in held_out:
            print(model(x.cuda()))  # expect: AMP304
