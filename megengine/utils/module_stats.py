"""What a model costs: operations, parameters and activations, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .. import graph
from .. import module as M
from .._help.public import public_names
from ..core.tensor.dtype import get_dtype_bit
from ..functional import mean, std, zeros
from ..logger import get_logger
from ..tensor import Tensor
from .layer_flops import flops_of, register_flops
from .module_utils import set_module_mode_safe
from .tables import readable, text_table

__all__ = ["hook_modules", "module_stats", "register_flops", "register_hook_module", "sizeof_fmt"]

logger = get_logger(__name__)
sizeof_fmt = readable

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

Rows = list[dict[str, Any]]


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


_PARAMS = ["name", "dtype", "shape", "mean", "std", "param_dim", "nbits", "size", "size_cum", "percentage", "size_bar"]
_FLOPS = ["name", "class_name", "input_shapes", "output_shapes", "flops", "flops_cum", "percentage", "bar"]
_ACTIVATIONS = [
    "name", "class_name", "dtype", "shape", "mean", "std", "nbits", "act_dim", "size", "size_cum", "percentage", "size_bar",
]  # fmt: skip


def register_hook_module(module: type[M.Module] | Sequence[type[M.Module]]) -> None:
    """Have calls of a class counted as one layer, with its activations, and its operations if :func:`register_flops` knows them.

    Args:
        module: a subclass of Module or several.

    Raises:
        TypeError: something else.

    Example:
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
    param_dims, param_size = _sum_sizes(seen.params, "param_dim", bar_length_max) if cal_params else (0, 0)
    flops = _sum_flops(seen.flops, bar_length_max) if cal_flops else 0
    act_dims, act_size = _sum_sizes(seen.activations, "act_dim", bar_length_max) if cal_activations else (0, 0)
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
            (cal_params, "param stats", _PARAMS, seen.params),
            (cal_flops, "flops stats", _FLOPS, seen.flops),
            (cal_activations, "activations stats", _ACTIVATIONS, seen.activations),
        ):
            if wanted:
                logger.info("%s:\n%s", title, _table(header, rows))
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
        graph.cut("option")  # what the call recorded and nobody reads

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
            row = _described(results[0], "act_dim")
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
            row = _described(parameter, "param_dim")
            values = parameter.numpy().astype(np.float64)
            row |= {"mean": f"{values.mean():.3g}", "std": f"{values.std():.3g}"} if values.size else {}
            suffix = {"weight": "-w", "bias": "-b"}.get(key)
            self.params.append({**row, "name": name + suffix if suffix else f"{name}.{key}".strip(".")})
        if isinstance(module, M.rnn.RNNBase):  # its cells' parameters are there for MegEngine's state dicts only
            self._counted.update(id(p) for p in module.parameters())

    def _read(self) -> None:
        for row in self.activations:
            row |= {key: f"{row[key].item():.3g}" for key in ("mean", "std") if key in row}


def _described(tensor: Tensor, dim: str) -> dict[str, Any]:
    bits = get_dtype_bit(np.dtype(tensor.dtype).name)
    count = prod(tensor.shape)
    row: dict[str, Any] = {"dtype": np.dtype(tensor.dtype), "shape": tensor.shape}
    return row | {dim: count, "nbits": bits, "size": count * bits // 8}


def _shares(rows: Rows, key: str, bar: str, longest: int) -> int:
    """Add to each row its share of the total of ``key``, and a bar; returns the total."""
    total, most = (int(f(row[key] for row in rows)) if rows else 0 for f in (sum, max))
    for row in rows:
        row["ratio"] = row[key] / total if total else 0.0
        row["percentage"] = f"{row['ratio'] * 100:.2f}%"
        row[bar] = "#" * (int(row[key] / most * longest) if most else 0)
    return total


def _sum_sizes(rows: Rows, dim: str, longest: int) -> tuple[int, int]:
    """Complete the rows of parameters or activations; returns how many numbers and bytes."""
    so_far = 0
    for row in rows:
        so_far += row["size"]
        row["size_cum"] = readable(so_far)
    size = _shares(rows, "size", "size_bar", longest)
    dims = sum(row[dim] for row in rows)
    for row in rows:
        row["size"] = readable(row["size"])
    rows.append({"name": "total", dim: dims, "size": readable(size)})
    return dims, size


def _sum_flops(rows: Rows, longest: int) -> int:
    so_far = 0
    for row in rows:
        so_far += row["flops_num"]
        row["flops_cum"] = readable(so_far, "OPs")
        row["flops"] = readable(row["flops_num"], "OPs")
    total = _shares(rows, "flops_num", "bar", longest)
    channels = sum(shape[1] for row in rows for shape in row["output_shapes"] if len(shape) > 1)
    rows.append({"name": "total", "flops": readable(total, "OPs"), "output_shapes": channels})
    return total


def _table(header: Iterable[str], rows: Rows) -> str:
    used = [name for name in header if any(name in row for row in rows)]
    return text_table(used, [[row.get(name, "") for name in used] for row in rows])


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


__dir__ = public_names(globals())
