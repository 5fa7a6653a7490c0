"""A diagnosis as one HTML page: the cause, its evidence, the proof of its repair, and the run as written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ampfix.report import pages
from ampfix.report.findings_diff import Repair, repair
from ampfix.report.watch_html import MOST_ALARMS, bad_op, charts
from ampfix.report.watch_record import Record, records

if TYPE_CHECKING:
    from ampfix.hardware.diagnosis import Diagnosis

_OTHERS = ("fp32", "repaired")


def render(found: Diagnosis, out: Path, target: str) -> str:
    """The page. out: the folder of the diagnosis, with a folder for each run. target: the script, as it was named.

    Raises OSError, and ValueError where the folder holds no record of the run as written.
    """
    folder = out / "as-written"
    first = records(folder)[0]
    others = {name: record for name in _OTHERS if (record := _record(out / name)) is not None}
    return pages.render(
        "diagnose.html.jinja",
        found=found,
        target=target,
        record=first,
        ranks=[],
        runs=[run for run in (found.written, found.fp32, found.repaired) if run is not None],
        alarms=first.alarms[:MOST_ALARMS],
        more_alarms=max(0, len(first.alarms) - MOST_ALARMS),
        bad=bad_op(folder, first),
        repairs=_repairs(found),
        **charts(first, others),
    )


def _record(folder: Path) -> Record | None:
    try:
        return records(folder)[0]
    except (OSError, ValueError):
        return None


def _repairs(found: Diagnosis) -> list[Repair]:
    if found.alarm is None or not found.alarm.code or not found.alarm.path:
        return []
    one = repair(found.alarm.code, found.alarm.path)
    return [] if one is None else [one]
