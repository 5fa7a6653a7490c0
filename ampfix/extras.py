"""Which extra installs which module. A base installation lints and repairs; running loops needs more."""

from __future__ import annotations

# Import name -> extra. tests/project compares this table with pyproject.toml.
EXTRAS = {
    "torch": "run",
    "numpy": "run",
    "pydantic": "run",
    "jinja2": "run",
    "rich": "run",
    "safetensors": "run",
    "docker": "run",
    "inspect_ai": "eval",
    "ray": "cluster",
    "pygls": "lsp",
    "lsprotocol": "lsp",
}

DEBUG_VARIABLE = "AMPFIX_DEBUG"
"""Set, a fault of ampfix shows its traceback instead of one line."""


def remedy(module: str) -> str:
    """The command that installs a module of an extra."""
    return f'pip install "ampfix[{EXTRAS[module]}]"'
