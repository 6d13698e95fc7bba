"""Modules of foreign models: what they hold, and that calling them says what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from megengine import Tensor
from megengine.module import external


@pytest.mark.parametrize(
    ("module", "runtime"),
    [
        (external.ExternOprSubgraph([(1,)], "net", b"ab"), "a loader of foreign operators"),
        (external.TensorrtRuntimeSubgraph(b"ab"), "TensorRT"),
        (external.CambriconRuntimeSubgraph(b"ab", "subnet0", False), "Cambricon"),
        (external.AtlasRuntimeSubgraph(b"ab"), "Atlas"),
        (external.MagicMindRuntimeSubgraph(b"ab"), "MagicMind"),
    ],
)
def test_foreign_models(module: Any, runtime: str) -> None:
    assert module.data == b"ab"
    with pytest.raises(NotImplementedError, match=runtime):
        module(Tensor([1.0]))
    module.data = b"cd"
    assert module.data.tolist() == [99, 100]


def test_the_name_is_that_of_the_subgraph() -> None:
    module = external.ExternOprSubgraph([(1,), (2,)], "net", b"ab", name="other")
    assert module.name == "net" and len(module._output_dtypes) == 2
