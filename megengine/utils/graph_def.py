"""A computing graph as the message that TensorBoard's graph tab reads, written without TensorFlow.

The messages are ``GraphDef``, ``NodeDef`` and ``AttrValue`` of
`graph.proto <https://github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto>`_.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .._support.tfevents import VARINT, key, message, varint

PRODUCER = 22  # the version of the format


def encoded(nodes: Sequence[Mapping[str, Any]]) -> bytes:
    """The nodes of a picture as a ``GraphDef``; groups are what names have before a slash."""
    names = _names(nodes)
    body = b"".join(message(1, _node(node, names)) for node in nodes)
    return body + message(4, key(1, VARINT) + varint(PRODUCER))


def _names(nodes: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """A distinct name for each node, of characters that TensorBoard takes."""
    taken: Counter[str] = Counter()
    names = {}
    for node in nodes:
        own = node["name"].rpartition(".")[2] or node["op"]
        name = "/".join(_allowed(part) for part in (*node["path"], own))
        taken[name] += 1
        names[node["id"]] = name if taken[name] == 1 else f"{name}_{taken[name] - 1}"
    return names


def _allowed(part: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in part)
    return kept if kept[:1].isalnum() or kept[:1] == "." else f".{kept}"


def _node(node: Mapping[str, Any], names: Mapping[int, str]) -> bytes:
    body = message(1, names[node["id"]].encode()) + message(2, node["op"].encode())
    body += b"".join(message(3, names[k].encode()) for k in node["inputs"])
    attributes = {
        "_output_shapes": message(1, message(7, _shape(node["shape"]))),
        "dtype": message(2, node["dtype"].encode()),
    }
    for name in ("attributes", "where", "flops", "bytes", "seconds"):
        if node.get(name):
            attributes[name] = message(2, str(node[name]).encode())
    return body + b"".join(message(5, message(1, n.encode()) + message(2, v)) for n, v in attributes.items())


def _shape(sizes: Sequence[int]) -> bytes:
    return b"".join(message(2, key(1, VARINT) + varint(n)) for n in sizes)
