"""What every JUnit report shares: counts, text that XML can hold, and the document around it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as xml

# What XML 1.0 cannot hold, escaped or not (https://www.w3.org/TR/xml/#charsets).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def counts(name: str, tests: int, failures: int, errors: int) -> dict[str, str]:
    """The attributes of a suite, or of all suites together."""
    numbers = {"tests": tests, "failures": failures, "errors": errors}
    return {"name": clean(name)} | {key: str(number) for key, number in numbers.items()}


def clean(text: str) -> str:
    """The text with what XML cannot hold replaced."""
    return _FORBIDDEN.sub("\ufffd", text)


def document(root: xml.Element) -> str:
    """The document as text, indented."""
    xml.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{xml.tostring(root, encoding="unicode")}\n'
