"""How tables look on a terminal, and plain where there is none."""

from __future__ import annotations

from typing import Literal, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["STATUS_STYLES", "Console", "Table", "Text", "console", "new_table"]

STATUS_STYLES = {"pass": "green", "fail": "red", "invalid_answer": "yellow", "infra_error": "magenta"}

# A file or a pipe has no width of its own; narrower would wrap the reasons.
PLAIN_WIDTH = 140


def console(stream: TextIO) -> Console:
    """A console on a stream; a fixed width and no control codes where it is not a terminal.

    Texts are what they are: a loop's last words may look like markup or name an emoji.
    """
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False, markup=False, emoji=False)


def new_table(*columns: str) -> Table:
    """A table without vertical lines. A column whose name ends in ">" is aligned right; only "why" is wrapped."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        name = column.removesuffix(">")
        justify: Literal["left", "right"] = "right" if name != column else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name != "why")
    return table
