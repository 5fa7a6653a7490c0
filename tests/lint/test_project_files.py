"""Where imports lead, and that neighbours of any kind neither stop a check nor outlive it."""

from __future__ import annotations

import ast
import gc
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from ampfix.lint import Settings
from ampfix.lint.engine import check_text
from ampfix.lint.project import Project

from .test_interpret import blocks

USES = "import torch\nfrom neighbour import helper, Thing\n\ndef train(scaler, optimizer, loss):\n    helper(scaler)\n"


def tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")


LAYOUT = (
    "pyproject.toml", "src/pkg/__init__.py", "src/pkg/a.py", "src/pkg/sub/__init__.py", "src/pkg/sub/b.py",
    "scripts/run.py", "scripts/local.py", "tools/deep/tool.py", "both.py", "both/__init__.py", "plain/x.py",
    "space/inner/y.py", "pkg_top.py",
)  # fmt: skip


@pytest.mark.parametrize(
    ("importer", "symbol", "leads_to"),
    [
        ("src/pkg/sub/b.py", ".x", ("src/pkg/sub/__init__.py", ("x",))),
        ("src/pkg/sub/b.py", "..a.f", ("src/pkg/a.py", ("f",))),
        ("src/pkg/sub/b.py", "..a.C.method", ("src/pkg/a.py", ("C", "method"))),
        ("src/pkg/__init__.py", ".sub.b.f", ("src/pkg/sub/b.py", ("f",))),
        ("src/pkg/a.py", "pkg.sub.b.f", ("src/pkg/sub/b.py", ("f",))),
        ("scripts/run.py", "pkg.a.f", ("src/pkg/a.py", ("f",))),
        ("scripts/run.py", "pkg.a", ("src/pkg/a.py", ())),
        ("scripts/run.py", "local.f", ("scripts/local.py", ("f",))),
        ("tools/deep/tool.py", "pkg_top.f", ("pkg_top.py", ("f",))),
        ("scripts/run.py", "both.f", ("both/__init__.py", ("f",))),
        ("scripts/run.py", "plain.x.f", ("plain/x.py", ("f",))),
        ("scripts/run.py", "space.inner.y.f", ("space/inner/y.py", ("f",))),
        ("scripts/run.py", "plain.missing.f", None),
        ("scripts/run.py", "torch.cuda.amp.GradScaler", None),
        ("scripts/run.py", "os.path", None),
        ("scripts/run.py", "elsewhere.f", None),
        ("src/pkg/a.py", "....far.f", None),
    ],
)
def test_imports_lead_where_python_would_look(
    tmp_path: Path, importer: str, symbol: str, leads_to: tuple[str, tuple[str, ...]] | None
) -> None:
    tree(tmp_path, *LAYOUT)
    target, probed = Project().locate(symbol, str(tmp_path / importer))
    if leads_to is None:
        assert target is None
        return
    assert target is not None
    assert (Path(target.path).relative_to(tmp_path).as_posix(), target.names) == leads_to
    assert target.path in probed


def test_the_nearest_module_of_a_name_wins(tmp_path: Path) -> None:
    tree(tmp_path, "setup.py", "utils.py", "scripts/utils.py", "scripts/run.py", "other/run.py")
    found = [Project().locate("utils.f", str(tmp_path / name / "run.py"))[0] for name in ("scripts", "other")]
    assert [Path(target.path).parent.name if target else "" for target in found] == ["scripts", tmp_path.name]


@pytest.mark.parametrize(
    ("binding", "names"),
    [
        ("from .step import step\n", ("step",)),
        ("from engine.step import (\n    other,\n    run as step,  # the loop\n)\n", ("step",)),
        ("\ufefffrom engine.step import step", ("step",)),
        ("from engine.step import other, \\\n    step\n", ("step",)),
        ("import os\n\ndef step():\n    pass\n", ("step",)),
        ("step = make()\n", ("step",)),
        ("try:\n    from .step import step\nexcept ImportError:\n    step = None\n", ("step",)),
        ("from . import step\n", None),
        ("from engine import step\n", None),
        ("from .step import step as other\n", None),
        ("from .step import steps\n", None),
        ("import engine.step\nprint(step == 1)\n", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("module", ["engine/step.py", "engine/step/__init__.py"])
def test_what_a_package_binds_comes_before_its_modules(
    tmp_path: Path, binding: str, names: tuple[str, ...] | None, module: str
) -> None:
    tree(tmp_path, "setup.py", "run.py", "engine/other.py", module)
    (tmp_path / "engine/__init__.py").write_text(binding, encoding="utf-8")
    project = Project()
    for symbol, importer in (("engine.step", "run.py"), (".step", "engine/other.py")):
        target, probed = project.locate(symbol, str(tmp_path / importer))
        assert target is not None
        expected = (module, ()) if names is None else ("engine/__init__.py", names)
        assert (Path(target.path).relative_to(tmp_path).as_posix(), target.names) == expected
        assert str(tmp_path / "engine/__init__.py") in probed
    inner, _ = project.locate("engine.step.step", str(tmp_path / "run.py"))
    assert inner is not None
    assert (Path(inner.path).relative_to(tmp_path).as_posix(), inner.names) == (module, ("step",))


@pytest.mark.parametrize(
    "content",
    [
        b"def helper(:\n  scaler",
        b"scaler = '\xff'",
        b"# -*- coding: nonsense -*-\nscaler = 1",
        b"scaler = 1\x00",
        b"scaler = " + b"-" * 5000 + b"1",
        b"scaler = 1\n" + b"#" * 500_000,
        b"from neighbour import *\nfrom neighbour import helper as helper, Thing\nscaler = 1\n",
        b"from train import helper, Thing\nscaler = helper\n",
        b"class Thing(Thing):\n    scaler = Thing\ndef helper(x): return helper(x)\n",
        b"helper = helper = lambda scaler: helper\nThing = helper.Thing.Thing",
    ],
)
def test_no_neighbour_stops_a_check(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "neighbour.py").write_bytes(content)
    path = tmp_path / "train.py"
    text = USES + "    scaler.scale(loss).backward()\n    scaler.step(optimizer)\n    scaler.update()\n"
    path.write_text(text, encoding="utf-8")
    check_text(text, str(path), Settings(), Project())


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(helper=blocks(depth=2), body=blocks(depth=2))
def test_no_pair_of_files_makes_the_analysis_raise(tmp_path: Path, helper: str, body: str) -> None:
    inner = textwrap.indent(helper, "    ")
    neighbour = f"import torch\nfrom train import *\ndef helper(scaler, optimizer=None):\n{inner}\n"
    outer = textwrap.indent(body, "    ")
    text = f"import torch\nfrom neighbour import *\ndef train(self, model, loader, loss, use_amp):\n{outer}\n"
    for name, content in (("neighbour.py", neighbour), ("train.py", text)):
        try:
            compile(content, name, "exec", dont_inherit=True)
        except SyntaxError:
            return
        (tmp_path / name).write_text(content, encoding="utf-8")
    project = Project()
    for name, content in (("train.py", text), ("neighbour.py", neighbour)):
        first = check_text(content, str(tmp_path / name), Settings(), project)
        assert first == check_text(content, str(tmp_path / name), Settings(), Project())


def test_a_file_is_freed_when_it_is_done() -> None:
    def trees() -> int:
        return sum(isinstance(item, ast.Module) for item in gc.get_objects())

    text = USES + "    scaler.scale(loss).backward()\n    scaler.step(optimizer)\n    scaler.update()\n"
    check_text(text, "train.py", Settings())
    gc.collect()
    gc.disable()
    try:
        before = trees()
        for _ in range(40):
            check_text(text, "train.py", Settings())
        assert trees() <= before + 12  # a few are remembered
    finally:
        gc.enable()


def test_reassigning_a_called_name_again_and_again_stays_cheap() -> None:
    text = "import torch\ntorch.cuda.amp\ndef f(x):\n" + "    x = x(1)\n" * 300 + "    x.backward()\n"
    check_text(text, "x.py", Settings())
