"""A dry run: what a program does with models, optimizers and scalers, followed statement by statement from its start.

Nothing is executed. Each object is one thing wherever it is handed, kept or renamed; a branch that cannot be decided is
followed both ways, and what differs afterwards is kept beside the test that decides it. What is not understood becomes
an unknown value, so that a run never says more than it saw.
"""

from ampfix.dryrun.records import Event, Place
from ampfix.dryrun.run import DryRun, Files, rehearse, rehearse_function, rehearse_parts

__all__ = ["DryRun", "Event", "Files", "Place", "rehearse", "rehearse_function", "rehearse_parts"]
