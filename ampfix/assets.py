"""Where scenarios/, graders/ and containers/ lie: in a source checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

ASSETS = ("scenarios", "graders", "containers")


def path(name: str) -> Path:
    """The folder of one asset. A source checkout (a parent pyproject named ampfix) wins over package data.

    Raises ValueError for an unknown asset and FileNotFoundError where an installation lacks it.
    """
    if name not in ASSETS:
        raise ValueError(f"unknown asset {name!r}: expected one of {', '.join(ASSETS)}")
    package = Path(__file__).resolve().parent
    candidates = (package.parent / name, package / "_assets" / name)
    for folder in candidates if _is_checkout(package.parent) else candidates[1:]:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"this installation of ampfix lacks its {name}: reinstall the package")


def _is_checkout(folder: Path) -> bool:
    try:
        return 'name = "ampfix"' in (folder / "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        return False
