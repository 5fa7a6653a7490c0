"""AMP304 tells what a dry run of the program shows: models in objects of other files, and in objects in objects."""

from __future__ import annotations

from pathlib import Path

from ampfix.lint import check_paths

_TRAINER = """\
import torch

class Trainer:
    def __init__(self, parts, meter):
        self.parts, self.scaler, self.meter = parts, torch.amp.GradScaler("cuda"), meter

    def fit(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"{enabled}):
                loss = self.parts["net"](x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.parts["optimizer"])
            self.scaler.update()
{further}        self.meter.measure(loader)
"""
_MAIN = """\
import torch
from trainer import Trainer

class Meter:
    def __init__(self, parts):
        self.parts = parts

    @torch.no_grad()
    def measure(self, loader):
{doc}        for x, y in loader:
            {around}
                print(self.parts["net"](x, y))

net = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD({trained}.parameters(), lr=0.1)
of_net = {{"net": net, "optimizer": optimizer}}
Trainer(of_net, Meter(of_net)).fit(torch.utils.data.DataLoader(held))
"""


def _told(
    folder: Path,
    around: str = "if True:",
    enabled: str = "",
    trained: str = "net",
    doc: str = "",
    further: str = "",
) -> list[tuple[str, int]]:
    texts = {
        "trainer.py": _TRAINER.format(enabled=enabled, further=further),
        "main.py": _MAIN.format(around=around, trained=trained, doc=doc and f'        """{doc}"""\n'),
    }
    (folder / ".git").mkdir()  # else what other tests leave beside it would count to the project
    for name, text in texts.items():
        (folder / name).write_text(text)
    report = check_paths([str(folder)])
    return [(Path(one.path).name, one.span.start.line) for one in report.findings if one.code == "AMP304"]


def test_tells_a_model_of_a_dictionary_that_objects_of_two_files_hold(tmp_path: Path) -> None:
    assert _told(tmp_path) == [("main.py", 12)]


def test_leaves_a_region_alone(tmp_path: Path) -> None:
    assert _told(tmp_path, around='with torch.autocast("cuda"):') == []


def test_leaves_a_model_alone_that_no_region_trains(tmp_path: Path) -> None:
    assert _told(tmp_path, enabled=", enabled=False") == []


def test_leaves_a_model_alone_that_is_not_trained(tmp_path: Path) -> None:
    assert _told(tmp_path, trained="torch.nn.Linear(2, 2)") == []


def test_leaves_float32_alone_that_a_comment_asks_for(tmp_path: Path) -> None:
    assert _told(tmp_path, around="if True:  # in float32, as the decoder needs it") == []


def test_leaves_float32_alone_that_the_docstring_tells(tmp_path: Path) -> None:
    assert _told(tmp_path, doc="Measure with no autocast.") == []


def test_tells_where_the_docstring_says_nothing_of_it(tmp_path: Path) -> None:
    assert _told(tmp_path, doc="Measure.") == [("main.py", 13)]


def test_leaves_the_branch_without_a_region_alone(tmp_path: Path) -> None:
    region = 'with torch.autocast("cuda"):\n                    print(self.parts["net"](x))\n'
    both = f"if loader.half:\n                {region}"
    assert _told(tmp_path, around=f"{both}            else:") == []


_STEP = 'self.parts["optimizer"].step()\n'
_PLAIN = f"""\
            for x, y in loader:
                self.parts["net"](x, y).backward()
                {_STEP}"""


def test_leaves_a_model_alone_that_is_then_trained_without_a_region(tmp_path: Path) -> None:
    assert _told(tmp_path, further=f"        if True:\n{_PLAIN}") == []


def test_tells_a_model_that_is_trained_without_a_region_where_there_is_no_scaler(tmp_path: Path) -> None:
    training = f"""\
            if loader.half:
                with torch.autocast("cuda"):
                    loss = self.parts["net"](x, y)
            else:
                loss = self.parts["net"](x, y)
            loss.backward()
            {_STEP}"""
    assert _told(tmp_path, further=f"        for x, y in loader:\n{training}") == [("main.py", 12)]


_BOTH = """\
import torch

class Runner:
    def __init__(self, net):
        self.net, self.optimizer = net, torch.optim.SGD(net.parameters(), lr=0.1)

    def call(self, x, half):
        with torch.autocast("cuda", enabled=half):
            return self.net(x)

    def train(self, loader):
        scaler = torch.amp.GradScaler("cuda")
        for x in loader:
            scaler.scale(self.call(x, True).sum()).backward()
            scaler.step(self.optimizer)
            scaler.update()

    @torch.no_grad()
    def measure(self, loader):
        for x in loader:
            print(self.call(x, False))

if __name__ == "__main__":
    runner = Runner(torch.nn.Linear(2, 2))
    runner.train(torch.utils.data.DataLoader([]))
    runner.measure(torch.utils.data.DataLoader([]))
"""


def test_says_that_one_call_does_both(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "main.py").write_text(_BOTH)
    (told,) = (one for one in check_paths([str(tmp_path)]).findings if one.code == "AMP304")
    assert told.message == "self.net is evaluated outside autocast here and trained under it by the same call"


_CLOSURE = """\
import torch

def train(model, loader, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def measure(model, loader):
    def infer(x):
        return model(x).logits

    for x, _ in loader:
        print(infer(x))

def main(loader):
    model = torch.nn.Linear(2, 2)
    train(model, loader, torch.optim.SGD(model.parameters(), lr=0.1), torch.amp.GradScaler("cuda"))
    measure(model, loader)

main(torch.utils.data.DataLoader([]))
"""


def _lines(folder: Path, text: str) -> list[int]:
    (folder / ".git").mkdir()
    (folder / "main.py").write_text(text)
    return [one.span.start.line for one in check_paths([str(folder)]).findings if one.code == "AMP304"]


def test_tells_the_call_of_a_closure_and_not_the_forward_in_it_as_well(tmp_path: Path) -> None:
    assert _lines(tmp_path, _CLOSURE) == [17]


def test_tells_a_function_beside_the_code_of_the_module(tmp_path: Path) -> None:
    text = _CLOSURE.replace("    def infer(x):\n        return model(x).logits\n\n", "").replace("infer(x)", "model(x)")
    assert _lines(tmp_path, text) == [14]
