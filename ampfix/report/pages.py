"""What all pages share: the templates and their filters. A page is one file that loads nothing."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ampfix import __version__
from ampfix.report.rows import NOTHING, number
from ampfix.report.sizes import bytes_text, count_text, ms_text

MOST_BYTES = 300_000
"""No page grows beyond this: what is long is thinned or cut, and says so."""


def environment() -> Environment:
    """Templates escape everything that is not Markup, and an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("ampfix.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters.update(number=number, bytes=bytes_text, count=count_text, ms=ms_text, diff=diff)
    made.globals.update(version=__version__, nothing=NOTHING)
    return made


def render(template: str, **fields: Any) -> str:
    """A page as text."""
    return environment().get_template(template).render(**fields)


def diff(words: str) -> Markup:
    """A unified diff with its added and removed lines marked."""
    marks = {"+": "add", "-": "del"}
    lines = []
    for line in words.splitlines():
        mark = "" if line.startswith(("+++", "---")) else marks.get(line[:1], "")
        lines.append(Markup('<span class="{}">{}</span>').format(mark, line) if mark else escape(line))
    return Markup("\n").join(lines)
