"""What checking one file yields. Apart from the engine, so that a run that finds everything in its cache loads none."""

from __future__ import annotations

from ampfix.findings import Finding
from ampfix.records import dataclass


@dataclass(frozen=True)
class Checked:
    """findings by position. depends: absolute paths of other files whose content, or whose absence, they rest on."""

    findings: tuple[Finding, ...] = ()
    depends: frozenset[str] = frozenset()
