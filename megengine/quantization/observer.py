"""Observers: what they see of a tensor decides about its scale and zero point."""

from __future__ import annotations

from abc import abstractmethod
from copy import deepcopy
from math import ceil
from typing import Any

import numpy as np

from ..core.tensor.dtype import QuantDtypeMeta
from ..distributed import WORLD, is_distributed
from ..functional import maximum, minimum, round
from ..functional.distributed import all_reduce_max, all_reduce_min
from ..tensor import Tensor
from .histogram import best_range, resampled
from .parts import Part
from .utils import QParams, QParamsModuleMixin, QuantMode, create_qparams

__all__ = [
    "ExponentialMovingAverageObserver", "HistogramObserver", "MinMaxObserver", "Observer", "PassiveObserver",
    "SyncExponentialMovingAverageObserver", "SyncMinMaxObserver",
]  # fmt: skip


class Observer(Part, QParamsModuleMixin):
    """Base of observers, which return their input; in training they are enabled, in evaluation disabled.

    Args:
        dtype: kind of the quantised dtype, or its name such as ``"qint8"``.

    Raises:
        ValueError: no dtype has this name.

    Example:
        >>> class Fixed(megengine.quantization.Observer):
        ...     def get_qparams(self):
        ...         return megengine.quantization.create_qparams(dtype_meta=self.dtype, scale=Tensor(0.5))
        ...     def forward(self, x):
        ...         return x
        >>> Fixed("qint8").get_quantized_dtype().metadata["mgb_dtype"]["scale"]
        0.5
    """

    def __init__(self, dtype: str | QuantDtypeMeta, **kwargs: Any) -> None:
        super().__init__(dtype, **kwargs)

    def train(self, mode: bool = True, recursive: bool = True) -> None:
        """Training or evaluation, which enables or disables it."""
        super().train(mode, recursive)
        (self.enable if mode else self.disable)()

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Look at a tensor, and return it."""


class MinMaxObserver(Observer):
    """Keeps the least and the greatest value of all that it has seen.

    Symmetric: ``scale = max(|min|, |max|) / ((qmax - qmin) / 2)``; asymmetric: ``scale = (max - min) / (qmax - qmin)`` and
    ``zero_point = qmin - round(min / scale)``, where 0 is always within.

    Args:
        mode: a :class:`QuantMode`. Default: ``QuantMode.SYMMERTIC``
        eps: least scale. Default: 1e-5
        dtype: kind of the quantised dtype, or its name. Default: ``"qint8"``

    Attributes:
        min_val, max_val: the least and the greatest value.

    Example:
        >>> observer = megengine.quantization.MinMaxObserver()
        >>> _ = observer(Tensor([-1.0, 2.55]))
        >>> observer.get_qparams().scale
        Tensor(0.02, device=xpux:0)
    """

    def __init__(
        self,
        mode: QuantMode = QuantMode.SYMMERTIC,
        eps: float = 0.00001,
        dtype: str | QuantDtypeMeta = "qint8",
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype, **kwargs)
        self.mode = mode
        widest = np.finfo(np.float32)
        self.min_val = Tensor(widest.max, dtype=np.float32)
        self.max_val = Tensor(widest.min, dtype=np.float32)
        self.scale_limit = eps

    def _calculate_qparams(self, inp_min_val: Tensor, inp_max_val: Tensor) -> QParams:
        low, high = minimum(0.0, inp_min_val), maximum(0.0, inp_max_val)
        steps = self.qmax - self.qmin
        if self.mode == QuantMode.SYMMERTIC:
            scale = maximum(maximum(-low, high) / (steps / 2), self.scale_limit)
            return create_qparams(self.mode, self.dtype, scale=scale)
        scale = maximum((high - low) / steps, self.scale_limit)
        return create_qparams(self.mode, self.dtype, scale=scale, zero_point=self.qmin - round(low / scale))

    def get_qparams(self) -> QParams:
        return self._calculate_qparams(self.min_val, self.max_val)

    def _range(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The least and the greatest value of a tensor."""
        x = x.detach()
        return x.min(), x.max()

    def _learn(self, low: Tensor, high: Tensor) -> None:
        self.min_val[...] = minimum(self.min_val, low)
        self.max_val[...] = maximum(self.max_val, high)

    def forward(self, x_orig: Tensor) -> Tensor:
        if self.enabled:
            self._learn(*self._range(x_orig))
        return x_orig


class ExponentialMovingAverageObserver(MinMaxObserver):
    """Averages the least and the greatest value of what it sees, recent ones weighing more:
    ``min = momentum * min + (1 - momentum) * x.min()``, from the first tensor on.

    Args:
        momentum: weight of what was seen before. Default: 0.9
        mode: a :class:`QuantMode`. Default: ``QuantMode.SYMMERTIC``
        eps: least scale. Default: 1e-5
        dtype: kind of the quantised dtype, or its name. Default: ``"qint8"``

    Example:
        >>> observer = megengine.quantization.ExponentialMovingAverageObserver(momentum=0.5)
        >>> _ = observer(Tensor([0.0, 1.0])), observer(Tensor([0.0, 3.0]))
        >>> observer.max_val
        Tensor(2.0, device=xpux:0)
    """

    def __init__(
        self,
        momentum: float = 0.9,
        mode: QuantMode = QuantMode.SYMMERTIC,
        eps: float = 0.00001,
        dtype: str | QuantDtypeMeta = "qint8",
        **kwargs: Any,
    ) -> None:
        super().__init__(mode, eps, dtype, **kwargs)
        self.momentum = Tensor(momentum, dtype="float32")
        # 0 until something has been seen, so that traces need no condition.
        self.runtime_momentum = Tensor(0.0)

    def set_momentum(self, momentum: float) -> None:
        """Change the weight of what was seen before."""
        self.momentum = Tensor(momentum, dtype="float32")

    def _learn(self, low: Tensor, high: Tensor) -> None:
        kept = self.runtime_momentum
        self.min_val[...] = self.min_val * kept + (1 - kept) * low
        self.max_val[...] = self.max_val * kept + (1 - kept) * high
        self.runtime_momentum[...] = self.momentum


def _range_of_all(x: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest value of a tensor, over all processes."""
    x = x.detach()
    low, high = x.min(), x.max()
    return (all_reduce_min(low, WORLD), all_reduce_max(high, WORLD)) if is_distributed() else (low, high)


class SyncMinMaxObserver(MinMaxObserver):
    """:class:`MinMaxObserver` of the tensors of all processes; the arguments are its.

    Example:
        >>> observer = megengine.quantization.SyncMinMaxObserver()
        >>> _ = observer(Tensor([-1.0, 2.55]))
        >>> observer.get_qparams().scale
        Tensor(0.02, device=xpux:0)
    """

    def _range(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return _range_of_all(x)


class SyncExponentialMovingAverageObserver(ExponentialMovingAverageObserver):
    """:class:`ExponentialMovingAverageObserver` of the tensors of all processes; the arguments are its.

    Example:
        >>> observer = megengine.quantization.SyncExponentialMovingAverageObserver(momentum=0.5)
        >>> _ = observer(Tensor([0.0, 1.0])), observer(Tensor([0.0, 3.0]))
        >>> observer.max_val
        Tensor(2.0, device=xpux:0)
    """

    def _range(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return _range_of_all(x)


class HistogramObserver(MinMaxObserver):
    """Counts values in bins, and chooses the range with the least squared error of rounding, outliers left out.

    Values are spread evenly within their bins. From the whole range on, the bound is moved inwards that leaves out fewer values,
    a share of 1e-5 at a time, as long as the error becomes less.

    Args:
        bins: how many bins. Default: 2048
        upsample_rate: into how many parts a bin is divided where histograms of different ranges are joined. Default: 128
        mode: a :class:`QuantMode`. Default: ``QuantMode.SYMMERTIC``
        eps: least scale. Default: 1e-5
        dtype: kind of the quantised dtype, or its name. Default: ``"qint8"``

    Attributes:
        histogram: how many values each bin has.

    Example:
        >>> observer = megengine.quantization.HistogramObserver()
        >>> x = np.linspace(-1, 1, 1_000_000, dtype="float32")
        >>> x[0] = 3
        >>> _ = observer(Tensor(x))
        >>> observer.max_val, round(observer.get_qparams().scale.item() * 127.5, 1)
        (Tensor(3.0, device=xpux:0), 1.0)
    """

    def __init__(
        self,
        bins: int = 2048,
        upsample_rate: int = 128,
        mode: QuantMode = QuantMode.SYMMERTIC,
        eps: float = 0.00001,
        dtype: str | QuantDtypeMeta = "qint8",
        **kwargs: Any,
    ) -> None:
        super().__init__(mode, eps, dtype, **kwargs)
        self.bins = bins
        self.upsample_rate = upsample_rate
        self.dst_nbins = self.qmax - self.qmin + 1
        self.histogram = Tensor([-1.0] + [0.0] * (bins - 1), dtype="float32")

    def _bounds(self) -> tuple[np.float32, np.float32]:
        return np.float32(self.min_val.numpy()), np.float32(self.max_val.numpy())

    def _non_linear_param_search(self) -> tuple[Tensor, Tensor]:
        counts = self.histogram.numpy()
        assert len(counts) == self.bins, f"the histogram has {len(counts)} bins, not {self.bins}"
        low, high = self._bounds()
        if low == high:
            return self.min_val, self.max_val
        width = float(high - low) / self.bins
        first, last = best_range(counts, width, self.dst_nbins)
        return self.min_val + np.float32(width * first), self.min_val + np.float32(width * (last + 1))

    def get_qparams(self) -> QParams:
        return self._calculate_qparams(*self._non_linear_param_search())

    def sideeffect_forward(self, x_orig: Tensor) -> None:
        """Count the values of a tensor."""
        x = x_orig.numpy()
        low, high = x.min(), x.max()
        histogram = self.histogram.numpy()
        if histogram[0] == -1:
            counts = np.histogram(x, self.bins, (low, high))[0]
        else:
            old_low, old_high = self._bounds()
            if old_low == old_high:  # bins without a width: all that was counted is one number
                x = np.append(x, old_low)
                weights = np.append(np.ones(x.size - 1), histogram.sum())
                low, high = x.min(), x.max()
                return self._keep(np.histogram(x, self.bins, (low, high), weights=weights)[0], low, high)
            low, high, coarser, start = self._common(min(low, old_low), max(high, old_high))
            counts = np.histogram(x, self.bins, (low, high))[0].astype(np.float64)
            if low == old_low and high == old_high:
                counts += histogram
            else:
                counts += resampled(histogram, self.upsample_rate, coarser, start)
        self._keep(counts, low, high)

    def _keep(self, counts: np.ndarray, low: float, high: float) -> None:
        self.histogram = Tensor(counts, dtype="float32")
        self.min_val = Tensor(low, dtype="float32")
        self.max_val = Tensor(high, dtype="float32")

    def _common(self, low: np.float32, high: np.float32) -> tuple[float, float, int, int]:
        """A range that holds the old and the new one, and whose bins are whole multiples of parts of the old bins.

        Returns:
            The bounds, how many parts a bin has, and at which part the old range starts.
        """
        old_low, old_high = self._bounds()
        part = float(old_high - old_low) / (self.bins * self.upsample_rate)
        coarser = ceil(float(high - low) / (self.bins * part))
        more = coarser * (self.bins * part) - float(high - low)
        new_low, new_high = float(low) - more / 2, float(high) + more / 2
        return new_low, new_high, coarser, int(np.round((float(old_low) - new_low) / part))

    def forward(self, x_orig: Tensor) -> Tensor:
        self.sideeffect_forward(x_orig)
        return x_orig


class PassiveObserver(Observer):
    """Learns nothing: its scale is set, by :func:`apply_easy_quant` for instance.

    Args:
        dtype: kind of the quantised dtype, or its name.

    Attributes:
        orig_scale: the scale that was set with the parameters, as a NumPy array.

    Example:
        >>> observer = megengine.quantization.PassiveObserver("qint8")
        >>> observer.set_qparams(megengine.quantization.create_qparams(dtype_meta="qint8", scale=Tensor(1.0)))
        >>> observer.scale = np.float32(0.5)
        >>> observer.scale, observer.orig_scale
        (Tensor(0.5, device=xpux:0), array(1., dtype=float32))
    """

    def __init__(self, dtype: str | QuantDtypeMeta, **kwargs: Any) -> None:
        super().__init__(dtype, **kwargs)
        self.qparams: QParams | None = None
        self.orig_scale: np.ndarray | None = None

    @property
    def scale(self) -> Any:
        """The scale, a tensor; set from numbers greater than 0."""
        return self.get_qparams().scale

    @scale.setter
    def scale(self, value: np.ndarray) -> None:
        assert np.all(value > 0), f"a scale must be greater than 0, not {value}"
        self.get_qparams().scale[...] = Tensor(value, dtype=np.float32)

    def get_qparams(self) -> QParams:
        qparams: Any = self.qparams
        return qparams

    def set_qparams(self, qparams: QParams) -> None:
        """Take over a copy of these parameters.

        Raises:
            AssertionError: no scale, or another kind of dtype.
        """
        if qparams.scale is None:
            raise AssertionError("Can not get an initialized scale")
        if qparams.dtype_meta is None:
            qparams.dtype_meta = self.dtype
        assert qparams.dtype_meta is self.dtype, (
            f"input qparams' dtype is not equal to self.dtype.\nqparams.dtype_meta={qparams.dtype_meta}\nself.dtype={self.dtype}"
        )
        self.qparams = deepcopy(qparams)
        self.orig_scale = qparams.scale.numpy()

    def forward(self, x: Tensor) -> Tensor:
        return x
