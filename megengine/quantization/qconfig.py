"""Which observers and fake quantizations the layers of a model get."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NamedTuple

from ..module import Module
from .fake_quant import TQT, FakeQuantize
from .observer import (
    ExponentialMovingAverageObserver,
    HistogramObserver,
    MinMaxObserver,
    PassiveObserver,
    SyncExponentialMovingAverageObserver,
    SyncMinMaxObserver,
)

_Maker = Callable[[], Module] | None


class _Makers(NamedTuple):
    weight_observer: _Maker
    act_observer: _Maker
    weight_fake_quant: _Maker
    act_fake_quant: _Maker


class QConfig(_Makers):
    """What makes the observers and fake quantizations of a layer: classes, or ``functools.partial`` of them with arguments.

    Weights have a dtype without its least integer, ``"qint8_narrow"``, so that no product of two integers overflows int16 where
    two are added.

    Args:
        weight_observer: makes the observer of a weight; None for none.
        act_observer: makes that of a result.
        weight_fake_quant: makes the fake quantization of a weight; None for none.
        act_fake_quant: makes that of a result.

    Raises:
        ValueError: an observer instead of what makes one.

    Example:
        >>> from functools import partial
        >>> q = megengine.quantization
        >>> observer, fake_quant = partial(q.MinMaxObserver, dtype="qint8"), partial(q.FakeQuantize, dtype="qint8")
        >>> q.QConfig(observer, observer, fake_quant, fake_quant).act_observer().dtype.name
        'qint8'
    """

    __slots__ = ()
    _harmless: ClassVar[bool] = True  # a file may name it

    def __new__(
        cls, weight_observer: _Maker, act_observer: _Maker, weight_fake_quant: _Maker, act_fake_quant: _Maker
    ) -> Any:
        if any(isinstance(made, Module) for made in (weight_observer, act_observer)):
            raise ValueError(
                "QConfig must not receive observer instance, please pass observer class generator using `partial(Observer, ...)` "
                "instead. Use partial(MyObserver, x=1) to override arguments to constructor if needed"
            )
        return super().__new__(cls, weight_observer, act_observer, weight_fake_quant, act_fake_quant)


def _of(
    weight: Any, act: Any, rounding: Any = FakeQuantize, weight_dtype: str = "qint8_narrow", dtype: str = "qint8"
) -> QConfig:
    """A configuration by its classes, None for none."""
    classes = ((weight, weight_dtype), (act, dtype), (rounding, weight_dtype), (rounding, dtype))
    return QConfig(*(None if made is None else partial(made, dtype=name) for made, name in classes))


min_max_fakequant_qconfig = _of(MinMaxObserver, MinMaxObserver)
ema_fakequant_qconfig = _of(MinMaxObserver, ExponentialMovingAverageObserver)
sync_ema_fakequant_qconfig = _of(SyncMinMaxObserver, SyncExponentialMovingAverageObserver)
ema_lowbit_fakequant_qconfig = _of(
    MinMaxObserver, ExponentialMovingAverageObserver, weight_dtype="qint4", dtype="qint4"
)
calibration_qconfig = _of(MinMaxObserver, HistogramObserver, None)
tqt_qconfig = _of(None, None, TQT)
passive_qconfig = _of(PassiveObserver, PassiveObserver)
easyquant_qconfig = passive_qconfig
