"""What moving a name might break is left alone, with the reason; what merely looks like it is not touched."""

from __future__ import annotations

import pytest

from ampfix.codemods import CannotRepair
from tests.codemods.repairs import repair, repaired


def modernized(text: str, source: str, occurrence: int = 0, **arguments: str) -> str:
    return repaired(text, repair("modernize_api", text, source, occurrence, **arguments))


# «» marks the finding
REFUSED = {
    "star import": ("from torch.cuda.amp import *\n«autocast»()\n", "star import"),
    "fallback import": (
        "try:\n    from torch.amp import autocast\nexcept ImportError:\n    from torch.cuda.amp import autocast\n"
        "«autocast»('cuda')\n",
        "several ways",
    ),
    "exported": ("from torch.cuda.amp import autocast\n__all__ = ['autocast']\n«autocast»()\n", "__all__"),
    "unpacked positionals": ("import torch\n«torch.cuda.amp.autocast»(*a)\n", "unpacked"),
    "too many arguments": ("import torch\n«torch.cuda.amp.autocast»(1, 2, 3, 4)\n", "more arguments"),
    "a variable called with positionals": (
        "from torch.cuda.amp import autocast\nc = «autocast»\nc(True)\n",
        "positional arguments",
    ),
    "a partial called with positionals": (
        "from functools import partial\nfrom torch.cuda.amp import autocast\np = partial(«autocast»)\np(True)\n",
        "positional arguments",
    ),
    "handed to a function": ("from torch.cuda.amp import GradScaler\nbuild(«GradScaler»)\n", "another function"),
    "returned": ("from torch.cuda.amp import autocast\ndef f():\n    return «autocast»\n", "does not follow"),
    "inherited constructor": (
        "from torch.cuda.amp import GradScaler\nclass S(«GradScaler»): pass\n",
        "inherits the constructor",
    ),
    "bare autocast decorator": (
        "from torch.cuda.amp import autocast\n@«autocast»\ndef f(): pass\n",
        "without parentheses",
    ),
    "unknown name of the module": (
        "from torch.cuda import amp\n«amp.autocast»()\namp.common\n",
        "torch.cuda.amp.common has no successor",
    ),
    "module as a value": ("from torch.cuda import amp\n«amp.autocast»()\nf(amp)\n", "no successor"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_might_break_is_refused_with_the_reason(case: str) -> None:
    marked, reason = REFUSED[case]
    text = marked.replace("«", "").replace("»", "")
    source = marked[marked.index("«") + 1 : marked.index("»")]
    with pytest.raises(CannotRepair, match=reason):
        modernized(text, source, marked[: marked.index("«")].count(source))


@pytest.mark.parametrize(
    ("symbol", "floor", "possible"),
    [
        ("autocast", "1.13", True),
        ("GradScaler", "2.2", False),
        ("GradScaler", "2.3", True),
        ("custom_fwd", "2.3.1", False),
        ("custom_fwd", "2.4", True),
    ],
)
def test_the_declared_torch_decides(symbol: str, floor: str, possible: bool) -> None:
    text = f"from torch.cuda import amp\nf = amp.{symbol}()\n"
    if possible:
        assert "from torch import amp\n" in modernized(text, f"amp.{symbol}()", floor=floor)
    else:
        with pytest.raises(CannotRepair, match=f"the project supports torch {floor}"):
            modernized(text, f"amp.{symbol}()", floor=floor)


def test_what_is_too_young_stays_behind_in_its_own_import() -> None:
    text = "from torch.cuda.amp import GradScaler, autocast, custom_bwd\nautocast(False)\nGradScaler()\n"
    assert modernized(text, "autocast(False)", floor="2.0") == (
        "from torch.cuda.amp import GradScaler, custom_bwd\nfrom torch.amp import autocast\n"
        'autocast("cuda", enabled=False)\nGradScaler()\n'
    )


def test_a_local_name_is_not_taken_for_the_import() -> None:
    text = """\
from torch.cuda.amp import autocast

def f(autocast, x):
    return autocast(x)

def g():
    with autocast(False):
        pass
"""
    assert modernized(text, "autocast(False)") == text.replace("cuda.amp", "amp").replace(
        "autocast(False)", 'autocast("cuda", enabled=False)'
    )


def test_an_import_inside_a_function_moves_where_it_stands() -> None:
    text = "def f():\n    from torch.cuda.amp import autocast as ac\n    with ac(): pass\ndef ac(): pass\nac()\n"
    assert modernized(text, "ac()") == (
        'def f():\n    from torch.amp import autocast as ac\n    with ac("cuda"): pass\ndef ac(): pass\nac()\n'
    )


def test_functools_is_imported_for_a_stored_region() -> None:
    text = '"""D."""\nfrom __future__ import annotations\nimport torch\nctx = torch.cuda.amp.autocast\n'
    assert modernized(text, "torch.cuda.amp.autocast") == (
        '"""D."""\nfrom __future__ import annotations\nimport functools\nimport torch\n'
        'ctx = functools.partial(torch.amp.autocast, "cuda")\n'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("torch.get_autocast_gpu_dtype()", 'torch.get_autocast_dtype("cuda")'),
        ("torch.set_autocast_gpu_dtype(d)", 'torch.set_autocast_dtype("cuda", d)'),
        ("torch.is_autocast_cpu_enabled()", 'torch.is_autocast_enabled("cpu")'),
        ("torch.set_autocast_cpu_enabled(True)", 'torch.set_autocast_enabled("cpu", True)'),
        ("torch.get_autocast_xla_dtype()", 'torch.get_autocast_dtype("xla")'),
    ],
)
def test_helpers_take_the_device(before: str, after: str) -> None:
    assert modernized(f"import torch\nx = {before}\n", before) == f"import torch\nx = {after}\n"


def test_an_imported_helper_is_renamed_with_its_uses() -> None:
    text = "from torch import get_autocast_gpu_dtype, nn\nx = get_autocast_gpu_dtype()\n"
    assert modernized(text, "get_autocast_gpu_dtype()") == (
        'from torch import get_autocast_dtype, nn\nx = get_autocast_dtype("cuda")\n'
    )


def test_single_quotes_and_layout_are_kept() -> None:
    text = "import torch\na = 'x'\ns = torch.cuda.amp.GradScaler(\n    1024.,  # low\n    enabled=True,\n)\n"
    assert modernized(text, "torch.cuda.amp.GradScaler(\n    1024.,  # low\n    enabled=True,\n)") == (
        "import torch\na = 'x'\ns = torch.amp.GradScaler(\n    'cuda',\n    init_scale=1024.,  # low\n"
        "    enabled=True,\n)\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "import torch.cuda.amp\ntorch.cuda.amp.autocast(False)\ns = torch.cuda.amp.GradScaler()\n",
            'import torch.amp\ntorch.amp.autocast("cuda", enabled=False)\ns = torch.amp.GradScaler("cuda")\n',
        ),
        (
            "import torch\nimport os, torch.cuda.amp\ntorch.cuda.amp.autocast(False)\n",
            'import torch\nimport os, torch.amp\ntorch.amp.autocast("cuda", enabled=False)\n',
        ),
        (
            "import torch.cuda.amp\ntorch.cuda.amp.autocast(False)\nf(torch.cuda.amp.GradScaler)\n",
            'import torch.cuda.amp\ntorch.amp.autocast("cuda", enabled=False)\nf(torch.cuda.amp.GradScaler)\n',
        ),
    ],
)
def test_an_imported_submodule_moves_once_nothing_needs_it(before: str, after: str) -> None:
    assert modernized(before, "torch.cuda.amp.autocast(False)") == after
