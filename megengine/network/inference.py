"""A dump as a function of NumPy arrays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..graph.dtypes import SUPPORTED
from ..tensor import Tensor
from . import files
from .conversion import to_model, to_nodes
from .optimization import optimized
from .order import dependencies
from .running import Runnable


class GraphInference:
    """Runs a graph that ``jit.trace.dump`` or :meth:`megengine.utils.network.Network.dump` wrote.

    Threads may share it.

    Args:
        file: a path, or a file open for reading bytes.
        outputs: names of variables to compute instead of the graph's outputs.
        profiling: accepted; :mod:`megengine.utils.profiler` profiles runs.
        optimize_for_inference: apply the options in ``kwargs``, those of ``jit.trace.dump``.

    Raises:
        GraphFileError: the file is no graph, is damaged, or was written by a newer version.
        AssertionError: it has no variable of a name in ``outputs``.

    Example:
        >>> import io
        >>> from megengine.utils.comp_graph_tools import GraphInference
        >>> @megengine.jit.trace(symbolic=True, capture_as_const=True)
        ... def scale(x):
        ...     return x * 2
        >>> y = scale(Tensor([1.0, 2.0]))
        >>> file = io.BytesIO()
        >>> info = scale.dump(file, arg_names=["x"], output_names=["y"])
        >>> _ = file.seek(0)
        >>> GraphInference(file).run(np.float32([3, 4]))["y"]
        array([6., 8.], dtype=float32)
    """

    def __init__(
        self,
        file: Any,
        outputs: Sequence[str] | None = None,
        profiling: bool = False,
        optimize_for_inference: bool = False,
        **kwargs: Any,
    ) -> None:
        model = files.read(file)
        if outputs is not None:
            _, inputs, found = to_nodes(model)
            model = to_model(find_vars_by_name(found, list(outputs)), inputs)
        if optimize_for_inference:
            model, _ = optimized(model, kwargs)
        self._runnable = Runnable(model)
        self._inputs = model.function.inputs
        needed = {*model.function.users(), *model.function.outputs}
        self._idle = [v for v in self._inputs if v not in needed]
        self._names = [var.name for var in model.function.outputs]

    def run(self, *inp_args: Any, inp_dict: Mapping[str, Any] | None = None) -> OrderedDict[str, np.ndarray]:
        """The outputs by name.

        Args:
            inp_args: arrays for the first inputs, in their order.
            inp_dict: arrays for others, by name. Those that no result depends on may be left out.

        Returns:
            a dictionary of arrays, in the order of the graph's outputs.

        Raises:
            AssertionError: an input is missing, is given twice, or is none of the graph.
        """
        names = [var.name for var in self._inputs]
        assert len(inp_args) <= len(names), f"This model expects {len(names)} inputs"
        idle = {v.name: np.zeros(v.aval.shape, v.aval.dtype) for v in self._idle}
        given = {**idle, **dict(zip(names, inp_args, strict=False)), **(inp_dict or {})}
        assert given.keys() == set(names), f"This model expects inputs {names}, but gets inputs {list(given)}"
        results = self._runnable([_tensor(given[var.name], var.aval.dtype) for var in self._inputs])
        return OrderedDict((name, out.numpy()) for name, out in zip(self._names, results, strict=True))


def _tensor(data: Any, dtype: np.dtype) -> Tensor:
    if isinstance(data, Tensor):
        return data
    if dtype.metadata is not None:
        return Tensor(np.asarray(data), dtype=dtype)
    return Tensor(data, dtype=dtype if dtype in SUPPORTED else None)


def find_vars_by_name(dst: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """The variables of these names, in their order, among those that others depend on.

    Raises:
        AssertionError: there is none of a name.
    """
    every = [v for node in dependencies(dst) for v in node.outputs]
    found = {var.name: var for var in reversed(every)}
    missing = [name for name in names if name not in found]
    assert not missing, f"Can not find varnode {missing} in this model"
    return [found[name] for name in names]
