"""Models compiled for other vendors' runtimes, as modules: they hold them, but cannot run them here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..functional import external
from ..tensor import Tensor
from .module import Module


class _RuntimeSubgraph(Module):
    """Holds the bytes of a compiled model."""

    def __init__(self, data: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._data = data

    @property
    def data(self) -> Any:
        """The model: what was given, or after an assignment an array of its bytes."""
        return self._data

    @data.setter
    def data(self, val: Any) -> None:
        self._data = np.frombuffer(val, dtype=np.uint8)


class ExternOprSubgraph(_RuntimeSubgraph):
    """A serialized subgraph of another framework, see :func:`~megengine.functional.external.extern_opr_subgraph`.

    Args:
        output_shapes: the outputs' shapes.
        dump_name: name of the subgraph.
        dump_data: the subgraph.
        output_dtypes: the outputs' dtypes. Default: float32

    Raises:
        NotImplementedError: it is called.

    Example:
        >>> subgraph = M.external.ExternOprSubgraph([(1,)], "net", b"bytes")
        >>> subgraph.name, subgraph.data
        ('net', b'bytes')
    """

    def __init__(
        self,
        output_shapes: Sequence[tuple[int, ...]],
        dump_name: str,
        dump_data: Any,
        output_dtypes: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dump_data, **kwargs)
        self._dump_name = dump_name
        self._output_shapes = output_shapes
        self._output_dtypes = [np.float32] * len(output_shapes) if output_dtypes is None else output_dtypes

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the subgraph."""
        return self._dump_name

    @name.setter
    def name(self, val: str) -> None:
        self._dump_name = val

    def forward(self, *inputs: Tensor) -> Any:
        return external.extern_opr_subgraph(
            inputs,
            output_shapes=list(self._output_shapes),
            dump_name=self.name,
            dump_data=self.data,
            output_dtypes=self._output_dtypes,
        )


class TensorrtRuntimeSubgraph(_RuntimeSubgraph):
    """A serialized TensorRT engine, see :func:`~megengine.functional.external.tensorrt_runtime_opr`.

    Args:
        data: the engine.

    Raises:
        NotImplementedError: it is called.

    Example:
        >>> M.external.TensorrtRuntimeSubgraph(b"engine").data
        b'engine'
    """

    def forward(self, *inputs: Tensor) -> Any:
        return external.tensorrt_runtime_opr(inputs, data=self.data)  # type: ignore[func-returns-value]


class CambriconRuntimeSubgraph(_RuntimeSubgraph):
    """A serialized Cambricon model, see :func:`~megengine.functional.external.cambricon_runtime_opr`.

    Args:
        data: the model.
        symbol: name of the function in the model.
        tensor_dim_mutable: whether the inputs' shapes may change.

    Raises:
        NotImplementedError: it is called.

    Example:
        >>> M.external.CambriconRuntimeSubgraph(b"model", "subnet0", False).symbol
        'subnet0'
    """

    def __init__(self, data: Any, symbol: str, tensor_dim_mutable: bool, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.symbol = symbol
        self.tensor_dim_mutable = tensor_dim_mutable

    def forward(self, *inputs: Tensor) -> Any:
        return external.cambricon_runtime_opr(inputs, self.data, self.symbol, self.tensor_dim_mutable)


class AtlasRuntimeSubgraph(_RuntimeSubgraph):
    """A serialized Atlas model, see :func:`~megengine.functional.external.atlas_runtime_opr`.

    Args:
        data: the model.

    Raises:
        NotImplementedError: it is called.

    Example:
        >>> M.external.AtlasRuntimeSubgraph(b"model").data
        b'model'
    """

    def forward(self, *inputs: Tensor) -> Any:
        return external.atlas_runtime_opr(inputs, data=self.data)


class MagicMindRuntimeSubgraph(_RuntimeSubgraph):
    """A serialized MagicMind model, see :func:`~megengine.functional.external.magicmind_runtime_opr`.

    Args:
        data: the model.

    Raises:
        NotImplementedError: it is called.

    Example:
        >>> M.external.MagicMindRuntimeSubgraph(b"model").data
        b'model'
    """

    def forward(self, *inputs: Tensor) -> Any:
        return external.magicmind_runtime_opr(inputs, data=self.data)
