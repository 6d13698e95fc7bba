"""Tensors shared with other libraries, without a copy (https://dmlc.github.io/dlpack).

Tensors have ``__dlpack__`` too, so that ``torch.from_dlpack(x)`` and ``np.from_dlpack(x)`` take them as they are.
"""

from __future__ import annotations

from typing import Any

from ..graph import interchange
from ..graph.guards import not_replayable
from ..tensor import Tensor

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor, stream: int | None = None) -> Any:
    """A capsule with the elements of a tensor, which another library takes over without copying them.

    Who takes it must not write into it: other tensors may have the same memory.

    Args:
        tensor: the tensor; what it is computed from runs.
        stream: number of the CUDA stream that is to read it; None or -1 for no synchronisation.

    Returns:
        A ``PyCapsule``, good for one use.

    Raises:
        TypeError: not a tensor.

    Example:
        >>> from megengine.utils.dlpack import from_dlpack, to_dlpack
        >>> from_dlpack(to_dlpack(Tensor([1.0, 2.0])))
        Tensor([1. 2.], device=xpux:0)
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"to_dlpack takes a tensor, not a {type(tensor).__name__}")
    return tensor.__dlpack__() if stream in (None, -1) else tensor.__dlpack__(stream=stream)


def from_dlpack(ext_tensor: Any, stream: int | None = None) -> Tensor:
    """A tensor of the elements of another library's array, without copying them where XLA can use their memory.

    XLA on the CPU takes memory that starts at a multiple of 64 bytes, as PyTorch's does and NumPy's may; elsewhere, and where
    the elements are not in order, they are copied. The array must not be written to while the tensor is in use.

    Args:
        ext_tensor: a capsule, or an array with ``__dlpack__``, such as a PyTorch tensor.
        stream: number of the CUDA stream that wrote it; XLA synchronises by itself.

    Raises:
        AssertionError: a negative stream.
        ArgumentError: something else, or a capsule that was used before.
        RuntimeError: a dtype such as float64, or a device that tensors do not have.

    Example:
        >>> from megengine.utils.dlpack import from_dlpack
        >>> from_dlpack(np.array([[1, 2], [3, 4]], dtype="int32"))
        Tensor([[1 2]
         [3 4]], dtype=int32, device=xpux:0)
    """
    if isinstance(stream, int) and stream < 0:
        raise AssertionError(f"from_dlpack: stream must not be negative, it is {stream}")
    not_replayable("it takes an array of another library")
    tensor: Tensor = interchange.from_dlpack(ext_tensor)
    return tensor
