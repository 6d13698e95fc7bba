"""autocast: mixed precision for a block or a function."""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import Any

import numpy as np

from ..graph import precision
from ..graph.dtypes import dtype_of
from ..ops.promote import FLOATS


class autocast(ContextDecorator):
    """Mixed precision inside a ``with`` block, or as a decorator inside a function.

    Operands are cast where an operation is called, and gradients come back in the dtype of what they are gradients of, so that
    float32 parameters stay float32 and have float32 gradients:

    - to low precision: ``matmul`` (but for two vectors), ``linear``, ``conv1d``, ``conv2d``, ``conv_transpose2d``,
      ``deformable_conv2d`` and the input of ``batch_norm``. They sum in float32;
    - to high precision: division, powers, ``exp``, ``log``, ``sqrt``, trigonometric and hyperbolic functions but for ``tanh``,
      ``softplus``, ``logsigmoid``, ``hsigmoid``, ``logsoftmax``, ``logsumexp``, ``norm``, ``normalize``, ``layer_norm`` and
      ``group_norm``; losses are float32 anyway;
    - all others take what they get; where precisions mix, float32 comes out.

    Other threads are not affected. Micikevicius et al., Mixed Precision Training, 2018.

    Args:
        enabled: False turns an outer block off. Default: True
        low_prec_dtype: ``"float16"`` or ``"bfloat16"``, which has the range of float32 and needs no :class:`GradScaler`.
        high_prec_dtype: default ``"float32"``

    Raises:
        ValueError: a dtype that is not floating-point.
        TypeError: a text for ``enabled``.

    Example:
        >>> x = F.ones((2, 2))
        >>> with megengine.amp.autocast():
        ...     print((x @ x).dtype, F.exp(x @ x).dtype)
        float16 float32
        >>> @megengine.amp.autocast(low_prec_dtype="bfloat16")
        ... def square(x):
        ...     return x @ x
        >>> square(x).dtype.name
        'bfloat16'
    """

    def __init__(self, enabled: bool = True, low_prec_dtype: str = "float16", high_prec_dtype: str = "float32") -> None:
        if isinstance(enabled, str):
            raise TypeError(f"enabled must be True or False, not {enabled!r}: write autocast(low_prec_dtype={enabled!r})")
        self.enabled = bool(enabled)
        self.low_prec_dtype = precision_dtype("low_prec_dtype", low_prec_dtype).name
        self.high_prec_dtype = precision_dtype("high_prec_dtype", high_prec_dtype).name
        self._outer: list[Any] = []

    def _recreate_cm(self) -> autocast:
        # Each call of a decorated function is a block of its own, in whichever thread.
        return autocast(self.enabled, self.low_prec_dtype, self.high_prec_dtype)

    def __enter__(self) -> autocast:
        changes: dict[str, Any] = {"enabled": self.enabled}
        if self.enabled:
            changes |= {"low": dtype_of(self.low_prec_dtype), "high": dtype_of(self.high_prec_dtype)}
        precision.enter(self._outer, **changes)
        return self

    def __exit__(self, *exc: object) -> None:
        precision.here.own = self._outer[-1]  # without a call, before which an interrupt could come
        del self._outer[-1]


def precision_dtype(name: str, value: Any) -> np.dtype[Any]:
    """A floating-point dtype as users name it.

    Raises:
        ValueError: another dtype, or none.
    """
    try:
        dtype = dtype_of(value)
    except (TypeError, ValueError, RuntimeError):
        dtype = None
    if dtype not in FLOATS:
        raise ValueError(f"{name}={value!r}: write float16, bfloat16 or float32")
    return dtype
