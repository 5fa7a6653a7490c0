"""How well an answer explains: facts it names, false claims it makes, the lines it points to. Deterministic.

It is apart from the verdict: execution says whether a repair is right, this says whether the answer knows why.
"""

from ampfix.agents.diagnosis.score import Diagnosis, PatternScore, diagnose, scored

__all__ = ["Diagnosis", "PatternScore", "diagnose", "scored"]
