"""Regular expressions that are compiled when they are first asked.

The rules of `check` define some two hundred, of which one run asks a third; compiling them all takes 30 ms.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pattern = re.compile
else:

    class pattern:
        """As `re.compile`; an error in the expression shows when it is first asked."""

        def __init__(self, expression, flags=0):
            self.__dict__["_given"] = expression, flags

        def __getattr__(self, name: str) -> Any:
            """Keeps the compiled expression's own method, so that the next use does not come here."""
            found = getattr(re.compile(*self._given), name)
            self.__dict__[name] = found
            return found
