"""Forward passes: followed once, told each time."""

from __future__ import annotations

from tests.dryrun.programs import run, told

_NET = """
class Net(torch.nn.Module):
    def __init__(self):
        self.layer = torch.nn.Linear(2, 2)
        self.told = None
    def forward(self, x, twice=False):
        if self.told is not None:
            self.told.step(optimizer)
        y = self.layer(x)
        return (self.layer(y), y) if twice else y
net = Net()
"""


def test_tells_a_pass_again_where_it_is_made_again() -> None:
    ran = run(_NET + "net(one)\nwith autocast():\n    net(two)\n    net(three)\n")
    assert len(told(ran, "forward")) == 6
    places = [event.stack[0].line for event in ran.events]
    assert len(set(places)) == 3
    assert [event.region is not None for event in ran.events] == [False, False, True, True, True, True]


def test_follows_a_pass_anew_where_its_model_was_changed() -> None:
    ran = run(_NET + "net(one)\nnet.told = scaler\nnet(one)\n")
    assert told(ran, "step") == [("step", "GradScaler")]


def test_follows_a_pass_anew_for_another_kind_of_arguments() -> None:
    ran = run(_NET + "net(one)\na, b = net(one, twice=True)\nb.backward()\n")
    assert len(told(ran, "forward")) == 5
    (event,) = [event for event in ran.events if event.kind == "backward"]
    assert {thing.made_by for thing in event.subject.owners} >= {"torch.nn.Linear"}


def test_tells_what_was_assumed_at_each_pass() -> None:
    ran = run(_NET + "if a:\n    net(one)\nelse:\n    net(one)\n")
    yes, no = (event for event in ran.events if event.subject.cls)
    assert not yes.may_meet(no)


def test_follows_a_row_of_layers_in_linear_time() -> None:
    program = """
    class Layer(torch.nn.Module):
        def __init__(self, inner):
            self.inner = inner
        def forward(self, x):
            if self.switch: return self.inner(x) + self.inner(x)
            return self.inner(self.inner(x))
    """
    deep = "Layer(" * 18 + "torch.nn.Linear(2, 2)" + ")" * 18
    assert run(program + f"    net = {deep}\n    net(one)\n").finished
