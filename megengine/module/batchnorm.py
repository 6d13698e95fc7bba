"""Batch normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._help.ranges import integer, within
from ..functional.nn import batch_norm, sync_batch_norm
from ..tensor import Parameter, Tensor
from . import init
from .module import Module


class _BatchNorm(Module):
    """What batch normalisations share: parameters and running statistics, all ``(1, num_features, 1, 1)``."""

    _flat_state = True
    #: how many dimensions the input may have
    _dims: tuple[int, ...] = ()

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.9,
        affine: bool = True,
        track_running_stats: bool = True,
        freeze: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_features = integer("num_features", num_features, 1)
        self.eps = within("eps", eps, 0)
        self.momentum = within("momentum", momentum, 0, 1)
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._track_running_stats_saved = track_running_stats
        self.freeze = freeze
        if freeze and not track_running_stats:
            raise AssertionError("freeze=True uses running statistics: it needs track_running_stats=True")
        shape = (1, self.num_features, 1, 1)
        self.weight = Parameter(np.ones(shape, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(shape, np.float32)) if affine else None
        self.running_mean = Tensor(np.zeros(shape, np.float32)) if track_running_stats else None
        self.running_var = Tensor(np.ones(shape, np.float32)) if track_running_stats else None

    def reset_running_stats(self) -> None:
        """Set the running mean to zero and the running variance to one."""
        if self.running_mean is not None and self.running_var is not None:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)

    def reset_parameters(self) -> None:
        """Set running statistics, weight and bias to their start values."""
        self.reset_running_stats()
        if self.weight is not None and self.bias is not None:
            init.ones_(self.weight)
            init.zeros_(self.bias)

    def _check_input_ndim(self, inp: Tensor) -> None:
        if inp.ndim not in self._dims:
            *most, last = (f"{n}D" for n in self._dims)
            expected = f"{', '.join(most)} or {last}" if most else last
            raise ValueError(f"{type(self).__name__}: expected {expected} input (got {inp.ndim}D input)")

    def _normalise(self, inp: Tensor, weight: Tensor | None, bias: Tensor | None, **settings: Any) -> Tensor:
        normalised: Tensor = batch_norm(inp, *self._running(), weight, bias, **settings)
        return normalised

    def _running(self) -> tuple[Tensor | None, Tensor | None]:
        return (self.running_mean, self.running_var) if self.track_running_stats else (None, None)

    def forward(self, inp: Tensor) -> Tensor:
        self._check_input_ndim(inp)
        if self.track_running_stats and not self._track_running_stats_saved:
            raise AssertionError("a layer made with track_running_stats=False has none to track")
        weight: Tensor | None = self.weight
        bias: Tensor | None = self.bias
        if self.freeze:
            weight, bias = (None if p is None else p.detach() for p in (weight, bias))
        training = not self.freeze and (self.training or not self.track_running_stats)
        return self._normalise(inp, weight, bias, training=training, momentum=self.momentum, eps=self.eps)

    def _module_info_string(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of ``(N, C)`` or ``(N, C, L)``; otherwise as :class:`BatchNorm2d`.

    Raises:
        ValueError: an input of another number of dimensions.

    Example:
        >>> M.BatchNorm1d(2)(Tensor([[1.0, 5.0], [3.0, 9.0]]))
        Tensor([[-1. -1.]
         [ 1.  1.]], device=xpux:0)
    """

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of ``(N, C, H, W)`` (Ioffe and Szegedy, Batch Normalization, 2015).

    ``y = (x - mean) / sqrt(var + eps) * weight + bias``. In training, mean and variance are those of the batch, and the running
    ones become ``momentum * running + (1 - momentum) * batch``, with the unbiased variance (a momentum of 0.9 here is 0.1
    in PyTorch). In evaluation they are the running ones. Weights and running variances start as 1, the others as 0.

    Args:
        num_features: C, the number of channels.
        eps: added to the variance. Default: 1e-5
        momentum: share of the running statistics that is kept in an update. Default: 0.9
        affine: whether there are a weight and a bias. Default: True
        track_running_stats: whether there are running statistics; without them those of the batch are used in evaluation,
            too. Default: True
        freeze: use the running statistics, do not change them, and let no gradient flow to weight and bias. Default: False

    Raises:
        AssertionError: ``freeze`` without running statistics.
        ValueError: an input of another number of dimensions.
        RuntimeError: an input of another number of channels.

    Example:
        >>> bn = M.BatchNorm2d(1, momentum=0.5)
        >>> bn(Tensor(np.array([1, 3], "float32").reshape(2, 1, 1, 1))).flatten()
        Tensor([-1.  1.], device=xpux:0)
        >>> bn.running_mean.item(), bn.running_var.item()
        (1.0, 1.5)
    """

    _dims = (4,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation over the batches of all processes, of ``(N, C)``, ``(N, C, L)`` or ``(N, C, H, W)``.

    With one process it is :class:`BatchNorm2d`.

    Args:
        num_features: C, the number of channels.
        eps: added to the variance. Default: 1e-5
        momentum: share of the running statistics that is kept in an update. Default: 0.9
        affine: whether there are a weight and a bias. Default: True
        track_running_stats: whether there are running statistics. Default: True
        freeze: use the running statistics, do not change them, and let no gradient flow to weight and bias. Default: False
        group: the processes. Default: all

    Raises:
        AssertionError: ``freeze`` without running statistics.
        ValueError: an input of another number of dimensions.

    Example:
        >>> M.SyncBatchNorm(2)(Tensor([[1.0, 5.0], [3.0, 9.0]]))
        Tensor([[-1. -1.]
         [ 1.  1.]], device=xpux:0)
    """

    _dims = (2, 3, 4)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.9,
        affine: bool = True,
        track_running_stats: bool = True,
        freeze: bool = False,
        group: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, freeze, **kwargs)
        self.group = group

    def _normalise(self, inp: Tensor, weight: Tensor | None, bias: Tensor | None, **settings: Any) -> Tensor:
        return sync_batch_norm(inp, *self._running(), weight, bias, group=self.group, **settings)
