import torch


def check(scaler, loss, index):
    if index % 100 == 0:
        print(f"{index}: scale {scaler.get_scale()}, loss {loss.item():.6f}")
