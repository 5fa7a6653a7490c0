import torch
from detector import Detector
from logic import train


def build_detector(encoder):
    encoder.eval()
    return Detector(encoder, torch.nn.Sigmoid())


def main(encoder, teacher, loader, held_out):
    train(encoder, loader, torch.optim.Adam(encoder.parameters()))
    detector = build_detector(encoder)
    print(detector.evaluate(held_out))  # expect: AMP304
    print(detector.evaluate_in_region(held_out))
    reference = build_detector(teacher)
    print(reference.evaluate(held_out))
