from engine import evaluate_later
from scaled_unseen import fit


def report(net, loader, settings):
    fit(net, loader, loader, **settings)
    print(evaluate_later(net, loader))
