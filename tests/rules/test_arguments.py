"""Functions that a call cannot run, because it lacks an argument or has one too many."""

from __future__ import annotations

import ast

import pytest

from ampfix.lint import Settings, check_source
from ampfix.program.arity import accepts

EVALUATE = """\
import torch
import torch.nn.functional as F

def evaluate(model, data, steps, {parameters}):
    for x, y in data:
        probabilities = torch.sigmoid(model(x))
        print(F.binary_cross_entropy(probabilities, y))

def run(model, data, steps):
    with torch.autocast("cuda"):
        evaluate({arguments})
"""


@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        ("vision", "model, data, steps"),
        ("vision", "model, data, steps, depth=3"),
        ("vision=None", "model, data, steps, None, 3"),
        ("*, vision", "model, data, steps"),
        ("*, vision", "model, data, steps, 3"),
    ],
)
def test_what_a_call_that_raises_does_not_run_is_left_alone(parameters: str, arguments: str) -> None:
    source = EVALUATE.format(parameters=parameters, arguments=arguments)
    assert check_source(source, settings=Settings(select=("AMP403",))) == []


@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        ("vision", "model, data, steps, 3"),
        ("vision", "model, data, steps, vision=3"),
        ("vision=None", "model, data, steps"),
        ("*vision", "model, data, steps, 3, 4"),
        ("**vision", "model, data, steps, depth=3"),
        ("vision", "*(model, data, steps, 3)"),
        ("*, vision=None", "model, data=data, steps=steps"),
    ],
)
def test_what_a_call_runs_is_told(parameters: str, arguments: str) -> None:
    source = EVALUATE.format(parameters=parameters, arguments=arguments)
    assert [found.code for found in check_source(source, settings=Settings(select=("AMP403",)))] == ["AMP403"]


@pytest.mark.parametrize(
    ("definition", "call", "taken"),
    [
        ("def save(self, model, path): ...", "save(model, path)", True),
        ("def save(self, model, path): ...", "save(model)", False),
        ("@wrapped\ndef save(model, path): ...", "save(model)", True),
        ("def save(model, /, path='x'): ...", "save(model)", True),
        ("def save(model, path): ...", "save(**found)", True),
        ("def save(model, path): ...", "save(path=1, model=2)", True),
        ("def save(model, path): ...", "save(path=1, modle=2)", False),
    ],
)
def test_a_function_takes_what_its_parameters_say(definition: str, call: str, taken: bool) -> None:
    expression = ast.parse(call, mode="eval").body
    assert isinstance(expression, ast.Call)
    assert accepts(ast.parse(definition).body[0], expression) is taken
