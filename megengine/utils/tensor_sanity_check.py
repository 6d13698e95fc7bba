"""Finds programs that change their inputs."""

from __future__ import annotations

from ..graph.sanity import InputsUnchanged


class TensorSanityCheck:
    """Inside its ``with`` block every program is checked to leave those inputs as they were that are in use afterwards.

    A failure is an error of a compiler or of memory shared with another library, see :func:`~megengine.utils.dlpack.from_dlpack`.
    It copies all inputs of all programs to the host, so it is slow.

    Raises:
        RuntimeError: an input changed; it says which one, of which program.

    Example:
        >>> from megengine.utils.tensor_sanity_check import TensorSanityCheck
        >>> with TensorSanityCheck():
        ...     print(Tensor([1, 2]) + Tensor([3, 4]))
        Tensor([4 6], dtype=int32, device=xpux:0)
    """

    def __init__(self) -> None:
        self._check = InputsUnchanged()

    def __enter__(self) -> TensorSanityCheck:
        self._check.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._check.stop()
