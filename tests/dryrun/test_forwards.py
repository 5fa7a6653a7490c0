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


_NET = """
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)
        self.optimizer = torch.optim.Adam(self.parameters())
    def forward_dense(self, x):
        return {"loss": self.layer(x)}
net = Net()
"""


def _owners(ran: DryRun, kind: str) -> set[str]:
    subjects = [event.subject for event in ran.events if event.kind == kind]
    return {one.made_by for subject in subjects if isinstance(subject, Thing) for one in subject.owners}


def test_an_optimizer_steps_the_models_in_a_model() -> None:
    assert _owners(run(_NET + "net.optimizer.step()\n"), "optimizer step") == {"torch.nn.Module", "torch.nn.Linear"}


def test_a_model_holds_no_optimizer() -> None:
    ran = run(_NET + "torch.optim.SGD(net.parameters()).step()\n")
    assert "torch.optim.Adam" not in _owners(ran, "optimizer step")


def test_parameters_gathered_by_tests_are_stepped() -> None:
    gathered = "held = []\nif flag:\n    held.append(model.weight)\nelse:\n    held.append(model.parameters())\n"
    assert _owners(run(gathered + "torch.optim.SGD(held).step()\n"), "optimizer step") == {"torch.nn.Linear"}


def test_a_region_imported_in_one_way_or_another() -> None:
    ran = run(
        "try:\n    from torch.amp import autocast\nexcept ImportError:\n    from torch.cuda.amp import autocast\n"
        "with autocast('cuda'):\n    model(x)\nmodel(y)\n"
    )
    assert {(event.place.line, event.region is None) for event in ran.events if event.kind == "forward"} == {
        (12, False),
        (13, True),
    }


_HOLDER = """
class Holder(torch.nn.Module):
    def __init__(self, frozen):
        super().__init__()
        self.frozen, self.layer = frozen, torch.nn.Linear(2, 2)
        {freeze}
holder = Holder(torch.nn.Conv2d(1, 1, 1))
torch.optim.SGD(holder.parameters()).step()
"""


def test_a_frozen_model_is_not_stepped() -> None:
    loop = "for p in self.frozen.parameters():\n            p.requires_grad = False"
    for freeze in (loop, "self.frozen.requires_grad_(False)", "self.frozen.eval().requires_grad_(False)"):
        owners = _owners(run(_HOLDER.format(freeze=freeze)), "optimizer step")
        assert owners == {"torch.nn.Module", "torch.nn.Linear"}


def test_a_model_that_may_be_frozen_is_stepped() -> None:
    for freeze in ("pass", "self.frozen.requires_grad_(flag)", "self.frozen.requires_grad_()"):
        assert "torch.nn.Conv2d" in _owners(run(_HOLDER.format(freeze=freeze)), "optimizer step")
