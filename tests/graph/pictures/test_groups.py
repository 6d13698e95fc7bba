"""Nodes of a graph, sorted into modules, backward pass and update."""

from __future__ import annotations

from megengine.graph.pictures.groups import LARGEST_FLAT_GROUP, arrange

from ...tools.conftest import make_picture


def test_a_step_has_modules_backward_and_update() -> None:
    nodes = arrange(make_picture()["nodes"])
    paths = {tuple(node["path"]) for node in nodes}
    assert paths == {
        (),
        ("Net",),
        ("Net", "fc0"),
        ("Net", "fc1"),
        ("backward", "Net"),
        ("backward", "Net", "fc0"),
        ("backward", "Net", "fc1"),
        ("update",),
    }
    assert {node["op"] for node in nodes if node["path"] == ["update"]} == {"mul", "sub"}
    assert all("scope" not in node for node in nodes)


def test_an_update_of_many_ops_is_grouped_by_module() -> None:
    nodes = arrange(make_picture(layers=9)["nodes"])
    groups = {tuple(node["path"]) for node in nodes if node["path"][:1] == ["update"]}
    assert groups == {("update", "Net", f"fc{number}") for number in range(9)}
    assert [node["op"] for node in nodes if node["path"] == ["update", "Net", "fc3"]] == ["mul", "sub"]


def test_large_flat_groups_are_divided() -> None:
    nodes = [
        {
            "id": i,
            "op": "add",
            "shape": [],
            "dtype": "float32",
            "where": "/a/b.py:3",
            "scope": [],
            "inputs": [i - 1] if i else [],
        }
        for i in range(200)
    ]
    for node in nodes:
        node["kind"] = "op" if node["inputs"] else "input"
    arranged = arrange(nodes)
    sizes = {}
    for node in arranged:
        sizes[tuple(node["path"])] = sizes.get(tuple(node["path"]), 0) + 1
    assert max(sizes.values()) <= LARGEST_FLAT_GROUP and len(sizes) > 1
