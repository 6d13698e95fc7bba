"""Quantization: training with rounded weights and results, calibration, and models of integers."""

from .fake_quant import LSQ, TQT, FakeQuantize
from .observer import (
    ExponentialMovingAverageObserver,
    HistogramObserver,
    MinMaxObserver,
    Observer,
    PassiveObserver,
    SyncExponentialMovingAverageObserver,
    SyncMinMaxObserver,
)
from .qconfig import (
    QConfig,
    calibration_qconfig,
    easyquant_qconfig,
    ema_fakequant_qconfig,
    ema_lowbit_fakequant_qconfig,
    min_max_fakequant_qconfig,
    passive_qconfig,
    sync_ema_fakequant_qconfig,
    tqt_qconfig,
)
from .quantize import (
    apply_easy_quant,
    disable_fake_quant,
    disable_observer,
    enable_fake_quant,
    enable_observer,
    propagate_qconfig,
    quantize,
    quantize_qat,
    reset_qconfig,
)
from .utils import QParams, QuantMode, create_qparams, fake_quant_bias, fake_quant_tensor

# fmt: off
__all__ = [
    "QConfig", "Observer", "MinMaxObserver", "SyncMinMaxObserver", "ExponentialMovingAverageObserver",
    "SyncExponentialMovingAverageObserver", "HistogramObserver", "PassiveObserver", "FakeQuantize", "TQT", "LSQ",
    "min_max_fakequant_qconfig", "ema_fakequant_qconfig", "sync_ema_fakequant_qconfig", "ema_lowbit_fakequant_qconfig",
    "calibration_qconfig", "tqt_qconfig", "passive_qconfig", "easyquant_qconfig",
    "quantize_qat", "quantize", "apply_easy_quant", "enable_fake_quant", "disable_fake_quant", "enable_observer",
    "disable_observer", "propagate_qconfig", "reset_qconfig",
    "QParams", "QuantMode", "create_qparams", "fake_quant_tensor", "fake_quant_bias",
]
# fmt: on
