"""Without the package ``onnx``, and with models that are too large for one file."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

import megengine.module as M
from megengine import Tensor, onnx
from megengine.onnx import exporting
from megengine.onnx.package import onnx as package


def test_the_extra_is_named_where_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    package.cache_clear()
    try:
        for call in (
            lambda: onnx.load("net.onnx"),
            lambda: onnx.export(M.Linear(2, 2), None, [np.ones((1, 2), np.float32)]),
        ):
            with pytest.raises(ModuleNotFoundError, match=r"pip install 'megengine-xla\[onnx\]'"):
                call()
    finally:
        package.cache_clear()


def test_a_large_model_has_its_weights_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    monkeypatch.setattr(exporting, "LIMIT", 100)
    net, x = M.Linear(64, 64), np.ones((1, 64), np.float32)
    onnx.export(net, tmp_path / "net.onnx", [x])
    assert (tmp_path / "net.onnx.data").stat().st_size >= 4 * 64 * 64 > (tmp_path / "net.onnx").stat().st_size
    np.testing.assert_allclose(onnx.load(tmp_path / "net.onnx")(x).numpy(), net(Tensor(x)).numpy(), 1e-6)
    with pytest.raises(onnx.OnnxError, match="written to a path"):
        onnx.export(net, io.BytesIO(), [x])
