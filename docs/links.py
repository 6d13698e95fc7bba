"""Finds dead links of a built site: `python docs/links.py docs/_build/html` prints them and exits with 1 if there are any."""

from __future__ import annotations

import builtins
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links and anchors of a page, and references to names that became no link."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.unresolved: list[str] = []
        self._open: list[str] = []
        self._reference: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        self.links += [values[name] for name in ("href", "src") if name in values]
        if tag == "a":
            self._open.append(tag)
        elif tag == "code" and "xref" in values.get("class", "").split() and not self._open:
            self._reference = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open:
            self._open.pop()
        elif tag == "code" and self._reference is not None:
            root = self._reference.partition(".")[0].removesuffix("()")
            if root not in sys.stdlib_module_names and not hasattr(builtins, root):
                self.unresolved.append(self._reference)
            self._reference = None

    def handle_data(self, data: str) -> None:
        if self._reference is not None:
            self._reference += data


def dead(site: Path) -> list[str]:
    """The links within a site that lead nowhere, each as ``page: link``, and references to names that the site does not have."""
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in sorted(site.rglob("*.html"))}
    found = []
    for file, page in pages.items():
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            anchors = pages[target].anchors if target in pages else {parts.fragment}
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
                found.append(f"{file.relative_to(site)}: {link}")
        found += [f"{file.relative_to(site)}: the reference {name!r} leads nowhere" for name in page.unresolved]
    return found


if __name__ == "__main__":
    problems = dead(Path(sys.argv[1]).resolve())
    print("\n".join(problems), end="\n" * bool(problems))
    sys.exit(bool(problems))
