"""Fits pendulums."""
