"""What names and imports lead to."""

from __future__ import annotations

from tests.dryrun.programs import run, run_files, told

_STEP = (
    "from torch.cuda.amp import GradScaler\nscaler = GradScaler()\ndef step(optimizer):\n    scaler.step(optimizer)\n"
)
_PAIR = [("step", "GradScaler")]


def test_imports_a_function() -> None:
    assert told(run("from lib import step\nstep(optimizer)", lib=_STEP), "step") == _PAIR


def test_imports_a_module_under_another_name() -> None:
    assert told(run("import lib as tools\ntools.step(optimizer)", lib=_STEP), "step") == _PAIR


def test_imports_a_module_in_a_package() -> None:
    program = "import pack.lib\nimport torch\npack.lib.step(torch.optim.SGD([]))"
    assert told(run_files({"main.py": program, "pack/__init__.py": "", "pack/lib.py": _STEP}), "step") == _PAIR


def test_imports_all_names() -> None:
    assert told(run("from lib import *\nstep(optimizer)", lib=_STEP), "step") == _PAIR


def test_follows_a_name_that_a_package_passes_on() -> None:
    program = "import torch\nfrom pack import step\nstep(torch.optim.SGD([]))"
    for passes in (
        "from .lib import step",
        "from .lib import *",
        "from pack.lib import step",
        "from . import lib\nstep = lib.step",
    ):
        files = {"main.py": program, "pack/__init__.py": passes, "pack/lib.py": _STEP}
        assert told(run_files(files), "step") == _PAIR, passes


def test_imports_from_the_folder_above() -> None:
    program = "import torch\nfrom pack.sub.use import go\ngo(torch.optim.SGD([]))"
    use = "from ..lib import step\ndef go(optimizer):\n    step(optimizer)\n"
    files = {"main.py": program, "pack/__init__.py": "", "pack/sub/__init__.py": "", "pack/sub/use.py": use}
    assert told(run_files({**files, "pack/lib.py": _STEP}), "step") == _PAIR


def test_ends_where_an_import_leads_to_itself() -> None:
    assert run("from lib import gone\ngone()", lib="from lib import gone").finished
    assert run("import a\na.gone()", a="from b import gone", b="from a import gone").finished


def test_writes_a_name_of_a_module() -> None:
    setting = "scaler = None\ndef step(optimizer):\n    scaler.step(optimizer)\n"
    assert told(run("import lib\nlib.scaler = scaler\nlib.step(optimizer)", lib=setting), "step") == _PAIR


def test_binds_a_global_and_a_nonlocal_name() -> None:
    program = """
    kept = None
    def fill():
        global kept
        kept = scaler
    def outer():
        inner = None
        def put():
            nonlocal inner
            inner = kept
        put()
        inner.step(optimizer)
    fill()
    outer()
    """
    assert told(run(program), "step") == _PAIR
