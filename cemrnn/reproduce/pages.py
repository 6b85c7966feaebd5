"""Checks of built HTML: no network request to show a page, an alternative text for every image."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

IMAGE_FILE = re.compile(r"[^\s]+\.(gif|jpe?g|png|svg|webp)", re.IGNORECASE)
EXTERNAL = re.compile(r"(https?:)?//", re.IGNORECASE)
EXTERNAL_CSS = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s;]+)""", re.IGNORECASE)
# Attributes that a browser follows without a click.
LOADED = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "img": ("src", "srcset"),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
}
# Links of these kinds name another page and load nothing.
NAMING_LINKS = {"canonical", "next", "prev", "search", "index", "author", "license"}


def find_problems(html: Path) -> list[str]:
    """One line per external resource and per image without a text, over all pages and style sheets."""
    problems = []
    for page in sorted(html.rglob("*.html")):
        reader = _PageReader()
        reader.feed(page.read_text(encoding="utf-8"))
        problems += [f"{page.relative_to(html)}: {problem}" for problem in reader.problems]
    for sheet in sorted(html.rglob("*.css")):
        urls = EXTERNAL_CSS.findall(sheet.read_text(encoding="utf-8"))
        problems += [f"{sheet.relative_to(html)}: external resource {url}" for url in urls]
    return problems


class _PageReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.is_style = tag == "style"
        self._check_css(attributes.get("style", ""))
        if tag == "link" and set(attributes.get("rel", "").split()) <= NAMING_LINKS:
            return
        for name in LOADED.get(tag, ()):
            if EXTERNAL.match(attributes.get(name, "").strip()):
                self.problems.append(f"external resource {attributes[name]}")
        if tag == "img":
            self._check_alt(attributes)

    def handle_endtag(self, tag: str) -> None:
        self.is_style = False

    def handle_data(self, data: str) -> None:
        if self.is_style:
            self._check_css(data)

    def _check_css(self, text: str) -> None:
        self.problems += [f"external resource {url}" for url in EXTERNAL_CSS.findall(text)]

    def _check_alt(self, attributes: dict[str, str]) -> None:
        alt = attributes.get("alt", "").strip()
        if not alt:
            self.problems.append(f"image {attributes.get('src')} has no alt text")
        elif IMAGE_FILE.fullmatch(alt):
            self.problems.append(f"image {attributes.get('src')} has a file name as alt text: {alt}")
