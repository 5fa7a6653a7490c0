"""Tells when a scaler is wanted."""


def wants_scaler(device, precision):
    return device.type == "cuda" and precision == "fp16"
