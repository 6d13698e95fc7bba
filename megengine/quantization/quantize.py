"""Models for quantization-aware training made of ordinary ones, and models of integers made of those."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np

from .. import module as Float
from ..functional import concat, norm
from ..logger import get_logger
from ..module import Module, qat, quantized
from ..module.access import set_expand_structure
from ..module.qat import QATModule
from ..module.quantized import QuantizedModule
from ..tensor import Tensor
from .qconfig import QConfig, ema_fakequant_qconfig

_log = get_logger(__name__)


def _get_quantable_module_names() -> list[str]:
    """Names of the layers that exist as ordinary ones, for quantization-aware training, and of integers."""
    found = ((name, getattr(quantized, name)) for name in quantized.__all__)
    return [name for name, made in found if issubclass(made, QuantizedModule) and made is not QuantizedModule]


_NAMES = _get_quantable_module_names()
_float2qat_dict: dict[type, Any] = {getattr(Float, name): getattr(qat, name) for name in _NAMES}
_qat2quantized_dict: dict[type, Any] = {getattr(qat, name): getattr(quantized, name) for name in _NAMES}
qat_modules = tuple(_qat2quantized_dict)


def _converter(module: Module, known: Mapping[type, Any], what: str) -> Any:
    """What a layer becomes, by its class."""
    try:
        return known[type(module)]
    except KeyError:
        raise KeyError(
            f"{type(module).__name__} is a subclass of a layer that can be {what}: say what it becomes with mapping=, or "
            "leave it out with disable_quantize()"
        ) from None


def quantize(module: Module, inplace: bool = True, mapping: Mapping[type, Any] | None = None) -> Module:
    """Make a model of integers of one for quantization-aware training, or of a calibrated one.

    Args:
        module: the model, whose layers of :mod:`megengine.module.qat` are replaced.
        inplace: change this model; else a copy. Default: True
        mapping: for classes of one's own, what each becomes by its ``from_qat_module``.

    Returns:
        The model; call ``eval()`` before use.

    Raises:
        KeyError: a subclass of a layer that is in no mapping.

    Example:
        >>> net = M.Sequential(M.QuantStub(), M.Linear(3, 2), M.DequantStub())
        >>> q = megengine.quantization
        >>> _ = q.quantize_qat(net, qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(Tensor(np.ones((1, 3), "float32")))
        >>> _ = q.quantize(net)
        >>> net.eval()
        >>> net[1].weight.dtype, net(Tensor(np.ones((1, 3), "float32"))).dtype
        (dtype('int8'), dtype('float32'))
    """
    if not inplace:
        module = deepcopy(module)
    known = {**_qat2quantized_dict, **(mapping or {})}
    classes = tuple(known)
    found = module._flatten(with_key=True, predicate=lambda part: isinstance(part, classes))
    for key, part in list(found):
        set_expand_structure(module, key, _converter(part, known, "made one of integers").from_qat_module(part))
    return module


def quantize_qat(
    module: Module,
    inplace: bool = True,
    qconfig: QConfig = ema_fakequant_qconfig,
    mapping: Mapping[type, Any] | None = None,
) -> Module:
    """Make a model for quantization-aware training, or for calibration, of an ordinary one.

    Args:
        module: the model, whose layers are replaced by those of :mod:`megengine.module.qat` of the same names, which share their
            parameters.
        inplace: change this model; else a copy. Default: True
        qconfig: what observers and fake quantizations they get. Default: ``ema_fakequant_qconfig``
        mapping: for classes of one's own, what each becomes by its ``from_float_module``.

    Raises:
        AssertionError: ``qconfig`` is not a :class:`QConfig`.
        KeyError: a subclass of a layer that is in no mapping.

    Example:
        >>> net = M.Sequential(M.QuantStub(), M.Linear(3, 2), M.DequantStub())
        >>> type(megengine.quantization.quantize_qat(net)[1])
        <class 'megengine.module.qat.linear.Linear'>
    """
    if isinstance(inplace, QConfig):
        _log.warning(
            "quantize_qat takes the configuration by name, qconfig=...; this one is given as inplace and not used"
        )
    elif not isinstance(inplace, (bool, int, np.bool_)):
        raise TypeError(f"inplace must be True or False, not {inplace!r}; a configuration goes by name, qconfig=...")
    assert isinstance(qconfig, QConfig), f"qconfig must be a QConfig, not {qconfig!r}"
    if not inplace:
        module = deepcopy(module)
    known = {**_float2qat_dict, **(mapping or {})}
    classes = tuple(known)
    found = module._flatten(with_key=True, with_parent=True, predicate=lambda part: isinstance(part, classes))
    for key, part, parent in list(found):
        # What is within a layer that is replaced is replaced with it.
        if isinstance(parent, classes) or isinstance(part, QATModule) or part.quantize_disabled:
            continue
        set_expand_structure(module, key, _converter(part, known, "quantised").from_float_module(part))
    propagate_qconfig(module, qconfig)
    return module


def _qat_parts(module: Module) -> list[QATModule]:
    return list(module._flatten(predicate=lambda part: isinstance(part, QATModule)))


def reset_qconfig(module: Module, qconfig: QConfig, inplace: bool = True) -> Module:
    """Give a model other observers and fake quantizations, which start from the scales of the old ones where they can.

    Args:
        module: a model for quantization-aware training.
        qconfig: what they become.
        inplace: change this model; else a copy. Default: True

    Example:
        >>> q = megengine.quantization
        >>> net = q.quantize_qat(M.Sequential(M.QuantStub()), qconfig=q.min_max_fakequant_qconfig)
        >>> _ = net(Tensor([0.0, 12.75]))
        >>> q.reset_qconfig(net, q.passive_qconfig)[0].act_observer.scale
        Tensor(0.1, device=xpux:0)
    """
    if not inplace:
        module = deepcopy(module)

    def made(maker: Any, qparams: Any) -> Any:
        part: Any = None if maker is None else maker()
        if hasattr(part, "set_qparams"):
            part.set_qparams(qparams)
        return part

    for part in _qat_parts(module):
        if part.with_weight:
            qparams = part.get_weight_qparams()
            part.weight_observer = made(qconfig.weight_observer, qparams)
            part.weight_fake_quant = made(qconfig.weight_fake_quant, qparams)
        if part.with_act:
            qparams = part.get_activation_qparams()
            part.act_observer = made(qconfig.act_observer, qparams)
            part.act_fake_quant = made(qconfig.act_fake_quant, qparams)
    return module


def _propagate(module: Module, method: str, *args: Any) -> None:
    def call(part: Module) -> None:
        if isinstance(part, QATModule):
            getattr(part, method)(*args)

    module.apply(call)


def propagate_qconfig(module: Module, qconfig: QConfig) -> None:
    """Give all layers of a model for quantization-aware training new observers and fake quantizations.

    Args:
        module: the model.
        qconfig: what makes them.

    Example:
        >>> net = M.Sequential(megengine.module.qat.Linear(3, 2))
        >>> megengine.quantization.propagate_qconfig(net, megengine.quantization.tqt_qconfig)
        >>> type(net[0].weight_fake_quant).__name__
        'TQT'
    """
    _propagate(module, "set_qconfig", qconfig)


def hook_qat_module(module: Module, func: Callable[..., Any]) -> list[Any]:
    """Call a function after each layer for quantization-aware training; returns what removes the hooks.

    Args:
        module: the model.
        func: a hook, see :meth:`megengine.module.Module.register_forward_hook`.
    """
    return [part.register_forward_hook(func) for part in _qat_parts(module)]


def _likeness(x: Tensor, y: Tensor) -> Tensor:
    """The mean cosine of two batches."""
    axes = tuple(range(1, x.ndim))
    return ((x * y).sum(axes) / (norm(x, axis=axes) * norm(y, axis=axes))).mean(axis=0)


def apply_easy_quant(module: Module, data: Tensor, start: float = 0.8, stop: float = 1.2, num: int = 40) -> Module:
    """Search the scales with which each layer's result is most like that without rounding (Wu et al., EasyQuant: Post-training
    Quantization via Scale Optimization, 2020), first those of the weights, then those of the results.

    Args:
        module: a model with :class:`PassiveObserver`, which :func:`reset_qconfig` with ``easyquant_qconfig`` makes.
        data: a batch of inputs.
        start: least factor of the scale there is. Default: 0.8
        stop: greatest factor. Default: 1.2
        num: how many scales to try. Default: 40

    Example:
        >>> q = megengine.quantization
        >>> net = q.quantize_qat(M.Sequential(M.QuantStub(), M.Linear(3, 2)), qconfig=q.min_max_fakequant_qconfig)
        >>> x = Tensor(np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3))
        >>> _ = net(x)
        >>> bool(q.apply_easy_quant(q.reset_qconfig(net, q.easyquant_qconfig), x, num=3)[1].weight_observer.scale.item() > 0)
        True
    """
    batch = data.shape[0]

    def search(part: Any, inputs: Any, outputs: Tensor, where: str) -> Tensor | None:
        """A hook: the first half of a batch goes through the model as it is, the second rounded."""
        part._forward_hooks.clear()
        part.set_fake_quant(False)
        wanted = part(*(x[:batch] for x in inputs))
        part.set_fake_quant(True)
        observer = getattr(part, where)
        if observer is None:
            return None
        rounded = [x[batch:] for x in inputs]
        best, best_scale = 0.0, None
        for scale in np.linspace(start * observer.orig_scale, stop * observer.orig_scale, num):
            observer.scale = scale
            likeness = _likeness(wanted, part(*rounded)).item()
            if likeness > best:
                best, best_scale = likeness, scale
        if best_scale is None:
            _log.warning("EasyQuant finds no better scale")
        else:
            observer.scale = best_scale
        return concat([wanted, outputs[batch:]])

    twice = concat([data, data])
    for where in ("weight_observer", "act_observer"):
        hook_qat_module(module, partial(search, where=where))
        module(twice)
    return module


def disable_fake_quant(module: Module) -> None:
    """Turn the rounding of a model for quantization-aware training off.

    Args:
        module: the model.

    Example:
        >>> q = megengine.quantization
        >>> net = q.quantize_qat(M.Sequential(M.QuantStub()))
        >>> q.disable_fake_quant(net)
        >>> net[0].act_fake_quant.enabled
        False
    """
    _propagate(module, "set_fake_quant", False)


def enable_fake_quant(module: Module) -> None:
    """Turn the rounding of a model for quantization-aware training on.

    Args:
        module: the model.

    Example:
        >>> q = megengine.quantization
        >>> net = q.quantize_qat(M.Sequential(M.QuantStub()))
        >>> q.enable_fake_quant(net)
        >>> net[0].act_fake_quant.enabled
        True
    """
    _propagate(module, "set_fake_quant", True)


def disable_observer(module: Module) -> None:
    """Turn the observers of a model for quantization-aware training off.

    Args:
        module: the model.

    Example:
        >>> q = megengine.quantization
        >>> net = q.quantize_qat(M.Sequential(M.QuantStub()))
        >>> q.disable_observer(net)
        >>> net[0].act_observer.enabled
        False
    """
    _propagate(module, "set_observer", False)


def enable_observer(module: Module) -> None:
    """Turn the observers of a model for quantization-aware training on.

    Args:
        module: the model.

    Example:
        >>> q = megengine.quantization
        >>> net = q.quantize_qat(M.Sequential(M.QuantStub()))
        >>> q.enable_observer(net)
        >>> net[0].act_observer.enabled
        True
    """
    _propagate(module, "set_observer", True)
