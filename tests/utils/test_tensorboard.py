"""What SummaryWriter writes, read back field by field."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor
from megengine._support.tfevents import read_records
from megengine.utils.tensorboard import SummaryWriter

from ..support.test_tfevents import fields, scalars


def values(folder: Path) -> list[tuple[int, dict[int, Any]]]:
    """Step and fields of each event's value."""
    (path,) = folder.iterdir()
    found = []
    for record in read_records(path.read_bytes()):
        event = dict(fields(record))
        if 5 in event:
            ((_, value),) = fields(event[5])
            found.append((event[2], dict(fields(value))))
    return found


def test_scalars(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path / "new" / "run") as writer:
        writer.add_scalar("loss", Tensor(0.5), 3)
        writer.add_scalars({"a/x": np.float64(1.5), "a/y": 2}, 4)
        writer.flush()
        (path,) = (tmp_path / "new" / "run").iterdir()
        events = [scalars(record) for record in read_records(path.read_bytes())]
    assert events == [{}, {"loss": 0.5}, {"a/x": 1.5, "a/y": 2.0}]


def test_texts(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_text("notes", ["first", "zweitens: ä"], 7)
    ((step, value),) = values(tmp_path)
    tensor = fields(value[8])
    assert step == 7 and value[1] == b"notes" and dict(fields(dict(fields(value[9]))[1]))[1] == b"text"
    assert [content.decode() for number, content in tensor if number == 8] == ["first", "zweitens: ä"]
    assert dict(tensor)[1] == 7 and dict(fields(dict(fields(dict(tensor)[2]))[2]))[1] == 2


def test_histograms(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("w", F.arange(8), 1, bins=4)
        for wrong in (np.zeros(0), [1.0, float("nan")]):
            with pytest.raises(ValueError, match="finite"):
                writer.add_histogram("w", wrong)
    ((_, value),) = values(tmp_path)
    histogram = dict(fields(value[5]))
    assert [histogram[k] for k in range(1, 6)] == [0, 7, 8, 28, 140]
    assert struct.unpack("<4d", histogram[6]) == (1.75, 3.5, 5.25, 7) and struct.unpack("<4d", histogram[7]) == (2,) * 4


def test_a_graph(tmp_path: Path) -> None:
    net = M.Sequential(M.Linear(3, 4), M.ReLU(), M.Linear(4, 2))
    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(net, np.ones((5, 3), np.float32))
    (path,) = tmp_path.iterdir()
    graph = dict(fields(list(read_records(path.read_bytes()))[1]))[4]
    nodes = {}
    for number, content in fields(graph):
        if number == 1:
            of = fields(content)
            attributes = {(pair := dict(fields(c)))[1].decode(): dict(fields(pair[2])) for k, c in of if k == 5}
            nodes[dict(of)[1].decode()] = [c.decode() for k, c in of if k == 3], attributes
    last = nodes["Sequential/2/linear"]
    assert set(last[0]) == {"Sequential/2/weight", "Sequential/2/bias", "Sequential/1/relu"}
    sizes = [dict(fields(c))[1] for _, c in fields(dict(fields(last[1]["_output_shapes"][1]))[7])]
    assert sizes == [5, 2] and last[1]["dtype"][2] == b"float32" and last[1]["flops"][2] == b"90"
