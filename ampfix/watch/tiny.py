"""Mixed precision on a model too small to gain from it: what runs is tiny, and the source says that it stays so."""

from __future__ import annotations

import linecache
from collections.abc import Iterator

from ampfix.findings import Finding
from ampfix.rules.amp_on_tiny_model import FLOAT32_FLOPS, LAUNCH_SECONDS
from ampfix.watch.alarms import Alarm, Alarms
from ampfix.watch.journal import Journal
from ampfix.watch.products import ProductUse

_CODE = "AMP504"
_TINY = int(LAUNCH_SECONDS * FLOAT32_FLOPS / 2)  # multiply-adds


class TinyModel:
    """Call with each attempt; the first one whose products were seen tells.

    A tiny run alone is no bug: a loop for models of any size is often tried on a small one. So the file of the loop is
    asked, which has to build a small model itself.
    """

    def __init__(self, journal: Journal, products: ProductUse, alarms: Alarms) -> None:
        self._journal, self._products, self._alarms = journal, products, alarms
        self._asked = False

    def stepped(self, attempt: int) -> None:
        if self._asked or not self._products.largest:
            return
        self._asked = True
        code = self._journal.locate.code()
        if code is None or self._products.largest >= _TINY:
            return
        path = self._journal.locate.path_of(code) or ""
        for finding in _found_in(code.co_filename, path):
            message = (
                f"no product in half of this step takes more than {self._products.largest:,} multiply-adds, which is "
                f"less time than launching a kernel; {finding.message}"
            )
            advice = finding.repair.message if finding.repair is not None else ""
            line = finding.span.start.line
            self._alarms.raise_(Alarm(finding.code, finding.name, message, path, line, attempt, advice=advice))


def _found_in(filename: str, path: str) -> Iterator[Finding]:
    """What `check` says of the model in a file, told under this path; nothing of a file that it cannot read."""
    from ampfix.lint.engine import check_source
    from ampfix.lint.read import UnreadableError
    from ampfix.lint.settings import Settings

    try:
        yield from check_source("".join(linecache.getlines(filename)), path, Settings(select=(_CODE,)))
    except UnreadableError:
        return
