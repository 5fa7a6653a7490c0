"""Routines that only call another one."""

from __future__ import annotations

from collections.abc import Iterator

from ampfix.program import Routine, Site


def without_wrappers(routines: list[Routine]) -> Iterator[Routine]:
    """Routines that do more than call one other that shows the same events when it is analysed by itself."""
    shown = {routine.name: routine for routine in routines}
    for routine in routines:
        ways = [list(event.site.frames())[::-1] for event in routine.events]
        called = {(way[0].span, way[1].function) for way in ways if len(way) > 1}
        if len(called) != 1 or not all(len(way) > 1 for way in ways):
            yield routine
            continue
        callee = shown.get(next(iter(called))[1])
        if callee is None or len(callee.events) < len(routine.events) or _repeats(ways[0][0], callee):
            yield routine


def _repeats(call: Site, callee: Routine) -> bool:
    """Whether a loop around a call makes several steps of one."""
    return bool(call.loops) and not any(do.site.loops for do in callee.events)
