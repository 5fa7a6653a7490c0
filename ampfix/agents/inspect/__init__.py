"""ampfix in Inspect AI: tasks, scorers, a solver that replays stored predictions, and the jail as a sandbox.

The entry point of the group `inspect_ai` names `registry`, so `inspect eval ampfix/amp_repair` finds them.
"""
