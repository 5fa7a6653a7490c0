"""Forwards, and what is made of them."""

from __future__ import annotations

from ampfix.dryrun import DryRun
from ampfix.dryrun.values import Thing
from tests.dryrun.programs import run


def _feed_a_loss(ran: DryRun) -> list[bool]:
    """Of each forward without gradients whether what it gives goes into a loss."""
    losses = [event.subject for event in ran.events if event.kind == "backward"]
    lost = frozenset(owner for loss in losses if isinstance(loss, Thing) for owner in loss.owners)
    return [event.made in lost for event in ran.events if event.kind == "forward" and not event.grad]


_TARGET = "with torch.no_grad():\n    target = model(data)\n"


def test_a_forward_without_gradients_feeds_a_loss() -> None:
    ran = run(_TARGET + "loss = (model(x) - target).mean()\nloss.backward()\n")
    assert _feed_a_loss(ran) == [True]


def test_a_forward_without_gradients_feeds_another_one() -> None:
    ran = run(_TARGET + "other = torch.nn.Linear(2, 2)\nother(target).mean().backward()\n")
    assert _feed_a_loss(ran) == [True]


def test_a_forward_without_gradients_is_measured() -> None:
    ran = run(_TARGET + "print(target.mean().item())\nmodel(x).mean().backward()\n")
    assert _feed_a_loss(ran) == [False]


def test_a_place_knows_its_function() -> None:
    ran = run("def evaluate(net, x):\n    return net(x)\nevaluate(model, 1)\nmodel(2)\n")
    functions = [getattr(event.place.function, "name", None) for event in ran.events if event.kind == "forward"]
    assert functions == ["evaluate", None]
