"""Pictures as files: pages, DOT, SVG, and what a notebook shows."""

from __future__ import annotations

import html
import json
import re
import shutil
import sys
import types
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, graph, jit
from megengine.graph.exchange import decode
from megengine.graph.pictures import dot, shown
from megengine.utils.network import Network

X = np.ones((2, 3), np.float32)


def _net() -> M.Module:
    return M.Sequential(M.Linear(3, 4), M.ReLU(), M.Sequential(M.Linear(4, 4), M.Linear(4, 2)))


def _data(page: str) -> dict[str, Any]:
    found = re.search(r'id="graph-data">(.*?)</script>', page, re.S)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_a_page_needs_nothing_else_and_holds_the_layouters_licence(tmp_path: Path) -> None:
    path = _net().save(tmp_path / "net.html", X)
    page = path.read_text()
    assert not re.findall(r'(?:src|href)="(?!data:)', page) and "import " not in page.partition("<script>")[0]
    assert "Permission is hereby granted" in page and "{{" not in page.partition("<script>")[0]
    (one,) = _data(page)["graphs"]
    assert one["title"] == "Sequential" and {n["op"] for n in one["nodes"]} == {"input", "constant", "linear", "relu"}


def test_a_title_that_html_must_escape() -> None:
    picture = _net().picture(X)
    picture.title = "a <b> & </script>"
    page = picture._html(None)
    assert "<b> &" not in page.replace("\\u003c", "") or _data(page)["graphs"][0]["title"] == picture.title
    assert "<title>a &lt;b&gt; &amp; &lt;/script&gt;</title>" in page


def test_a_page_of_several_graphs_has_a_choice_and_tables_for_each(tmp_path: Path) -> None:
    with graph.watch() as seen:
        for size in (2, 3, 2):
            (Tensor(np.ones(size)) * 2).numpy()
    page = seen.save(tmp_path / "seen.html").read_text()
    assert len(_data(page)["graphs"]) == page.count('<div class="costs"') == 2 and '<select class="choice"' in page
    assert repr(seen).splitlines()[0] == "<watch of 3 graphs, 2 programs>" and "ran 2 times" in repr(seen)


def test_nothing_to_show_says_so(tmp_path: Path) -> None:
    with graph.watch() as seen:
        pass
    for name in ("a.html", "a.dot"):
        with pytest.raises(ValueError, match="nothing ran"):
            seen.save(tmp_path / name)


def test_dot_has_modules_as_clusters_and_cuts_them_off_at_a_depth() -> None:
    picture = _net().picture(X)
    whole, cut = dot.text([picture], "net"), dot.text([picture], "net", depth=1)
    labels = re.findall(r'label="([^"]+)"', whole)
    assert whole.count("subgraph") == 6 and sum(label.startswith("linear") for label in labels) == 3
    assert cut.count("subgraph") == 1
    boxes = [label.split("\\n")[:2] for label in re.findall(r'label="([^"]+)"', cut)]
    assert ["2", "2 operations"] in boxes and ["0", "1 operation"] in boxes
    nodes, edges = (set(re.findall(pattern, cut, re.M)) for pattern in (r'^ *("[^"]+") \[', r'("[^"]+")(?= -> )'))
    assert edges <= nodes


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_every_box(tmp_path: Path) -> None:
    picture = _net().picture(X)
    root = ET.parse(picture.save(tmp_path / "net.svg")).getroot()
    drawn = [g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("class") == "node"]
    assert len(drawn) == len(picture.nodes)


def test_without_graphviz_a_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match=r"apt install graphviz.*save a \.html"):
        _net().save(tmp_path / "net.svg", X)
    with pytest.raises(ValueError, match=r"save\(\) writes \.html, \.svg, \.dot, \.txt, \.onnx"):
        _net().save(tmp_path / "net.gif", X)


def test_a_dump_folds_by_its_parameters_names(tmp_path: Path) -> None:
    net = _net()

    @jit.trace(symbolic=True, capture_as_const=True)
    def predict(x: Tensor) -> Tensor:
        return F.softmax(net(x), axis=1)

    predict(Tensor(X))
    predict.dump(str(tmp_path / "net.mge"), arg_names=["x"], output_names=["y"])
    network = Network.load(str(tmp_path / "net.mge"))
    assert repr(network).endswith("x: (2, 3) -> y: (2, 2)>")
    paths = {node["op"]: node["path"] for node in network.picture().nodes if node["op"] != "linear"}
    assert paths["relu"] == paths["softmax"] == paths["input"] == []
    assert [n["path"] for n in network.picture().nodes if n["op"] == "linear"] == [["0"], ["2", "0"], ["2", "1"]]
    model = decode((tmp_path / "net.mge").read_bytes())
    assert repr(model) == "<model of 5 operations: x: float32[2,3] -> y: float32[2,2]>"
    assert "linear" in model.save(tmp_path / "m.txt").read_text()


def test_models_are_saved_where_there_are_weights(tmp_path: Path) -> None:
    net = _net()
    assert net.save(tmp_path / "net.stablehlo", X).stat().st_size > 100
    with pytest.raises(ValueError, match=r"net\.save\('a\.stablehlo', x\)"):
        net.picture(X).save(tmp_path / "a.stablehlo")
    with pytest.raises(TypeError, match="by position"):
        net.save(tmp_path / "a.stablehlo", inp=X)


def test_a_notebook_shows_the_page_in_a_frame(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    picture = _net().picture(X)
    frame = re.fullmatch(r'<iframe srcdoc="([^"]*)" style="[^"]*"></iframe>', picture._repr_html_())
    assert frame is not None and html.unescape(frame[1]) == picture._html(None)
    displayed: list[Any] = []
    python = types.ModuleType("IPython")
    python.get_ipython = lambda: types.SimpleNamespace(kernel=True)  # type: ignore[attr-defined]
    display = types.ModuleType("IPython.display")
    display.display = displayed.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", python)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    picture.show()
    assert displayed == [picture]


def test_elsewhere_a_page_is_written_and_its_path_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shown.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(shown, "_has_screen", lambda: False)
    _net().show(X)
    (path,) = tmp_path.iterdir()
    assert capsys.readouterr().out == f"written to {path}\n" and "</html>" in path.read_text()
