"""The base of layers for quantization-aware training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

from ...functional._fake_quant import fake_quant_bias
from ...tensor import Tensor
from ...tensor.qparams import QParams
from ..module import Module


def _made(maker: Callable[[], Module] | None) -> Module | None:
    return None if maker is None else maker()


class QATModule(Module):
    """Base of layers whose weight and result go through an observer, which learns their range, and a fake quantization.

    :func:`~megengine.quantization.quantize_qat` makes them of ordinary layers, and
    :func:`~megengine.quantization.quantize` makes integer layers of them.

    Attributes:
        with_weight: whether there is a weight to quantise.
        with_act: whether the result is quantised.
        weight_observer, act_observer: the observers, or None.
        weight_fake_quant, act_fake_quant: the fake quantizations, or None.

    Example:
        >>> layer = megengine.module.qat.Linear(3, 2)
        >>> layer.set_qconfig(megengine.quantization.min_max_fakequant_qconfig)
        >>> layer(Tensor(np.ones((1, 3), "float32"))).qparams.dtype_meta.name
        'qint8'
    """

    with_weight = True
    with_act = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weight_observer: Any = None
        self.act_observer: Any = None
        self.weight_fake_quant: Any = None
        self.act_fake_quant: Any = None

    def __repr__(self) -> str:
        return "QAT." + super().__repr__()

    def set_qconfig(self, qconfig: Any) -> None:
        """Make the observers and fake quantizations of a :class:`~megengine.quantization.QConfig`."""
        if self.with_act:
            self.act_observer = _made(qconfig.act_observer)
            self.act_fake_quant = _made(qconfig.act_fake_quant)
        if self.with_weight:
            self.weight_observer = _made(qconfig.weight_observer)
            self.weight_fake_quant = _made(qconfig.weight_fake_quant)

    def _switch(self, enable: bool, of_act: Any, of_weight: Any) -> None:
        for concerned, part in ((self.with_act, of_act), (self.with_weight, of_weight)):
            if concerned and part is not None:
                (part.enable if enable else part.disable)()

    def set_fake_quant(self, enable: bool) -> None:
        """Turn both fake quantizations on or off."""
        self._switch(enable, self.act_fake_quant, self.weight_fake_quant)

    def set_observer(self, enable: bool) -> None:
        """Turn both observers on or off."""
        self._switch(enable, self.act_observer, self.weight_observer)

    def _apply_fakequant_with_observer(self, target: Tensor, fake_quant: Any, observer: Any) -> Tensor:
        out, qparams = target, None
        if observer is not None:
            out = observer(target)
            qparams = observer.get_qparams()
        if fake_quant is not None:
            out = fake_quant(out, qparams)
            if hasattr(fake_quant, "get_qparams"):
                qparams = fake_quant.get_qparams()
        if qparams is not None:
            out.qparams.update(qparams)
        return out

    def apply_quant_weight(self, target: Tensor) -> Tensor:
        """A weight observed and rounded."""
        return self._apply_fakequant_with_observer(target, self.weight_fake_quant, self.weight_observer)

    def apply_quant_activation(self, target: Tensor) -> Tensor:
        """A result observed and rounded."""
        return self._apply_fakequant_with_observer(target, self.act_fake_quant, self.act_observer)

    def apply_quant_bias(self, target: Tensor | None, inp: Tensor, w_qat: Tensor) -> Tensor | None:
        """A bias rounded to the product of the scales of input and weight, if both fake quantizations are enabled."""
        both = (self.act_fake_quant, self.weight_fake_quant)
        rounds = all(part is not None and part.enabled for part in both)
        return fake_quant_bias(target, inp, w_qat) if rounds else target

    def _get_method_result(self, method: str, fake_quant: Any, observer: Any) -> Any:
        for part in (fake_quant, observer):
            if hasattr(part, method):
                return getattr(part, method)()
        return None

    def get_weight_dtype(self) -> Any:
        """The quantised dtype of the weight, or None."""
        return self._get_method_result("get_quantized_dtype", self.weight_fake_quant, self.weight_observer)

    def get_activation_dtype(self) -> Any:
        """The quantised dtype of the result, or None."""
        return self._get_method_result("get_quantized_dtype", self.act_fake_quant, self.act_observer)

    def get_weight_qparams(self) -> QParams | None:
        """The parameters of the weight's quantization, or None."""
        found: QParams | None = self._get_method_result("get_qparams", self.weight_fake_quant, self.weight_observer)
        return found

    def get_activation_qparams(self) -> QParams | None:
        """The parameters of the result's quantization, or None."""
        found: QParams | None = self._get_method_result("get_qparams", self.act_fake_quant, self.act_observer)
        return found

    @classmethod
    @abstractmethod
    def from_float_module(cls, float_module: Any) -> Self:
        """The layer that an ordinary one becomes; it shares its parameters."""
