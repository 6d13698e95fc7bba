"""Batch normalisation over the examples of all processes."""

from __future__ import annotations

from typing import Any

from ..graph.shared import claim, exclusive
from ..graph.together import reset_together
from ..tensor import Tensor
from ._arithmetic import maximum, sqrt
from ._normalization import batch_norm
from ._reductions import mean


def sync_batch_norm(
    inp: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.9,
    eps: float = 1e-5,
    eps_mode: str = "additive",
    group: Any = None,
) -> Tensor:
    """Batch normalisation over the batches of all processes; with one process, as :func:`batch_norm`.

    The divisor is ``sqrt(var + eps)``, or with ``eps_mode="max"`` ``sqrt(max(var, eps))``.

    Args:
        inp: ``(N, C, ...)``; for ``"max"`` ``(N, C, H, W)``.
        running_mean: ``(C,)`` or ``(1, C, 1, 1)``; changed in training, where it may be None.
        running_var: as ``running_mean``.
        weight: scales of the channels; default 1.
        bias: shifts of the channels; default 0.
        training: whether to use the batch's mean and variance, or the running ones.
        momentum: share of the running statistics that is kept.
        eps: added to the variance, or its least value.
        eps_mode: ``"additive"`` or ``"max"``.
        group: the processes; default all.

    Raises:
        AssertionError: another ``eps_mode``, or no running statistics although not training.
        NotImplementedError: ``"max"`` for other than four dimensions.
        RuntimeError: shapes do not fit.

    Example:
        >>> F.nn.sync_batch_norm(Tensor([[1.0, 5.0], [3.0, 9.0]]), None, None, training=True)
        Tensor([[-1. -1.]
         [ 1.  1.]], device=xpux:0)
    """
    if eps_mode.lower() not in ("additive", "max"):
        raise AssertionError(f"sync_batch_norm: eps_mode={eps_mode!r}: write additive or max")
    if eps_mode.lower() == "additive":
        normalised: Tensor = batch_norm(
            inp, running_mean, running_var, weight, bias, training=training, momentum=momentum, eps=eps
        )
        return normalised
    if inp.ndim != 4:
        raise NotImplementedError(
            f"sync_batch_norm: eps_mode='max' takes four dimensions, the input has shape {inp.shape}"
        )
    if training:
        average = mean(inp, (0, 2, 3), keepdims=True)
        centred = inp - average
        variance = mean(centred * centred, (0, 2, 3), keepdims=True)
        count = inp.shape[0] * inp.shape[2] * inp.shape[3]
        # No element tells anything, and one nothing about the variance.
        batch = ((running_mean, average),) * (count > 0) + ((running_var, variance * (count / (count - 1 or 1))),) * (
            count > 1
        )
        held = [(running, new) for running, new in batch if running is not None]
        with exclusive:
            claim([running for running, _ in held])
            moved = [_moved(running, new, momentum) for running, new in held]
            reset_together([running for running, _ in held], moved)
    else:
        if running_mean is None or running_var is None:
            raise AssertionError("sync_batch_norm: running_mean and running_var are needed in inference")
        centred, variance = inp - _by_channel(running_mean), _by_channel(running_var)
    out = centred / sqrt(maximum(variance, eps))
    if weight is not None:
        out = out * _by_channel(weight)
    return out if bias is None else out + _by_channel(bias)


def _by_channel(x: Tensor) -> Tensor:
    return x.reshape(1, -1, 1, 1)


def _moved(running: Tensor, batch: Tensor, momentum: float) -> Tensor:
    return running * momentum + batch.detach().reshape(running.shape) * (1 - momentum)
