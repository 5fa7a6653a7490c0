"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# An example may be the one that loads a rule or a library, on a machine that does other things: no test is about time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
