"""The tags of a page, and what it would load."""

from __future__ import annotations

from html.parser import HTMLParser


class Outline(HTMLParser):
    """Collects opened and closed tags, and everything a page would load."""

    VOID = {"meta", "link", "img", "br", "hr", "input"}
    ENDED_BY = {
        "td": {"td", "th", "tr", "tbody"}, "th": {"td", "th", "tr", "tbody"}, "tr": {"tr", "tbody"}, "tbody": {"tbody"},
    }  # fmt: skip
    """End tags that HTML lets one leave out where such a tag follows, or the parent ends."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs) -> None:
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in {"src", "href", "data"} and not value.startswith("#")]
        while self.open and tag in self.ENDED_BY.get(self.open[-1], ()):
            self.open.pop()
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1] != tag and self.open[-1] in self.ENDED_BY:
            self.open.pop()
        assert self.open.pop() == tag
