"""What starts functions: registries, names made at run time, commands of a library, files without a start."""

from __future__ import annotations

import pytest

from ampfix.dryrun import rehearse_parts
from tests.dryrun.programs import Texts, run, told

_STEP = [("step", "GradScaler")]


@pytest.mark.parametrize(
    "program",
    [
        "import typer\napp = typer.Typer()\n@app.command()\ndef go():\n    scaler.step(optimizer)\napp()",
        "import hydra\n@hydra.main(config_path='x')\ndef go(cfg):\n    scaler.step(optimizer)\ngo()",
        "import click\n@click.command()\ndef go(rate):\n    scaler.step(optimizer)\n",
        "import fire\ndef go():\n    scaler.step(optimizer)\nfire.Fire(go)",
        "def go(args):\n    scaler.step(optimizer)\nimport argparse\nparser = argparse.ArgumentParser()\n"
        "parser.set_defaults(func=go)\nargs = parser.parse_args()\nargs.func(args)",
        "import importlib\nname = 'lib'\nlib = importlib.import_module(f'{name}')\nlib.go(scaler, optimizer)",
        "import lib\nname = 'go'\ngetattr(lib, name)(scaler, optimizer)",
        "KNOWN = {}\ndef register(one):\n    KNOWN[one.__name__] = one\n    return one\n@register\n"
        "def go():\n    scaler.step(optimizer)\nKNOWN['go']()",
        "KNOWN = {}\ndef register(name):\n    def inner(cls):\n        KNOWN[name] = cls\n        return cls\n"
        "    return inner\n@register('t')\nclass Trainer:\n    def go(self):\n        scaler.step(optimizer)\n"
        "KNOWN[kind]().go()",
    ],
)
def test_starts_a_function(program: str) -> None:
    lib = "def go(scaler, optimizer):\n    scaler.step(optimizer)\n"
    assert told(run(program, lib=lib), "step") == _STEP


def test_follows_each_value_that_an_unknown_key_may_mean() -> None:
    program = "def a():\n    scaler.step(optimizer)\ndef b():\n    scaler.update()\n{'a': a, 'b': b}[kind]()\n"
    step, update, same = run(program + "if kind == 'a':\n    scaler.unscale_(optimizer)\n").events
    assert not step.may_meet(update)
    assert same.may_meet(step) and not same.may_meet(update)


def test_knows_no_value_of_a_registry_that_holds_other_things() -> None:
    ran = run("def a():\n    scaler.step(optimizer)\n{'a': a, 'b': 3}[kind]()\n")
    assert told(ran, "step") == []


def test_runs_the_parts_of_a_file_each_once() -> None:
    text = "def step(scaler, optimizer):\n    scaler.step(optimizer)\n"
    text += "def train(scaler, optimizer):\n    step(scaler, optimizer)\n"
    ran = rehearse_parts("/p/main.py", Texts(main=text))
    (event,) = ran.events
    assert len(event.stack) == 3
