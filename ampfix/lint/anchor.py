"""Where an event of another file lies in the checked one: at the call that leads there."""

from __future__ import annotations

from ampfix.program import Site
from ampfix.records import replace


def anchored(site: Site, path: str) -> Site:
    """The site, or the nearest call in the file `path` that leads to it from another file."""
    outer = next((frame for frame in site.way() if frame.path == path), None)
    if outer is None or outer is site:
        return site
    # Loops of other files count, but their lines mean nothing here.
    foreign = tuple(-abs(line) for line in site.loops[len(outer.loops) :])
    return replace(outer, proven=site.proven, origin=site, loops=(*outer.loops, *foreign))


def entered(site: Site) -> Site | None:
    """Of a site anchored at a call into another file, the frame that this call opens there."""
    inside = None
    for frame in site.origin.way() if site.origin is not None else ():
        if frame.path == site.path:
            break
        inside = frame
    return inside
