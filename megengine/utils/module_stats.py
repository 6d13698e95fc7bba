"""What a model costs: operations, parameters and activations, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import graph
from .. import module as M
from .._support.tables import readable, text_table
from ..functional import mean, std, zeros
from ..logger import get_logger
from ..tensor import Tensor
from . import stats_rows
from .layer_flops import (  # the rules, too: programs register them for classes of their own
    flops_adaptivePool,
    flops_batchmatmul,
    flops_convNd,
    flops_convNdTranspose,
    flops_linear,
    flops_norm,
    flops_of,
    flops_pool,
    register_flops,
)
from .module_utils import set_module_mode_safe
from .stats_rows import *  # noqa: F403 - all that its __all__ names
from .stats_rows import ACTIVATIONS, FLOPS, PARAMS, Rows, described, sum_flops, sum_sizes, table

__all__ = [
    "flops_adaptivePool", "flops_batchmatmul", "flops_convNd", "flops_convNdTranspose", "flops_linear", "flops_norm",
    "flops_pool", "hook_modules", "module_stats", "register_flops", "register_hook_module", *stats_rows.__all__,
]  # fmt: skip

logger = get_logger(__name__)

# The classes whose calls are counted.
hook_modules: list[Any] = [
    M.conv._ConvNd,
    M.Linear,
    M.BatchMatMulActivation,
    M.batchnorm._BatchNorm,
    M.LayerNorm,
    M.GroupNorm,
    M.InstanceNorm,
    M.pooling._PoolNd,
    M.adaptive_pooling._AdaptivePoolNd,
    M.rnn.RNNBase,
    M.rnn.RNNCellBase,
    M.MultiHeadAttention,
    M.Embedding,
]


class TotalStats(NamedTuple):
    """What a model costs in all: bytes and numbers of parameters, operations, bytes and numbers of outputs."""

    param_size: int
    param_dims: int
    flops: int
    act_size: int
    act_dims: int


class StatsDetails(NamedTuple):
    """The same by layers: a dict for each row of the tables."""

    params: Rows
    flops: Rows
    activations: Rows


def register_hook_module(module: type[M.Module] | Sequence[type[M.Module]]) -> None:
    """Have calls of a class counted as one layer, with its activations, and its operations if :func:`register_flops` knows them.

    Args:
        module: a subclass of Module or several.

    Raises:
        TypeError: something else.

    Example:
        >>> from megengine.utils.module_stats import hook_modules, register_hook_module
        >>> class Scale(M.ReLU):
        ...     pass
        >>> register_hook_module(Scale)
        >>> Scale in hook_modules
        True
        >>> hook_modules.remove(Scale)
    """
    for cls in module if isinstance(module, (list, tuple)) else [module]:
        if not (isinstance(cls, type) and issubclass(cls, M.Module)):
            raise TypeError(f"register_hook_module() takes subclasses of Module, not {cls!r}")
        hook_modules.append(cls)


def module_stats(
    model: M.Module,
    inputs: Any = None,
    input_shapes: Any = None,
    cal_params: bool = True,
    cal_flops: bool = True,
    cal_activations: bool = True,
    logging_to_stdout: bool = True,
    bar_length_max: int = 20,
) -> tuple[TotalStats, StatsDetails]:
    """Call a model once, in evaluation mode, count what its layers cost, and log it as tables.

    An operation is a multiplication with an addition. A parameter counts once, however many layers share it. With
    ``input_shapes`` nothing is computed: shapes are inferred.

    Args:
        model: the model.
        inputs: an argument of the model or a list of them: arrays, tensors, or dicts and sequences of such.
        input_shapes: instead of them the shape of a float32 argument, or a list of shapes.
        cal_params: whether to count parameters. Default: True
        cal_flops: whether to count operations. Default: True
        cal_activations: whether to count the layers' outputs; with ``inputs`` also their mean and deviation. Default: True
        logging_to_stdout: whether to log the tables; a summary is logged either way. Default: True
        bar_length_max: length of the longest bar in a table. Default: 20

    Returns:
        The totals, a named tuple of ``param_size`` (bytes), ``param_dims``, ``flops``, ``act_size`` (bytes) and ``act_dims``; and
        the rows of the three tables as dicts, a named tuple of ``params``, ``flops`` and ``activations``, the last row of each
        the total.

    Raises:
        ValueError: neither inputs nor shapes are given.

    Example:
        >>> net = M.Sequential(M.Linear(4, 3), M.ReLU(), M.Linear(3, 2))
        >>> from megengine.utils.module_stats import module_stats
        >>> totals, details = module_stats(net, input_shapes=(1, 4), logging_to_stdout=False)
        >>> totals.flops, totals.param_dims, totals.act_dims
        (23, 23, 5)
        >>> [(row["name"], row["flops"]) for row in details.flops]
        [('0', '15.000 OPs'), ('2', '8.000 OPs'), ('total', '23.000 OPs')]
    """
    if inputs is None and not input_shapes:
        raise ValueError("module_stats() needs inputs, or input_shapes to make some of")
    arguments = _from_shapes(input_shapes) if inputs is None else [_as_tensors(x) for x in _as_list(inputs)]
    seen = _Seen(inputs is not None, cal_params, cal_flops, cal_activations)
    seen.call(model, arguments)
    summary: dict[str, Any] = {"#params": len(seen.params)}
    param_dims, param_size = sum_sizes(seen.params, "param_dim", bar_length_max) if cal_params else (0, 0)
    flops = sum_flops(seen.flops, bar_length_max) if cal_flops else 0
    act_dims, act_size = sum_sizes(seen.activations, "act_dim", bar_length_max) if cal_activations else (0, 0)
    if cal_params:
        summary |= {"total_param_dims": readable(param_dims, ""), "total_param_size": readable(param_size)}
    if cal_flops:
        summary["total_flops"] = readable(flops, "OPs")
    if cal_activations:
        summary |= {"total_act_dims": readable(act_dims, ""), "total_act_size": readable(act_size)}
    if cal_flops and cal_params and param_size:
        summary["flops/param_size"] = f"{flops / param_size:3.3f}"
    if logging_to_stdout:
        for wanted, title, header, rows in (
            (cal_params, "param stats", PARAMS, seen.params),
            (cal_flops, "flops stats", FLOPS, seen.flops),
            (cal_activations, "activations stats", ACTIVATIONS, seen.activations),
        ):
            if wanted:
                logger.info("%s:\n%s", title, table(header, rows))
    logger.info("summary\n%s", text_table(["item", "value"], list(summary.items())))
    return (
        TotalStats(param_size, param_dims, flops, act_size, act_dims),
        StatsDetails(seen.params, seen.flops, seen.activations),
    )


class _Seen:
    """The rows that a call of the model gives."""

    def __init__(self, with_values: bool, params: bool, flops: bool, activations: bool) -> None:
        self.with_values = with_values
        self.wanted = params, flops, activations
        self.params: Rows = []
        self.flops: Rows = []
        self.activations: Rows = []
        self._called: list[tuple[str, M.Module]] = []
        self._counted: set[int] = set()

    def call(self, model: M.Module, arguments: list[Any]) -> None:
        hooks = [
            module.register_forward_hook(partial(self._call, name))
            for name, module in model.named_modules()
            if isinstance(module, tuple(hook_modules))
        ]
        try:
            with set_module_mode_safe(model, training=False):
                model(*arguments)
        finally:
            for hook in hooks:
                hook.remove()
        arguments.clear()  # reading something computes all that is held
        if self.wanted[0]:
            for name, module in [*self._called, *model.named_modules()]:
                self._count_params(name, module)
        self._read()
        graph.flush("option")  # what the call recorded and nobody reads

    def _call(self, name: str, module: M.Module, inputs: Any, outputs: Any) -> None:
        kind = type(module).__name__
        results = _tensors(outputs)
        if self.wanted[1]:
            if not _tensors(inputs):
                logger.warning("%s is called with keyword arguments: its operations are not counted", name or kind)
            count = flops_of(module, _tensors(inputs), results) if _tensors(inputs) else None
            if count is not None:
                shapes = {
                    "input_shapes": [x.shape for x in _tensors(inputs)],
                    "output_shapes": [y.shape for y in results],
                }
                self.flops.append({**shapes, "flops_num": count, "name": name, "class_name": kind})
        self._called.append((name, module))
        if self.wanted[2]:
            row = described(results[0], "act_dim")
            if self.with_values:
                wide = results[0].astype("float32").detach()
                row |= {"mean": mean(wide), "std": std(wide)}
            self.activations.append({**row, "name": name, "class_name": kind})

    def _count_params(self, name: str, module: M.Module) -> None:
        """Rows for what of the module itself has not been met, its weight and bias first."""
        own = dict(module.named_parameters(recursive=False))
        for key in sorted(own, key=lambda k: (k not in ("weight", "bias"), k != "weight", k)):
            parameter = own[key]
            if id(parameter) in self._counted:
                continue
            self._counted.add(id(parameter))
            row = described(parameter, "param_dim")
            values = parameter.numpy().astype(np.float64)
            row |= {"mean": f"{values.mean():.3g}", "std": f"{values.std():.3g}"} if values.size else {}
            suffix = {"weight": "-w", "bias": "-b"}.get(key)
            self.params.append({**row, "name": name + suffix if suffix else f"{name}.{key}".strip(".")})
        if isinstance(module, M.rnn.RNNBase):  # its cells' parameters are there for MegEngine's state dicts only
            self._counted.update(id(p) for p in module.parameters())

    def _read(self) -> None:
        for row in self.activations:
            row |= {key: f"{row[key].item():.3g}" for key in ("mean", "std") if key in row}


def _tensors(nested: Any) -> list[Tensor]:
    """The tensors of a call's arguments or results, in order."""
    if isinstance(nested, Tensor):
        return [nested]
    inner: Iterable[Any] = ()
    if isinstance(nested, Mapping):
        inner = nested.values()
    elif isinstance(nested, (list, tuple)):
        inner = nested
    return [tensor for item in inner for tensor in _tensors(item)]


def _as_list(inputs: Any) -> Sequence[Any]:
    return inputs if isinstance(inputs, (tuple, list)) else [inputs]


def _as_tensors(nested: Any) -> Any:
    """Arrays and numbers as tensors, in the same structure."""
    if isinstance(nested, Tensor):
        return nested
    if isinstance(nested, np.ndarray):
        return Tensor(nested)
    if isinstance(nested, Mapping):
        return {key: _as_tensors(value) for key, value in nested.items()}
    if isinstance(nested, tuple) and hasattr(nested, "_fields"):
        return type(nested)(*map(_as_tensors, nested))
    if isinstance(nested, Sequence):
        return [_as_tensors(value) for value in nested]
    return Tensor(nested, dtype="float32")


def _from_shapes(shapes: Any) -> list[Tensor]:
    several = shapes if isinstance(shapes[0], (tuple, list)) else [shapes]
    return [zeros(tuple(shape)) for shape in several]
