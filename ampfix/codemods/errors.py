"""Why a repair could not be made."""

from __future__ import annotations


class CannotRepair(Exception):
    """The source has a shape that this codemod does not change. `str()` is the reason, for the user."""
