"""The nodes of a graph, sorted into the groups that a page folds: modules, the backward pass, the update."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

LARGEST_FLAT_GROUP = 60  # more nodes than this side by side are put into numbered groups
PART = 30
SMALL_UPDATE = 12  # nodes that are shown without groups of their own
ALONE = 3  # ops of one parameter's update that need no group of their own


def arrange(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Puts every node into nested groups: the modules of the forward pass, ``backward`` and ``update``.

    Args:
        found: as :func:`~.nodes.nodes` gives them; inputs stand before the nodes that use them.

    Returns:
        The nodes, each with its ``path`` (names of the groups around it, outermost first) in place of its scope.

    Example:
        >>> from megengine.graph.pictures.groups import arrange
        >>> nodes = [
        ...     {"id": 0, "op": "linear", "scope": ["NN", "fc"], "kind": "op", "inputs": []},
        ...     {"id": 1, "op": "linear.grad", "scope": ["NN", "fc"], "kind": "gradient", "inputs": [0]},
        ... ]
        >>> [node["path"] for node in arrange(nodes)]
        [['NN', 'fc'], ['backward', 'NN', 'fc']]
    """
    nodes = [dict(node) for node in found]
    by_id = {node["id"]: node for node in nodes}
    if not any(node.get("scope") for node in nodes):
        _scopes_by_parameters(nodes)
    after_gradient: set[int] = set()
    for node in nodes:
        if node["kind"] == "gradient" or after_gradient.intersection(node["inputs"]):
            after_gradient.add(node["id"])
    users: dict[int, list[int]] = {node["id"]: [] for node in nodes}
    for node in nodes:
        for source in node["inputs"]:
            users[source].append(node["id"])
    backward = _before_gradients(nodes, after_gradient)
    for node in nodes:
        scope = list(node.pop("scope", []))
        if node["id"] in backward:
            node["path"] = ["backward", *scope]
        elif node["id"] in after_gradient:
            node["path"] = ["update", *scope]
        else:
            node["path"] = scope
    for node in reversed(nodes):
        readers = [by_id[user]["path"] for user in users[node["id"]]]
        if not node["path"] and readers:
            node["path"] = _home(node["kind"], readers)
        node.setdefault("name", "")
    _group_updates(nodes, by_id)
    _split_large_groups(nodes)
    return nodes


def _scopes_by_parameters(nodes: list[dict[str, Any]]) -> None:
    """Where no modules are known, as in a file: an op is in the module of the parameters that it reads, others are between."""
    by_id = {node["id"]: node for node in nodes}
    own: dict[int, list[str]] = {}
    for node in nodes:
        names = [by_id[k]["name"] for k in node["inputs"] if by_id[k]["kind"] == "param" and "." in by_id[k]["name"]]
        if names:
            own[node["id"]] = names[0].split(".")[:-1]
    before, after = dict(own), dict(own)
    for node in nodes:
        for k in node["inputs"]:
            if k in before:
                before.setdefault(node["id"], before[k])
    for node in reversed(nodes):
        for k in node["inputs"] if node["id"] in after else ():
            after.setdefault(k, after[node["id"]])
    for node in nodes:
        number = node["id"]
        if number in before and number in after and node["inputs"]:
            node["scope"] = own.get(number) or _common(before[number], after[number])


def _common(one: list[str], other: list[str]) -> list[str]:
    """What two paths have in common, from the outermost module on."""
    return [a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))]


def _home(kind: str, readers: list[list[str]]) -> list[str]:
    """Where a node without a module of its own stands, by where it is read."""
    if kind == "param":
        return readers[0]  # the first reader is the layer, a later one the optimizer
    parts = {path[0] if path else "" for path in readers}
    # What only the update or the backward pass reads was made for it: momentum, a gradient's seed; but not the loss.
    if parts == {"update"} or (parts == {"backward"} and kind != "output"):
        return [parts.pop()]
    return []


def _before_gradients(nodes: list[dict[str, Any]], after_gradient: set[int]) -> set[int]:
    """Gradients, and what is computed from them on the way to further gradients."""
    wanted: set[int] = set()
    for node in reversed(nodes):
        if node["id"] in after_gradient and (node["kind"] == "gradient" or node["id"] in wanted):
            wanted.add(node["id"])
            wanted.update(source for source in node["inputs"] if source in after_gradient)
    return wanted


def _group_updates(nodes: list[dict[str, Any]], by_id: dict[int, dict[str, Any]]) -> None:
    """Sorts the updates of parameters by their modules, and those of several ops into a group for each parameter."""
    update = [node for node in nodes if node["path"] == ["update"]]
    if len(update) <= SMALL_UPDATE:
        return
    leader = {node["id"]: node["id"] for node in update}

    def find(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    for node in update:
        for source in node["inputs"]:
            if source in leader:
                leader[find(node["id"])] = find(source)
    of: dict[int, list[str]] = {}
    sizes = Counter(find(node["id"]) for node in update)
    for node in update:
        for source in map(by_id.__getitem__, node["inputs"]):
            if source["kind"] == "param" and source["path"][:1] != ["update"]:
                part = find(node["id"])
                own = [source["name"].rpartition(".")[2] or source["op"]] if sizes[part] > ALONE else []
                of.setdefault(part, [*source["path"], *own])
    for node in update:
        node["path"] = ["update", *of.get(find(node["id"]), [])]


def _split_large_groups(nodes: Sequence[dict[str, Any]], depth: int = 0) -> None:
    """Puts what stands side by side in a large group, nodes and groups, into numbered parts, in their order."""
    beside: dict[str | int, list[dict[str, Any]]] = {}
    for node in nodes:
        path = node["path"]
        beside.setdefault(path[depth] if len(path) > depth else node["id"], []).append(node)
    divided = len(beside) > LARGEST_FLAT_GROUP
    parts = math.ceil(len(beside) / PART)
    for index, members in enumerate(beside.values()):
        if divided:
            for node in members:
                node["path"] = [*node["path"][:depth], f"part {index // PART + 1} of {parts}", *node["path"][depth:]]
        if len(members[0]["path"]) > depth + divided:
            _split_large_groups(members, depth + divided + 1)
