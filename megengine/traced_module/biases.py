"""The rounding of biases as one operator with the numbers of the moment: so programs that read traced graphs know it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..core.ops.builtin import FakeQuant
from ..tensor import Tensor
from .tm_config import exclude_from_trace, state

__all__ = ["recording"]


def recording(original: Callable[..., Any], apply: Callable[..., Any]) -> Callable[..., Any]:
    """A version of ``fake_quant_bias`` that is recorded as ``FakeQuant`` of the bias, with scale and zero point as constants.

    Args:
        original: the function.
        apply: the recording version of :func:`megengine.core.ops.opdef.apply`.
    """

    @functools.wraps(original)
    def recorded(bias: Any, inp: Any, w_qat: Any) -> Any:
        if not state.tracing:
            return original(bias, inp, w_qat)
        with exclude_from_trace():
            rounded = original(bias, inp, w_qat)
            if rounded is bias:
                return bias
            qparams = rounded.qparams
            numbers = [Tensor(qparams.scale.numpy()), Tensor(0.0)]
        made = apply(FakeQuant(qmin=qparams.dtype_meta.qmin, qmax=qparams.dtype_meta.qmax), bias, *numbers)[0]
        made.qparams.update(qparams)
        return made

    return recorded
