"""Files that MegEngine 1.13.0 wrote (`tests/golden/dumps.tar.xz`) give its numbers here; what is wrong with one is told."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from megengine.core.tensor.megbrain_graph import load_graph
from megengine.graph.exchange import GraphFileError
from megengine.network.mge import load, operators_read
from megengine.network.mge.container import opened
from megengine.network.mge.typeids import xxh64
from megengine.utils.comp_graph_tools import GraphInference
from megengine.utils.network import Network

ROOT = Path(__file__).resolve().parents[3]
with tarfile.open(ROOT / "tests" / "golden" / "dumps.tar.xz") as archive:
    ENTRIES = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
FILES = [name for name in ENTRIES if name.endswith(".mge")]


def entry(name: str) -> bytes:
    return ENTRIES[name]


def array(name: str) -> Any:
    return np.load(io.BytesIO(entry(name)))


def answers(model: str, kind: str = "output") -> list[Any]:
    names = sorted((n for n in ENTRIES if n.startswith(f"{model}/{kind}_")), key=lambda n: int(n[:-4].split("_")[-1]))
    return [np.atleast_1d(array(n)) for n in names]  # the graphs have no scalars but vectors of one


def agrees(found: Any, expected: list[Any]) -> None:
    assert [(f.shape, f.dtype) for f in found] == [(e.shape, e.dtype) for e in expected]
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FILES)
def test_numbers(name: str) -> None:
    model = name.split("/")[0]
    graph = GraphInference(io.BytesIO(entry(name)))
    found = graph.run(array(f"{model}/input.npy"))
    assert list(found) == [f"out{k}" for k in range(len(found))]
    agrees(found.values(), answers(model))


@pytest.mark.parametrize("name", [n for n in FILES if n.split("/")[0] in ("lenet", "shufflenetv2", "yolox", "quantised")])
def test_numbers_of_another_input(name: str) -> None:
    """Of another batch size, and of numbers that leave other boxes."""
    model = name.split("/")[0]
    graph = GraphInference(io.BytesIO(entry(name)))
    agrees(graph.run(array(f"{model}/again.npy")).values(), answers(model, "again"))


def test_written_as_ours() -> None:
    for name in ("yolox/plain.FBS_V2.mge", "bert/optimised.FBS.mge", "quantised/fused.FBS_V2.mge"):
        model, file = name.split("/")[0], io.BytesIO()
        Network.load(io.BytesIO(entry(name))).dump(file, optimize_for_inference=False)
        agrees(GraphInference(io.BytesIO(file.getvalue())).run(array(f"{model}/input.npy")).values(), answers(model))


def test_nodes_have_the_names_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lenet.mge"
    path.write_bytes(entry("lenet/plain.FBS_V2.mge"))
    graph = Network.load(path)
    assert [n.name for n in graph.opr_filter.type(type(graph.get_opr_by_name("conv1.Convolution")))] == [
        "conv1.Convolution", "conv2.Convolution",
    ]  # fmt: skip
    assert sorted(n.name for n in graph.params_filter) == sorted(
        f"{layer}.{what}" for layer in ("conv1", "conv2", "fc1", "fc2") for what in ("weight", "bias")
    )
    assert graph.metadata is not None and not graph.metadata["optimized_for_inference"]
    graph.reset_batch_size(7)
    assert graph.get_var_by_name("out0").shape == (7, 5)
    assert list(load_graph(str(path)).output_vars_dict) == ["out0"]


def test_every_truncation_is_told() -> None:
    for name in ("mlp/plain.FBS.mge", "mlp/plain.FBS_V2.mge"):
        data = entry(name)
        for length in range(20, len(data) - 1, 97):
            with pytest.raises(GraphFileError, match=r"truncated|damaged"):
                load(data[:length])


def test_damage_is_told_or_changes_numbers_alone() -> None:
    """The format has no sums over its bytes: what is left is that nothing else is raised."""
    rng = np.random.default_rng(0)
    told = 0
    for name in ("mlp/plain.FBS.mge", "mlp/plain.FBS_V2.mge"):
        for place in rng.integers(24, len(entry(name)), 150):
            data = bytearray(entry(name))
            data[place] ^= 0xFF
            try:
                load(bytes(data))
            except GraphFileError:
                told += 1
    assert told > 20


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mge"
    path.write_bytes(entry("mlp/plain.FBS_V2.mge")[:400])
    with pytest.raises(GraphFileError) as caught:
        Network.load(path)
    assert str(path) in " ".join(caught.value.__notes__)


def test_a_newer_version_and_unknown_operators() -> None:
    data = bytearray(entry("mlp/plain.FBS_V2.mge"))
    root = 4 + int.from_bytes(data[4:8], "little")
    table = root - int.from_bytes(data[root : root + 4], "little", signed=True)
    version = root + int.from_bytes(data[table + 6 : table + 8], "little")
    assert data[version] == 2
    data[version] = 9
    with pytest.raises(GraphFileError, match="version 9"):
        load(bytes(data))
    renamed = entry("mlp/plain.FBS_V2.mge").replace(b"Softmax\0", b"Softmin\0")
    with pytest.raises(GraphFileError, match="Softmin is an operator that megengine-xla does not read"):
        load(renamed)
    known = xxh64(b"Softmax\0").to_bytes(8, "little")
    with pytest.raises(GraphFileError, match="an operator of number 0x"):
        load(entry("mlp/plain.FBS.mge").replace(known, b"\1" * 8))


@pytest.mark.parametrize(
    ("text", "seed", "expected"),
    [("", 0, 0xEF46DB3751D8E999), ("abc", 0, 0x44BC2CF5AD770999)],  # of xxHash's own tests
)
def test_hash(text: str, seed: int, expected: int) -> None:
    assert xxh64(text.encode(), seed) == expected


def test_names_of_operators_by_number() -> None:
    """The same graph in both formats has the same operators; only the second has their names."""
    for model in ("layers", "vision"):
        by_number = [op.kind for op in opened(entry(f"{model}/optimised.FBS.mge")).operators]
        by_name = [op.kind for op in opened(entry(f"{model}/plain.FBS_V2.mge")).operators]
        assert {"ConvolutionBackwardData", "Convolution3D", "ROIAlign", "Remap"} & set(by_name) <= set(by_number)


def test_the_page_says_how_many_operators_are_read() -> None:
    read, every = operators_read()
    forward = [kind for kind in every if "Backward" not in kind]
    assert set(read) <= set(every)
    page = (ROOT / "docs" / "graph-files.md").read_text(encoding="utf-8")
    assert f"{len(read)} of the {len(forward)} operators" in page, (len(read), len(forward))
    assert f"{len(every) - len(forward)} more" in page


def test_what_is_not_read_is_named() -> None:
    """A kernel's own layout, and a pickle in the metadata that names a class."""
    data = entry("lenet/fused.FBS_V2.mge")
    graph = opened(data)
    conv = next(op for op in graph.operators if op.kind == "ConvBiasForward")
    conv.param("ConvBias").values["format"] = "NCHW44"
    from megengine.network.mge.building import Builder

    builder = Builder()
    with pytest.raises(GraphFileError, match="ConvBiasForward 'conv1.Convolution' has the format NCHW44"):
        for op in graph.operators:
            builder.add(op)
