"""Batch normalisation over the examples of all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..graph.shared import claim, exclusive
from ..graph.together import reset_together
from ..tensor import Tensor
from ._arithmetic import maximum, sqrt
from ._creation import full
from ._joining import concat
from ._normalization import batch_norm
from ._reductions import mean, sum

if TYPE_CHECKING:
    from ..distributed.group import Group


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
    from ..distributed.group import as_group  # loaded with the first module that needs it

    members = as_group(group)
    several = training and members.size > 1
    if eps_mode.lower() == "additive" and not several:
        normalised: Tensor = batch_norm(
            inp, running_mean, running_var, weight, bias, training=training, momentum=momentum, eps=eps
        )
        return normalised
    if eps_mode.lower() == "max" and inp.ndim != 4:
        raise NotImplementedError(
            f"sync_batch_norm: eps_mode='max' takes four dimensions, the input has shape {inp.shape}"
        )
    given = inp.dtype
    if several and inp.dtype.itemsize < 4:
        inp = inp.astype("float32")  # sums and numbers of elements beyond what halves hold
    if training:
        centred, variance, batch = _of_all(inp, members) if several else _of_this(inp)
        held = [
            (running, new)
            for running, new in zip((running_mean, running_var), batch, strict=False)
            if running is not None
        ]
        with exclusive:
            claim([running for running, _ in held])
            moved = [_moved(running, new, momentum) for running, new in held]
            reset_together([running for running, _ in held], moved)
    else:
        if running_mean is None or running_var is None:
            raise AssertionError("sync_batch_norm: running_mean and running_var are needed in inference")
        centred, variance = inp - _by_channel(running_mean, inp.ndim), _by_channel(running_var, inp.ndim)
    out = centred / sqrt(maximum(variance, eps) if eps_mode.lower() == "max" else variance + eps)
    if weight is not None:
        out = out * _by_channel(weight, inp.ndim)
    out = out if bias is None else out + _by_channel(bias, inp.ndim)
    return out.astype(given) if several else out


def _of_this(inp: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Of this process's batch: deviations from the mean, the variance, and what moves the running statistics."""
    average = mean(inp, (0, 2, 3), keepdims=True)
    centred = inp - average
    variance = mean(centred * centred, (0, 2, 3), keepdims=True)
    count = inp.shape[0] * inp.shape[2] * inp.shape[3]
    # No element tells anything, and one nothing about the variance.
    return centred, variance, [average, variance * (count / (count - 1 or 1))][: min(count, 2)]


def _of_all(inp: Tensor, group: Group) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The same of the batches of all processes, which need not be equally large, by one message.

    Each tells its number of elements, their mean and their squared deviations from it, which are combined as Chan, Golub and
    LeVeque do (1979).
    """
    from ..distributed.functional import all_gather

    axes, channels = [k for k in range(inp.ndim) if k != 1], inp.shape[1]
    elements = inp.size // max(channels, 1)
    own = sum(inp, axes) / max(elements, 1)
    spread = sum((inp - _by_channel(own, inp.ndim)) ** 2, axes)
    told = concat([full((1,), elements, dtype=inp.dtype, device=inp.device), own, spread])
    of_all = all_gather(told.reshape(1, -1), group)
    counts, means, spreads = of_all[:, :1].detach(), of_all[:, 1 : 1 + channels], of_all[:, 1 + channels :]
    count = maximum(sum(counts), 1)
    average = sum(counts * means, 0) / count
    variance = (sum(spreads, 0) + sum(counts * (means - average) ** 2, 0)) / count
    centred = inp - _by_channel(average, inp.ndim)
    batch = [average, variance * (count / maximum(count - 1, 1))]
    return centred, _by_channel(variance, inp.ndim), batch


def _by_channel(x: Tensor, ndim: int) -> Tensor:
    return x.reshape(1, -1, *[1] * (ndim - 2))


def _moved(running: Tensor, batch: Tensor, momentum: float) -> Tensor:
    return running * momentum + batch.detach().reshape(running.shape) * (1 - momentum)
