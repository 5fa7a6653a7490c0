"""The rules' pages in Markdown, from their docstrings: docs/rules/*.md, and what `ampfix rule` prints.

`python -m ampfix.rules._pages DIRECTORY` writes them all.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from ampfix.rules import Rule, all_rules

_FIX = {
    "safe": "`ampfix fix` repairs it.",
    "unsafe": "`ampfix fix --unsafe-fixes` repairs it; the repair changes behaviour somebody may want.",
    "display": "The repair is shown and never applied.",
    None: "There is no automatic repair.",
}


def summary(rule: Rule) -> str:
    """What a rule is about, in one line."""
    return (type(rule).__doc__ or "").strip().partition("\n")[0]


def page(rule: Rule) -> str:
    """One rule's page."""
    body = inspect.cleandoc(type(rule).__doc__ or "")
    facts = f"Severity: {rule.severity.value}. {_FIX[rule.fix.value if rule.fix else None]}"
    rest = body.partition("\n")[2]
    sections = [f"# {rule.name} ({rule.code})", f"{facts}", summary(rule), rest.strip()]
    if rule.scenarios:
        names = ", ".join(f"`{scenario}`" for scenario in rule.scenarios)
        sections.append(f"## Proven by execution\nScenarios whose broken loop has this bug: {names}.")
    return "\n\n".join(sections) + "\n"


def index() -> str:
    """The table of all rules."""
    lines = ["# Rules", "", "| code | name | severity | fix | summary |", "|---|---|---|---|---|"]
    for rule in all_rules():
        fix = rule.fix.value if rule.fix else "none"
        told = summary(rule)
        lines.append(f"| [{rule.code}]({rule.name}.md) | {rule.name} | {rule.severity.value} | {fix} | {told} |")
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """File name -> text of every page."""
    return {"README.md": index()} | {f"{rule.name}.md": page(rule) for rule in all_rules()}


def main(directory: str) -> None:
    """Write every page into a directory."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
