"""What a model in a file costs, operator by operator, as tables and for TensorBoard's graph tab.

    python -m megengine.tools.network_visualize net.mge --all

``mge dump info`` and ``mge graph`` look at a model without TensorBoard.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..graph.pictures.nodes import flops_of
from ..network.conversion import to_model
from ..network.network import Network
from ..network.nodes import ConstOpBase, Host2DeviceCopy, OpNode
from ..network.running import Runnable
from ..serialization import load
from ..tensor import Tensor
from ..utils.module_stats import StatsDetails, TotalStats
from ..utils.stats_rows import (
    Rows,
    get_activation_stats,
    get_op_stats,
    get_param_stats,
    print_activations_stats,
    print_op_stats,
    print_param_stats,
    print_summary,
    sizeof_fmt,
    sum_activations_stats,
    sum_op_stats,
    sum_param_stats,
)
from ..utils.tensorboard import SummaryWriter

__all__ = ["main", "visualize"]

PRODUCTS = ("MatrixMul", "BatchedMatmul", "Dot", "Convolution", "ConvTranspose", "GroupLocal", "DeformableConv")


def visualize(
    model_path: Any,
    log_path: str | None,
    input: np.ndarray | None = None,
    inp_dict: Mapping[str, np.ndarray] | None = None,
    cal_params: bool = True,
    cal_flops: bool = True,
    cal_activations: bool = True,
    logging_to_stdout: bool = True,
    bar_length_max: int = 20,
) -> tuple[TotalStats, StatsDetails]:
    """Count what the operators of a model in a file cost, log it as tables, and write its graph for TensorBoard.

    In matrix products and convolutions a multiplication with an addition is one operation, as in
    :func:`~megengine.utils.module_stats.module_stats`; elsewhere each operation counts. Without inputs nothing is computed, and
    the batch is of size 1.

    Args:
        model_path: the path of a dump, or a file open for reading bytes; MegEngine's dumps do as well.
        log_path: folder for TensorBoard's file; None or empty writes none.
        input: the array that the model's only input gets.
        inp_dict: the arrays of its inputs, by name.
        cal_params: whether to count parameters. Default: True
        cal_flops: whether to count operations. Default: True
        cal_activations: whether to count results of operators; with inputs also their mean and deviation. Default: True
        logging_to_stdout: whether to log the tables; a summary is logged either way. Default: True
        bar_length_max: length of the longest bar in a table. Default: 20

    Returns:
        The totals and the rows of the tables, as :func:`~megengine.utils.module_stats.module_stats` returns them.

    Raises:
        AssertionError: arrays are missing, or are for no input of the model.
        GraphFileError: the file holds no graph.
        RuntimeError: the model does not take arrays of these shapes.

    Example:
        >>> import io
        >>> from megengine.tools.network_visualize import visualize
        >>> net = M.Sequential(M.Linear(4, 3), M.ReLU(), M.Linear(3, 2))
        >>> @megengine.jit.trace(symbolic=True, capture_as_const=True)
        ... def predict(x):
        ...     return net(x)
        >>> y = predict(F.zeros((8, 4)))
        >>> file = io.BytesIO()
        >>> info = predict.dump(file, arg_names=["x"])
        >>> _ = file.seek(0)
        >>> totals, details = visualize(file, None, logging_to_stdout=False)
        >>> totals.param_dims, totals.flops
        (23, 27)
        >>> [(row["class_name"], row["flops_num"]) for row in details.flops[:-1]]
        [('MatrixMul', 14), ('Elemwise', 6), ('MatrixMul', 7)]
    """
    network = Network.load(model_path)
    arrays = _given(network, input, inp_dict)
    if arrays:
        for node in network.data_providers_filter:
            node.shape = arrays[node.name].shape
        network.compile()
    elif network.input_vars:
        network.reset_batch_size(1)
    nodes = network.all_oprs
    params = _params(nodes) if cal_params else []
    flops = _flops(network) if cal_flops else []
    activations = _activations(network, arrays) if cal_activations else []
    if log_path:
        with SummaryWriter(log_path) as writer:
            writer.add_graph(network)
    return _told(
        {"#ops": len(nodes), "#params": len(params)},
        params if cal_params else None,
        flops if cal_flops else None,
        activations if cal_activations else None,
        bool(arrays),
        logging_to_stdout,
        bar_length_max,
    )


def _given(network: Network, only: Any, by_name: Mapping[str, Any] | None) -> dict[str, np.ndarray]:
    """The array of each input, or none at all."""
    names = [var.name for var in network.input_vars]
    if only is not None and by_name is None:
        assert len(names) == 1, f"input= is for a model of one input, and this one has {len(names)}: {', '.join(names)}"
        by_name = {names[0]: only}
    if by_name is None:
        return {}
    assert set(by_name) == set(names), f"the model has the inputs {names}, and got arrays for {list(by_name)}"
    return {name: np.asarray(array) for name, array in by_name.items()}


def _params(nodes: Sequence[OpNode]) -> Rows:
    held = [n for n in nodes if isinstance(n, ConstOpBase) and not n.is_number]
    return [get_param_stats(Tensor(node.numpy())) | {"name": node.name} for node in held]


def _computing(network: Network) -> list[OpNode]:
    return [node for node in network.all_oprs if not isinstance(node, (ConstOpBase, Host2DeviceCopy))]


def _flops(network: Network) -> Rows:
    function = to_model(network.output_vars, network.input_vars).function
    rows = []
    for node, count in zip(_computing(network), flops_of(function), strict=True):
        known = get_op_stats(node, node.inputs, node.outputs) or {}
        shapes = {"input_shapes": [v.shape for v in node.inputs], "output_shapes": [v.shape for v in node.outputs]}
        counted = (count + 1) // 2 if node.type in PRODUCTS else count
        rows.append({**shapes, "flops_num": counted, **known, "name": node.name, "class_name": node.type})
    return rows


def _activations(network: Network, arrays: Mapping[str, np.ndarray]) -> Rows:
    nodes = _computing(network)
    results: Sequence[Tensor] = [node.outputs[0] for node in nodes]
    if arrays:
        model = to_model([node.outputs[0] for node in nodes], network.input_vars, lambda var: var.name)
        results = Runnable(model)([Tensor(arrays[v.name], dtype=v.aval.dtype) for v in model.function.inputs])
    return [
        get_activation_stats(result, bool(arrays)) | {"name": node.name, "class_name": node.type}
        for node, result in zip(nodes, results, strict=True)
    ]


def _told(
    summary: dict[str, Any],
    params: Rows | None,
    flops: Rows | None,
    activations: Rows | None,
    computed: bool,
    tables: bool,
    longest: int,
) -> tuple[TotalStats, StatsDetails]:
    """Sum the rows, and log them."""
    param_dims = param_size = count = act_dims = act_size = 0
    if params is not None:
        param_dims, param_size, _ = sum_param_stats(params, longest)
        summary |= {"total_param_dims": sizeof_fmt(param_dims, suffix=""), "total_param_size": sizeof_fmt(param_size)}
        if tables:
            print_param_stats(params)
    if flops is not None:
        count, _ = sum_op_stats(flops, longest)
        summary["total_flops"] = sizeof_fmt(count, suffix="OPs")
        if tables:
            print_op_stats(flops)
    if activations is not None:
        act_dims, act_size, _ = sum_activations_stats(activations, longest)
        summary |= {"total_act_dims": sizeof_fmt(act_dims, suffix=""), "total_act_size": sizeof_fmt(act_size)}
        if tables:
            print_activations_stats(activations, computed)
    if flops is not None and param_size:
        summary["flops/param_size"] = f"{count / param_size:3.3f}"
    print_summary(**summary)
    totals = TotalStats(param_size, param_dims, count, act_size, act_dims)
    return totals, StatsDetails(params or [], flops or [], activations or [])


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m megengine.tools.network_visualize``: MegEngine's command line."""
    parser = argparse.ArgumentParser(prog="python -m megengine.tools.network_visualize", description=__doc__)
    parser.add_argument("model_path", help="a dump")
    parser.add_argument("--log_path", help="folder for TensorBoard's file")
    parser.add_argument(
        "--load_input_data", metavar="FILE", help="an array, or a dict of arrays, that megengine.save wrote"
    )
    parser.add_argument(
        "--bar_length_max", type=int, default=20, help="length of the longest bar in a table (default 20)"
    )
    for name in ("cal_params", "cal_flops", "cal_activations", "logging_to_stdout"):
        parser.add_argument(f"--{name}", action="store_true", help=f"see {name} of visualize()")
    parser.add_argument("--all", action="store_true", help="all of these, and TensorBoard's file in ./log")
    words = vars(parser.parse_args(argv))
    path, everything = words.pop("load_input_data"), words.pop("all")
    if everything:
        words |= dict.fromkeys(("cal_params", "cal_flops", "cal_activations", "logging_to_stdout"), True)
        words["log_path"] = words["log_path"] or "./log"
    if path is not None:
        data = load(path)
        words["inp_dict" if isinstance(data, Mapping) else "input"] = data
    visualize(**words)
    return 0


if __name__ == "__main__":
    sys.exit(main())
