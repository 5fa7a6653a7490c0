"""The codemods, one module each: `plan(tree, repair) -> list[Change]`.

A module here whose name has no leading underscore is a codemod of that name. Its docstring lists the arguments it reads
from its repair.
"""
