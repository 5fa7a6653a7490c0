"""The resolver reads bindings, not names: any spelling of an import or alias leads to the same qualified name."""

from __future__ import annotations

import ast
import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lint.module import SourceModule
from ampfix.program import Form

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name) and name != "torch"
)
SPELLINGS = (
    ("import torch", "torch.cuda.amp.GradScaler"),
    ("import torch.cuda.amp", "torch.cuda.amp.GradScaler"),
    ("import torch as {a}", "{a}.cuda.amp.GradScaler"),
    ("import torch.cuda.amp as {a}", "{a}.GradScaler"),
    ("from torch import cuda as {a}", "{a}.amp.GradScaler"),
    ("from torch.cuda import amp as {a}", "{a}.GradScaler"),
    ("from torch.cuda.amp import GradScaler as {a}", "{a}"),
    ("import torch\n{a} = torch.cuda.amp", "{a}.GradScaler"),
    ("import torch\n{a} = torch.cuda.amp.GradScaler", "{a}"),
    ("import torch\n{a} = {b} = torch\n", "{b}.cuda.amp.GradScaler"),
)


def last_expression(text: str) -> tuple[SourceModule, ast.expr]:
    module = SourceModule(text, "example.py")
    statement = module.tree.body[-1]
    assert isinstance(statement, ast.Expr)
    return module, statement.value


def test_an_expression_made_on_the_way_is_not_mistaken_for_one_that_is_gone() -> None:
    """What is resolved is known by its identity, which another expression may get once the first is freed."""
    module = SourceModule("import torch, numpy\n", "example.py")
    resolver, scope = module._resolver, module.scope_at(module.tree)
    for name in ("torch", "numpy") * 200:
        made = ast.Attribute(ast.Name(name, ast.Load()), "inf", ast.Load())
        assert [binding.symbol for binding in resolver.resolve(made, scope)] == [f"{name}.inf"]


@given(st.sampled_from(SPELLINGS), NAMES, NAMES)
def test_every_spelling_of_an_import_resolves_to_the_same_name(spelling: tuple[str, str], a: str, b: str) -> None:
    if a == b:
        return
    source = "\n".join(part.format(a=a, b=b) for part in spelling)
    module, expression = last_expression(source)
    assert {binding.symbol for binding in module.resolve(expression)} == {"torch.cuda.amp.GradScaler"}


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True))
def test_a_chain_of_aliases_resolves_and_a_cycle_ends(names: list[str]) -> None:
    chain = "\n".join(f"{new} = {old}" for old, new in zip(["torch", *names], names, strict=False))
    module, expression = last_expression(f"import torch\n{chain}\n{names[-1]}.autocast")
    assert [binding.symbol for binding in module.resolve(expression)] == ["torch.autocast"]
    cycle = "\n".join(f"{new} = {old}" for old, new in zip([names[-1], *names], names, strict=False))
    module, expression = last_expression(f"{cycle}\n{names[-1]}.autocast")
    assert all(binding.form is not Form.SYMBOL for binding in module.resolve(expression))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("class GradScaler: ...\nGradScaler()", Form.OBJECT),
        ("def make(): return 1\nmake", Form.FUNCTION),
        ("from mylib import GradScaler\nGradScaler()", Form.INSTANCE),
        ("import functools, torch\nfunctools.partial(torch.autocast, 'cuda')", Form.PARTIAL),
        ("None", Form.NONE),
        ("unknown.thing", Form.UNKNOWN),
    ],
)
def test_forms(text: str, form: Form) -> None:
    module, expression = last_expression(text)
    assert {binding.form for binding in module.resolve(expression)} == {form}


def test_a_local_name_hides_an_import() -> None:
    module = SourceModule("from torch import autocast\ndef f(autocast):\n    return autocast\n", "example.py")
    function = module.tree.body[-1]
    assert isinstance(function, ast.FunctionDef)
    returned = function.body[0]
    assert isinstance(returned, ast.Return)
    assert returned.value is not None
    assert [binding.form for binding in module.resolve(returned.value)] == [Form.PARAMETER]
