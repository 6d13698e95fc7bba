"""Models compiled for other vendors' runtimes. MegEngine runs them as operators; here each name says that it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from ..tensor import Tensor

__all__ = [
    "extern_opr_subgraph", "tensorrt_runtime_opr", "cambricon_runtime_opr", "atlas_runtime_opr", "magicmind_runtime_opr",
]  # fmt: skip


def _refuse(name: str, runtime: str) -> NoReturn:
    raise NotImplementedError(
        f"{name} needs {runtime}, which this package does not load; run that part of the model with the vendor's own tools"
    )


def extern_opr_subgraph(
    inputs: Sequence[Tensor], output_shapes: list[tuple[int, ...]], dump_name: str, dump_data: bytes, output_dtypes: Any
) -> NoReturn:
    """A serialized subgraph of another framework: always an error here.

    Args:
        inputs: input tensors.
        output_shapes: the outputs' shapes.
        dump_name: name of the subgraph.
        dump_data: the subgraph.
        output_dtypes: the outputs' dtypes.

    Raises:
        NotImplementedError: always.

    Example:
        >>> F.external.extern_opr_subgraph([], [(1,)], "net", b"", ["float32"])
        Traceback (most recent call last):
        NotImplementedError: extern_opr_subgraph needs a loader of foreign operators, ...
    """
    _refuse("extern_opr_subgraph", "a loader of foreign operators")


def tensorrt_runtime_opr(inputs: Sequence[Tensor], *, data: bytes | None = None) -> None:
    """A serialized TensorRT engine: an error here.

    Args:
        inputs: input tensors.
        data: the engine; without it nothing is done, as in MegEngine.

    Raises:
        NotImplementedError: there is an engine to run.

    Example:
        >>> F.external.tensorrt_runtime_opr([], data=b"engine")
        Traceback (most recent call last):
        NotImplementedError: tensorrt_runtime_opr needs TensorRT, ...
    """
    if data is not None:
        _refuse("tensorrt_runtime_opr", "TensorRT")


def cambricon_runtime_opr(inputs: Sequence[Tensor], data: bytes, symbol: str, tensor_dim_mutable: bool) -> NoReturn:
    """A serialized Cambricon model: always an error here.

    Args:
        inputs: input tensors.
        data: the model.
        symbol: name of the function in it.
        tensor_dim_mutable: whether the inputs' shapes may change.

    Raises:
        NotImplementedError: always.

    Example:
        >>> F.external.cambricon_runtime_opr([], b"", "main", False)
        Traceback (most recent call last):
        NotImplementedError: cambricon_runtime_opr needs Cambricon's runtime, ...
    """
    _refuse("cambricon_runtime_opr", "Cambricon's runtime")


def atlas_runtime_opr(inputs: Sequence[Tensor], data: bytes) -> NoReturn:
    """A serialized Atlas model: always an error here.

    Args:
        inputs: input tensors.
        data: the model.

    Raises:
        NotImplementedError: always.

    Example:
        >>> F.external.atlas_runtime_opr([], b"")
        Traceback (most recent call last):
        NotImplementedError: atlas_runtime_opr needs Huawei's Atlas runtime, ...
    """
    _refuse("atlas_runtime_opr", "Huawei's Atlas runtime")


def magicmind_runtime_opr(inputs: Sequence[Tensor], data: bytes) -> NoReturn:
    """A serialized MagicMind model: always an error here.

    Args:
        inputs: input tensors.
        data: the model.

    Raises:
        NotImplementedError: always.

    Example:
        >>> F.external.magicmind_runtime_opr([], b"")
        Traceback (most recent call last):
        NotImplementedError: magicmind_runtime_opr needs Cambricon's MagicMind, ...
    """
    _refuse("magicmind_runtime_opr", "Cambricon's MagicMind")
