"""MegEngine's graphs as objects: loading and dumping, and what programs build by hand."""

from __future__ import annotations

import collections
import io
from collections.abc import Mapping, Sequence
from typing import Any

from ...graph.host_data import to_array
from ...network import files
from ...network.conversion import to_model, to_nodes
from ...network.editing import set_priority_to_id
from ...network.files import CompGraphDumpResult
from ...network.nodes import Host2DeviceCopy, ImmutableTensor, OpNode
from ...network.optimization import optimized
from ...network.ports import InputNode, OutputNode
from ...network.variables import Graph as _Graph
from ...network.variables import VarNode
from ..ops.opdef import OpDef, apply

__all__ = [
    "CompGraphDumpResult", "CompGraphLoadResult", "Graph", "InputNode", "OpNode", "OutputNode", "VarNode",
    "apply_normal_varnode", "dump_graph", "load_graph", "optimize_for_inference", "set_priority_to_id",
]  # fmt: skip

CompGraphLoadResult = collections.namedtuple(
    "CompGraphLoadResult", ["graph", "output_vars_dict", "output_vars_list", "metadata"]
)


class Graph(_Graph):
    """A graph that is built by hand.

    Example:
        >>> from megengine.core.tensor.megbrain_graph import Graph
        >>> graph = Graph()
        >>> x = graph.make_h2d(dtype="float32", device="xpux", shape=(2,), name="x")
        >>> (x * graph.make_const(2.0)).shape
        (2,)
    """

    def make_const(self, data: Any, dtype: Any = None, device: Any = None, name: str | None = None) -> VarNode:
        """A constant."""
        held = data if dtype is None else to_array(data, dtype)
        return ImmutableTensor(held, name, device, self).outputs[0]

    def make_h2d(self, *, dtype: Any, device: Any, shape: Any = None, name: str | None = None) -> VarNode:
        """An input."""
        return Host2DeviceCopy(shape, dtype, name, device, self).outputs[0]


def apply_normal_varnode(op: OpDef, *args: VarNode) -> Sequence[VarNode]:
    """The results of an operator on variables."""
    return apply(op, *args)


def load_graph(fpath: Any) -> Any:
    """Read a graph from a path or an open file.

    Returns:
        a tuple of ``graph``, ``output_vars_dict`` by name, ``output_vars_list`` and ``metadata``.

    Raises:
        GraphFileError: the file is no graph, is damaged, or was written by a newer version.
    """
    model = files.read(fpath)
    graph, _, outputs = to_nodes(model)
    return CompGraphLoadResult(graph, {v.name: v for v in outputs}, outputs, model.metadata)


def dump_graph(
    output_vars: Mapping[str, VarNode] | Sequence[VarNode],
    *,
    keep_var_name: int = 1,
    keep_opr_name: bool = False,
    keep_param_name: bool = False,
    keep_opr_priority: bool = False,
    no_change_graph: bool = False,
    strip_info_file: Any = None,
    append_json: bool = False,
    metadata: Any = None,
    dump_format: str | None = None,
    model_version: int = 2,
    compat_older_version: str | None = None,
) -> tuple[bytes, Any]:
    """The bytes of a file with the graph of variables, and what ``jit.trace.dump`` returns.

    Args:
        output_vars: the variables; a dictionary gives them names.
        metadata: what JSON holds.
    """
    if isinstance(output_vars, Mapping):
        assert len({v.var for v in output_vars.values()}) == len(output_vars), "two names are given to the same var"
        for name, var in output_vars.items():
            var.name = name
        output_vars = list(output_vars.values())
    outputs = {v.var for v in output_vars}
    model = to_model(output_vars, names=lambda v: v.name if v in outputs else v.given_name)
    model.metadata = metadata
    files.strip_names(model, keep_var_name, keep_opr_name, keep_param_name)
    data = io.BytesIO()
    length, digest = files.write(model, data)
    if strip_info_file is not None:
        files.strip_info(model, strip_info_file, digest, append_json)
    return data.getvalue(), files.info(model, length, digest)


def optimize_for_inference(dest_vars: Sequence[VarNode], **kwargs: Any) -> tuple[list[VarNode], dict[str, bool]]:
    """Variables of a graph that is as the options ask (see ``jit.trace.dump``), and the options that are on."""
    model, chosen = optimized(to_model(dest_vars, names=lambda var: var.name), kwargs)
    return to_nodes(model)[2], chosen
