"""What went wrong with an answer or a run."""

from __future__ import annotations

from ampfix.lab.models import Model


class Problem(Model):
    """cause: a code of `causes`. detail: a line for people."""

    cause: str
    detail: str = ""
