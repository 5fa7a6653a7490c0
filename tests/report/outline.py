"""The tags of a page, and what it would load."""

from __future__ import annotations

from html.parser import HTMLParser


class Outline(HTMLParser):
    """Collects opened and closed tags, and everything a page would load."""

    VOID = {"meta", "link", "img", "br", "hr", "input"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs) -> None:
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in {"src", "href", "data"} and not value.startswith("#")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
