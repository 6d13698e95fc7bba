"""The report as a page: self-contained, and working in a browser."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from megengine.tools.report.page import render, write_report
from megengine.tools.report.summary import RunSummary

from .browser import Page, find_chromium
from .conftest import make_picture

needs_browser = pytest.mark.skipif(
    find_chromium() is None, reason="no Chromium or Chrome on this machine (set CHROMIUM to its path)"
)


class Elements(HTMLParser):
    """Tags with their attributes, and whether they nest."""

    VOID = {"meta", "link", "img", "input", "br"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_refers_to_nothing_outside(summary: RunSummary) -> None:
    page = render(summary)
    elements = Elements(page)
    assert elements.open == []
    for tag, attributes in elements.found:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes)
    assert not re.findall(r"url\((?!data:|#)", page)
    assert "{{" not in page
    references = set(re.findall(r"https?://[^\s\"'<)]+", page))
    assert references == {"http://www.w3.org/2000/svg"}, "only the name of the SVG namespace"


def test_what_was_measured_is_on_the_page(summary: RunSummary) -> None:
    page = render(summary)
    for text in (
        "run &lt;b&gt;&amp;amp; co",
        "76.67",
        "31,810",
        "mge train --hidden 40",
        "Ankle boot",
        "40,000",
        "784 – 40 – 10",
    ):
        assert text in page, text
    assert len(re.findall(r"<figure><img ", page)) == 24
    assert "<b>&amp; co" not in page


def test_graph_data_cannot_end_its_script(summary: RunSummary) -> None:
    summary.picture["nodes"][0]["name"] = "</script><script>alert(1)//"
    page = render(summary)
    assert "</script><script>alert" not in page
    data = re.search(r'id="graph-data">(.*?)</script>', page, re.S)
    assert data is not None
    assert json.loads(data[1])["graphs"][0]["nodes"][0]["name"] == "</script><script>alert(1)//"


def test_extreme_runs_can_be_reported(summary: RunSummary) -> None:
    right = np.eye(10, dtype="float32")[summary.test_labels]
    perfect = dataclasses.replace(
        summary,
        epochs=summary.epochs[:1],
        steps=summary.steps[:1],
        probabilities=right,
        first_layer=np.zeros((10, 784), "float32"),
        first_layer_before=np.zeros((10, 784), "float32"),
        layer_sizes=(784, 10),
    )
    page = render(perfect)
    assert "Every test image was recognised." in page and "nan" not in page.partition("<script")[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with Page() as browser:
        yield browser


@pytest.fixture
def page(browser: Page, summary: RunSummary, tmp_path: Path) -> Iterator[Page]:
    write_report(tmp_path / "report.html", summary)
    browser.open(tmp_path / "report.html")
    yield browser
    assert browser.errors == []
    assert browser.requests == [(tmp_path / "report.html").as_uri()], "the page asks for nothing but itself"


def shown(page: Page) -> list[str]:
    """What the graph's boxes are called."""
    return page.run("[...document.querySelectorAll('#graph .node')].map((n) => n.getAttribute('aria-label'))")


def node(label: str) -> str:
    return f"#graph .node[aria-label^='{label}']"


@needs_browser
def test_folding(page: Page) -> None:
    page.click("[data-act=fold]")
    assert sorted(shown(page)) == [
        "Open Net, 6 nodes",
        "Open backward, 4 nodes",
        "Open update, 4 nodes",
        "input, 64×32 f32",
        "square_loss, scalar f32",
    ]
    page.click(node("Open Net"))
    assert "Open fc0, 2 nodes" in shown(page) and "Open Net, 6 nodes" not in shown(page)
    page.click(node("Open fc0"))
    assert "linear, 64×32 f32" in shown(page)
    page.click("#graph .title[aria-label='Close Net']")
    assert "Open Net, 6 nodes" in shown(page) and "linear, 64×32 f32" not in shown(page)
    page.click("[data-act=unfold]")
    assert len(shown(page)) == 16 and not any(label.startswith("Open") for label in shown(page))


@needs_browser
def test_folding_by_keyboard(page: Page) -> None:
    page.click("[data-act=fold]")
    page.run(f'document.querySelector("{node("Open update")}").focus()')
    page.key("Enter")
    assert "mul, 32×32 f32" in shown(page)


@needs_browser
def test_search_finds_a_node_and_opens_the_way_to_it(page: Page) -> None:
    page.click("[data-act=fold]")
    page.click("#graph input")
    page.type("linear.grad fc1")
    assert page.run("document.querySelector('#graph output').textContent") == "1 found"
    page.key("Enter")
    assert "linear.grad, 32×32 f32" in shown(page)
    assert page.run("document.querySelector('#graph aside h3').textContent") == "linear.grad"
    details = page.run("document.querySelector('#graph aside').innerText")
    assert "(32, 32)" in details and "float32" in details and "backward › Net › fc1" in details and "net.py:" in details
    box, stage = (
        page.run(f"(() => {{ const b = document.querySelector('{css}').getBoundingClientRect();"
                 "return [b.left, b.top, b.right, b.bottom]; })()")
        for css in ("#graph .node.picked", "#graph .stage")
    )  # fmt: skip
    assert stage[0] <= box[0] and stage[1] <= box[1] and box[2] <= stage[2] and box[3] <= stage[3]
    page.run("document.querySelector('#graph input').select()")
    page.type("no such op")
    assert page.run("document.querySelector('#graph output').textContent") == "0 found"


@needs_browser
def test_zooming_and_moving(page: Page) -> None:
    def zoom() -> float:
        return float(page.run("document.querySelector('#graph .stage svg').dataset.zoom"))

    def place() -> list[float]:
        return page.run(
            "(() => { const m = document.querySelector('#graph .stage svg > g').transform.baseVal.consolidate().matrix;"
            "return [m.e, m.f]; })()"
        )

    page.click("[data-act=fit]")
    fitted = zoom()
    page.click("[data-act=in]")
    assert zoom() == pytest.approx(1.35 * fitted, rel=1e-3)
    x, y = page.center("#graph .stage")
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-200, modifiers=2)
    page.wait_for(f"document.querySelector('#graph .stage svg').dataset.zoom > {1.4 * fitted}")
    before = place()
    page.mouse("mousePressed", x, y, button="left", clickCount=1)
    page.mouse("mouseMoved", x + 40, y + 25, button="left", buttons=1)
    page.mouse("mouseReleased", x + 40, y + 25, button="left", clickCount=1)
    assert place() == pytest.approx([before[0] + 40, before[1] + 25], abs=0.1)
    page.click("[data-act=fit]")
    assert zoom() == pytest.approx(fitted, rel=1e-3)


@needs_browser
def test_what_is_shown_is_saved_as_svg(page: Page) -> None:
    page.run(
        "URL.createObjectURL = (blob) => { blob.text().then((text) => (window.saved = text)); return 'data:,'; };"
        "HTMLAnchorElement.prototype.click = function () { window.savedAs = this.download; };"
    )
    page.click("[data-act=unfold]")
    page.click("[data-act=svg]")
    page.wait_for("window.saved")
    root = ElementTree.fromstring(page.run("window.saved"))
    shapes = [g for g in root.iter("{http://www.w3.org/2000/svg}g") if "node" in (g.get("class") or "").split()]
    assert len(shapes) == len(shown(page)) and page.run("window.savedAs").endswith(".svg")
    styles = " ".join(element.get("style") or "" for element in root.iter())
    assert "fill: rgb(" in styles and "oklab" not in styles


@needs_browser
def test_a_nodes_neighbours_are_reached_from_its_details(page: Page) -> None:
    page.click("[data-act=unfold]")
    page.click(node("square_loss"))
    assert page.run("document.querySelectorAll('#graph .edge.lit').length") >= 2
    page.click("#graph aside ul button")
    assert page.run("document.querySelector('#graph aside h3').textContent") == "relu"
    page.click("#graph .shut")
    assert page.run("document.querySelector('#graph aside').hidden")


@needs_browser
def test_curves_show_values_under_the_pointer(page: Page) -> None:
    x, y = page.center(".plot")
    page.mouse("mouseMoved", x, y)
    text = page.run("document.querySelector('.plot .tip').innerText")
    assert re.search(r"epoch 1\.\d\d", text) and "epoch 1 test" in text and "0.5500" in text
    page.mouse("mouseMoved", 5, 5)
    assert page.run("document.querySelector('.plot .tip').hidden")


@needs_browser
def test_all_units_and_the_other_theme_can_be_shown(page: Page) -> None:
    visible = "[...document.querySelectorAll('.unit')].filter((u) => u.offsetWidth).length"
    assert page.run(visible) == 64
    page.click("[data-more]")
    assert page.run(visible) == 80
    light = page.run("getComputedStyle(document.body).backgroundColor")
    page.click("[data-theme-switch]")
    assert page.run("getComputedStyle(document.body).backgroundColor") != light


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_needs_no_scrolling_sideways(browser: Page, summary: RunSummary, tmp_path: Path, dark: bool) -> None:
    write_report(tmp_path / "report.html", summary)
    browser.open(tmp_path / "report.html", 360, 740, dark=dark, touch=True)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    rgb = re.findall(r"\d+", browser.run("getComputedStyle(document.body).backgroundColor"))
    assert (sum(map(int, rgb[:3])) < 384) == dark
    assert browser.errors == []


# Boxes beside one another do not overlap, every wire is drawn, and inside of a group everything is within its border.
CHECK_LAYOUT = """
(() => {
  const walk = (box) => {
    const problems = [];
    for (const [i, a] of box.children.entries()) {
      if (a.x < -0.01 || a.y < -0.01 || a.x + a.width > box.width + 0.01 || a.y + a.height > box.height + 0.01)
        problems.push(`${a.item.id} leaves ${box.item.id}`);
      for (const b of box.children.slice(i + 1))
        if (Math.max(a.x, b.x) + 0.01 < Math.min(a.x + a.width, b.x + b.width) &&
            Math.max(a.y, b.y) + 0.01 < Math.min(a.y + a.height, b.y + b.height))
          problems.push(`${a.item.id} overlaps ${b.item.id}`);
      if (a.children) problems.push(...walk(a));
    }
    for (const wire of box.wires) if (/NaN|undefined|Infinity/.test(wire.path)) problems.push("broken wire " + wire.path);
    return problems;
  };
  let state = SEED;
  const random = (n) => (state = (state * 1103515245 + 12345) % 2147483648) % n;
  const root = { id: "root", children: [], open: true }, groups = [root], items = [];
  for (let i = 0; i < 8; i++) {
    const group = { id: "g" + i, children: [], open: random(4) > 0, width: 110, height: 46 };
    groups[random(groups.length)].children.push(group);
    if (group.open) groups.push(group);
    else items.push(group);
  }
  for (let i = 0; i < 60; i++) {
    const item = { id: "n" + i, width: 70 + random(100), height: 42 + random(16) };
    groups[random(groups.length)].children.push(item);
    items.push(item);
  }
  const wires = [], seen = new Set();
  for (let i = 0; i < 110; i++) {
    const [from, to] = [items[random(items.length)], items[random(items.length)]];
    if (from === to || seen.has(from.id + to.id)) continue;
    seen.add(from.id + to.id);
    wires.push({ from, to });
  }
  const problems = [];
  for (const horizontal of [true, false]) problems.push(...walk(Layout.layout(root, wires, horizontal)));
  return problems;
})()
"""


@needs_browser
def test_layouts_of_any_graph_have_no_overlaps(page: Page) -> None:
    for seed in range(4):
        assert page.run(CHECK_LAYOUT.replace("SEED", str(seed))) == [], f"seed {seed}"


@needs_browser
def test_a_graph_of_3000_nodes_opens_folded_and_any_part_of_it_opens(
    browser: Page, summary: RunSummary, tmp_path: Path
) -> None:
    summary.picture = make_picture(layers=430)
    count = "document.querySelectorAll('#graph .node').length"
    assert len(summary.picture["nodes"]) > 3000
    write_report(tmp_path / "report.html", summary)
    browser.open(tmp_path / "report.html")
    assert browser.errors == []
    assert 3 <= browser.run(count) < 100
    browser.click("#graph input")
    browser.type("linear.grad fc217")
    browser.key("Enter")
    assert "linear.grad, 32×32 f32" in shown(browser)
    assert browser.run(count) < 400


@needs_browser
def test_everything_can_be_opened(browser: Page, summary: RunSummary, tmp_path: Path) -> None:
    summary.picture = make_picture(layers=20)
    write_report(tmp_path / "report.html", summary)
    browser.open(tmp_path / "report.html")
    browser.click("[data-act=unfold]")
    assert browser.run("document.querySelectorAll('#graph .node').length") == len(summary.picture["nodes"])
