"""The rows of the tables that :mod:`~megengine.utils.module_stats` logs; programs make tables of their own with these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from .._support.tables import readable, text_table
from ..core.tensor.dtype import get_dtype_bit
from ..logger import get_logger
from ..tensor import Tensor
from .layer_flops import flops_of

__all__ = [
    "dict2table", "disable_receptive_field", "enable_receptive_field", "get_activation_stats", "get_op_stats",
    "get_param_stats", "preprocess_receptive_field", "print_activations_stats", "print_op_stats", "print_param_stats",
    "print_summary", "register_receptive_field", "sizeof_fmt", "sum_activations_stats", "sum_op_stats", "sum_param_stats",
]  # fmt: skip

logger = get_logger("megengine.utils.module_stats")
sizeof_fmt = readable

Rows = list[dict[str, Any]]

PARAMS = ["name", "dtype", "shape", "mean", "std", "param_dim", "nbits", "size", "size_cum", "percentage", "size_bar"]
FLOPS = ["name", "class_name", "input_shapes", "output_shapes", "flops", "flops_cum", "percentage", "bar"]
ACTIVATIONS = [
    "name", "class_name", "dtype", "shape", "mean", "std", "nbits", "act_dim", "size", "size_cum", "percentage", "size_bar",
]  # fmt: skip

_field_rules: dict[type, Callable[..., Any]] = {}
_fields_shown = False


def described(tensor: Tensor, dim: str) -> dict[str, Any]:
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


def sum_sizes(rows: Rows, dim: str, longest: int) -> tuple[int, int]:
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


def sum_flops(rows: Rows, longest: int) -> int:
    so_far = 0
    for row in rows:
        so_far += row["flops_num"]
        row["flops_cum"] = readable(so_far, "OPs")
        row["flops"] = readable(row["flops_num"], "OPs")
    total = _shares(rows, "flops_num", "bar", longest)
    channels = sum(shape[1] for row in rows for shape in row["output_shapes"] if len(shape) > 1)
    rows.append({"name": "total", "flops": readable(total, "OPs"), "output_shapes": channels})
    return total


def table(header: Iterable[str], rows: Rows) -> str:
    used = [name for name in header if any(name in row for row in rows)]
    return text_table(used, [[row.get(name, "") for name in used] for row in rows])


def dict2table(list_of_dict: Iterable[dict[str, Any]], header: Sequence[str]) -> list[list[Any]]:
    """Dicts as the rows of a table below its header; what a dict lacks is left empty.

    Example:
        >>> from megengine.utils.module_stats import dict2table
        >>> dict2table([{"name": "a", "size": 1}, {"name": "b"}], ["name", "size"])
        [['name', 'size'], ['a', 1], ['b', '']]
    """
    return [list(header), *[[row.get(name, "") for name in header] for row in list_of_dict]]


def _moments(tensor: Tensor) -> dict[str, str]:
    values = tensor.numpy().astype(np.float64)
    return {"mean": f"{values.mean():.3g}", "std": f"{values.std():.3g}"} if values.size else {}


def get_param_stats(param: Tensor) -> dict[str, Any]:
    """The row of a parameter.

    Example:
        >>> from megengine.utils.module_stats import get_param_stats
        >>> get_param_stats(Tensor([1.0, 3.0]))["mean"]
        '2'
    """
    return described(param, "param_dim") | _moments(param)


def get_activation_stats(output: Tensor, has_input: bool = False) -> dict[str, Any]:
    """The row of a layer's output, with its mean and deviation if it was computed from inputs that mean something."""
    return described(output, "act_dim") | (_moments(output) if has_input else {})


def get_op_stats(module: Any, inputs: Sequence[Tensor], outputs: Any) -> dict[str, Any] | None:
    """The row of a layer's operations, or None for a class that neither :func:`register_flops` nor
    :func:`register_receptive_field` knows."""
    results = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    row: dict[str, Any] = {"input_shapes": [x.shape for x in inputs], "output_shapes": [y.shape for y in results]}
    count = flops_of(module, list(inputs), results)
    if count is not None:
        row["flops_num"] = count
    rule = next((_field_rules[cls] for cls in type(module).__mro__ if cls in _field_rules), None)
    if rule is not None:
        row["receptive_field"], row["stride"] = rule(module, inputs, results)
    return None if count is None and rule is None else row


def sum_param_stats(params: Rows, bar_length_max: int = 20) -> tuple[int, int, Rows]:
    """Complete the rows of parameters with their shares and a total; returns how many numbers and bytes, and the rows."""
    return (*sum_sizes(params, "param_dim", bar_length_max), params)


def sum_activations_stats(activations: Rows, bar_length_max: int = 20) -> tuple[int, int, Rows]:
    """Complete the rows of outputs with their shares and a total; returns how many numbers and bytes, and the rows."""
    return (*sum_sizes(activations, "act_dim", bar_length_max), activations)


def sum_op_stats(flops: Rows, bar_length_max: int = 20) -> tuple[int, Rows]:
    """Complete the rows of operations with their shares and a total; returns how many operations, and the rows."""
    return sum_flops(flops, bar_length_max), flops


def print_param_stats(params: Rows) -> None:
    """Log the table of parameters."""
    logger.info("param stats:\n%s", table(PARAMS, params))


def print_op_stats(flops: Rows) -> None:
    """Log the table of operations."""
    header = [*FLOPS[:4], "receptive_field", "stride", *FLOPS[4:]] if _fields_shown else FLOPS
    logger.info("flops stats:\n%s", table(header, flops))


def print_activations_stats(activations: Rows, has_input: bool = False) -> None:
    """Log the table of outputs."""
    header = ACTIVATIONS if has_input else [name for name in ACTIVATIONS if name not in ("mean", "std")]
    logger.info("activations stats:\n%s", table(header, activations))


def print_summary(**items: Any) -> None:
    """Log a table of names and values."""
    logger.info("summary\n%s", text_table(["item", "value"], list(items.items())))


def register_receptive_field(*modules: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Say how to compute the receptive field and stride of a class of modules; a decorator for
    ``rule(module, inputs, outputs)``, which returns both as pairs."""

    def register(rule: Callable[..., Any]) -> Callable[..., Any]:
        _field_rules.update(dict.fromkeys(modules, rule))
        return rule

    return register


def enable_receptive_field() -> None:
    """Show receptive fields in the table of operations."""
    global _fields_shown
    _fields_shown = True


def disable_receptive_field() -> None:
    """Leave receptive fields out of the table of operations."""
    global _fields_shown
    _fields_shown = False


def preprocess_receptive_field(module: Any, inputs: Any, outputs: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """The largest receptive field and stride among the nodes that made the inputs; ones where nothing is known of them."""
    owners = [getattr(x, "owner", None) for x in inputs]
    fields = [getattr(owner, "_rf", (1, 1)) for owner in owners] or [(1, 1)]
    strides = [getattr(owner, "_stride", (1, 1)) for owner in owners] or [(1, 1)]
    return (
        (max(f[0] for f in fields), max(f[1] for f in fields)),
        (max(s[0] for s in strides), max(s[1] for s in strides)),
    )
