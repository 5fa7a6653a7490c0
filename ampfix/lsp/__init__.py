"""Findings, rule pages and quick fixes in editors, over the Language Server Protocol."""
