"""Optimizations of traced modules for inference."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from ..traced_module import TracedModule
from .fusing import fuse_add_mul, fuse_conv_bn
from .scaling import backward_fold_scale

__all__ = ["optimize"]

_PASSES: dict[str, Callable[[Any], None]] = {
    "FuseConvBn": fuse_conv_bn,
    "FuseAddMul": fuse_add_mul,
    "BackwardFoldScale": backward_fold_scale,
}


def optimize(module: TracedModule, enabled_pass: str | Sequence[str] = ("FuseConvBn",)) -> TracedModule:
    """A copy of a traced module that computes the same in inference with fewer operations.

    ``FuseConvBn`` puts batch normalizations into the convolutions before them; ``FuseAddMul`` makes one multiplication and one
    addition of chains of them with numbers; ``BackwardFoldScale`` moves multiplications with numbers back into the weights of
    convolutions, after ``FuseConvBn``.

    Args:
        module: the traced module; flattened, more is found.
        enabled_pass: names of passes. Default: ``FuseConvBn``

    Raises:
        ValueError: no such pass.

    Example:
        >>> import megengine.traced_module as tm
        >>> net = M.Sequential(M.Conv2d(3, 4, 3), M.BatchNorm2d(4), M.ReLU())
        >>> net.eval()
        >>> small = tm.optimize(tm.trace_module(net, F.ones((1, 3, 8, 8))))
        >>> small.graph.get_module_by_type(M.BatchNorm2d).as_count()
        0
    """
    names = [enabled_pass] if isinstance(enabled_pass, str) else list(enabled_pass)
    for name in names:
        if name not in _PASSES:
            raise ValueError(f"no pass {name!r}; there are {', '.join(_PASSES)}")
    if "BackwardFoldScale" in names and "FuseConvBn" not in names:
        names.append("FuseConvBn")
    made = copy.deepcopy(module)
    for name, run in _PASSES.items():
        if name in names:
            _everywhere(made, run)
    if "FuseAddMul" in names and "BackwardFoldScale" in names:
        _everywhere(made, fuse_add_mul)
    made._update_ref()
    for graph in made.argdef_graph_map.values():
        graph._reset_ids()
    return made


def _everywhere(module: TracedModule, run: Callable[[Any], None]) -> None:
    """Run a pass on the graphs of a module and on those that they call."""
    left, seen = list(module.argdef_graph_map.values()), set[int]()
    while left:
        graph = left.pop()
        if id(graph) not in seen:
            seen.add(id(graph))
            run(graph)
            left.extend(expr.graph for expr in graph._exprs if getattr(expr, "graph", None) is not None)
