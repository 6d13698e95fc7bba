"""Links of the pages lead somewhere, every page is in a table of contents, and the examples are all on their page."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SITE = [*sorted(DOCS.glob("*.md")), *sorted((DOCS / "api").glob("*.md"))]
OTHERS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/RESULTS.md")]
OTHERS.append(ROOT / "tests" / "golden" / "README.md")
# Written when the site is built, by docs/api_pages.py.
MADE = DOCS / "api" / "_generated"


def prose(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return re.sub(r"^(```+).*?^\1$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """What GitHub and MyST call the headings of a page, those of included pages too."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.M)
    names = {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings}
    for included in re.findall(r"^```{include} (.+)$", page.read_text(encoding="utf-8"), re.M):
        if (page.parent / included).resolve().parent != MADE:
            names |= anchors(page.parent / included)
    return names


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Path and anchor of the relative links of a page."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            yield path, anchor


@pytest.mark.parametrize("page", [*SITE, *OTHERS], ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        if anchor:
            assert anchor in anchors(target), f"{path}#{anchor}"
        assert page not in SITE or target.is_relative_to(DOCS), f"{path} is not on the site"


@pytest.mark.parametrize("page", [*SITE, *OTHERS], ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_pages_name_are_there(page: Path) -> None:
    named = re.findall(r"`((?:megengine|docs|tests|examples|benchmarks|\.ci)/[\w./-]+)`", prose(page))
    assert not [name for name in named if "_build" not in name and not (ROOT / name).exists()]


def test_environment_variables_are_in_their_table() -> None:
    """Those that a person sets; ``mge run`` and ``launcher`` set the others for the processes that they start."""
    pattern = r"""["']((?:MEGENGINE|MGE)_[A-Z_]+)["']"""
    read = {n for f in (ROOT / "megengine").rglob("*.py") for n in re.findall(pattern, f.read_text(encoding="utf-8"))}
    read -= {"MEGENGINE_RUN", "MEGENGINE_RANK"}
    assert len(read) > 10
    rows = re.findall(r"^\| (`(?:MEGENGINE|MGE)_.*?) \|", (DOCS / "how-it-works.md").read_text(encoding="utf-8"), re.M)
    assert {name for row in rows for name in re.findall(r"[A-Z_]{5,}", row)} == read


def test_every_page_is_in_a_table_of_contents() -> None:
    by_script = ("utils", "graph", "onnx")  # docs/api_pages.py lists them
    listed = {DOCS / "index.md", *(DOCS / "api" / f"{name}.md" for name in by_script)}
    for page in SITE:
        for entries in re.findall(r"^```{toctree}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            listed |= {page.parent / f"{entry}.md" for entry in entries.split() if entry[0] != ":"}
    assert listed == set(SITE)


def test_front_pages_lead_to_every_page() -> None:
    reached = {(DOCS / path).resolve() for path, _ in links(DOCS / "index.md")}
    away = {"index.md", "changelog.md"}
    assert {page for page in DOCS.glob("*.md") if page.name not in away} <= reached


def test_examples_are_on_their_page_with_their_commands() -> None:
    page = (DOCS / "examples.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    programs = sorted((ROOT / "examples").glob("*.py"))
    assert set(sections) == {program.stem for program in programs}
    for program in programs:
        usage = re.search(r"^    (python examples/.*)$", program.read_text(encoding="utf-8"), re.M)
        assert usage is not None and f"```shell\n{usage[1]}\n```" in sections[program.stem]
        assert f"```{{literalinclude}} ../examples/{program.name}\n" in sections[program.stem]
        assert f"](#{program.stem})" in page


@pytest.fixture
def checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_links", DOCS / "links.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_sites_check_finds_what_is_dead(checker: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "a.html").write_text(
        '<h1 id="top">A</h1><a href="../index.html#end">back</a><a href="https://a.b/c">out</a>'
    )
    (tmp_path / "index.html").write_text(
        '<a href="api/a.html#top">a</a><a name="end"></a><img src="no.png"><a href="api/b.html">b</a>'
        '<a href="api/a.html#bottom">a</a><a href="#end">end</a><a href="x"><code class="xref py">linked</code></a>'
        '<code class="xref py py-func">lost()</code><code class="xref py py-exc">OSError</code><code>plain</code>'
    )
    assert checker.dead(tmp_path) == [
        "index.html: no.png",
        "index.html: api/b.html",
        "index.html: api/a.html#bottom",
        "index.html: x",
        "index.html: the reference 'lost()' leads nowhere",
    ]
