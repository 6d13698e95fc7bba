"""Functions on graphs, and graphs built by hand."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import megengine.core.tensor.megbrain_graph as G
import megengine.functional as F
import megengine.utils.comp_graph_tools as tools
from megengine import Tensor
from megengine.core.ops.builtin import Elemwise
from megengine.jit import trace


def graph_of(function: Any, *args: Any) -> Any:
    traced = trace(function, symbolic=True, capture_as_const=True)
    traced(*args)
    file = io.BytesIO()
    traced.dump(file, arg_names=[f"x{k}" for k in range(len(args))], keep_var_name=2, keep_opr_name=True)
    file.seek(0)
    return G.load_graph(file)


def computed(outputs: Any, *arrays: Any) -> list[np.ndarray]:
    data, _ = G.dump_graph({f"o{k}": v for k, v in enumerate(outputs)})
    return list(tools.GraphInference(io.BytesIO(data)).run(*arrays).values())


def test_graph_built_by_hand() -> None:
    graph = G.Graph()
    x = graph.make_h2d(dtype="float32", device="xpux", shape=(2,), name="x")
    (double,) = G.apply_normal_varnode(Elemwise("ADD"), x, x)
    (result,) = G.apply_normal_varnode(Elemwise("MUL"), double, graph.make_const(1.5))
    data, info = G.dump_graph({"y": result})
    assert (info.inputs, info.outputs, info.nr_opr) == (["x"], ["y"], 4)
    (got,) = tools.GraphInference(io.BytesIO(data)).run(np.float32([1, 2])).values()
    np.testing.assert_array_equal(got, [3, 6])


def test_graph_run_by_hand() -> None:
    graph = G.Graph()
    x = G.InputNode(dtype="float32", device="xpux", graph=graph)
    out = G.OutputNode(x.outputs[0] * 2 + 1)
    function = out.graph.compile(out.outputs)
    for size in (1, 4):
        function.execute()
        x.set_value(Tensor(np.ones(size, np.float32)))
        np.testing.assert_array_equal(out.get_value().numpy(), np.full(size, 3))
    x.reset()
    with pytest.raises(RuntimeError, match="has no value yet"):
        out.get_value()
    fixed = graph.make_h2d(dtype="float32", device="xpux", shape=(2,), name="fixed")
    with pytest.raises(RuntimeError, match="fixed cannot be given values"):
        G.OutputNode(fixed + 1).get_value()


def test_dependencies() -> None:
    result = graph_of(lambda a, b: (a + b) * 2 - a, Tensor([1.0]), Tensor([2.0]))
    (out,) = result.output_vars_list
    assert tools.get_owner_opr_type(out) == "Elemwise"
    assert [v.name for v in tools.get_owner_opr_inputs(out)] == ["MUL", "x0"]
    assert {v.name for v in tools.get_dep_vars(out, "Host2DeviceCopy")} == {"x0", "x1"}
    assert len(tools.get_dep_vars([out])) == 6
    modes = [o.params.get("mode", o.type) for o in tools.get_oprs_seq([out], prune_immtensor=False)]
    assert modes == ["Host2DeviceCopy", "Host2DeviceCopy", "ADD", "ImmutableTensor", "MUL", "SUB"]
    assert len(tools.get_oprs_seq([out])) == 5


def test_traversal_by_numbers() -> None:
    (out,) = graph_of(F.exp, Tensor([1.0])).output_vars_list
    operators, variables, readers, receivers, _, degrees = tools.graph_traversal([out])
    assert variables[1].name == "x0" and readers[1] == [(2, 0)]
    assert operators[2].name == "EXP" and receivers[0] == [2] and degrees == {2: 1, 0: 0}


def test_replaced_in_a_copy() -> None:
    (out,) = graph_of(lambda a: F.exp(a * 2) + a, Tensor([1.0])).output_vars_list
    (x,) = tools.get_dep_vars(out, "Host2DeviceCopy")
    (new,) = tools.replace_vars([out], {x.users[0].outputs[0]: x * 3})
    value = np.float32([0.5])
    np.testing.assert_allclose(computed([new], value)[0], np.exp(1.5) + 0.5, rtol=1e-6)
    np.testing.assert_allclose(computed([out], value)[0], np.exp(1.0) + 0.5, rtol=1e-6)
    old = x.users[0]
    (again,) = tools.replace_oprs([out], {old: F.sqrt(x).owner})
    np.testing.assert_allclose(computed([again], value)[0], np.exp(0.5**0.5) + 0.5, rtol=1e-6)


def test_data_in_the_place_of_inputs() -> None:
    outputs = graph_of(lambda a, b: a * b, Tensor([1.0]), Tensor([2.0])).output_vars_list
    (found,) = [v for v in tools.get_dep_vars(outputs, "Host2DeviceCopy") if v.name == "x1"]
    (new,), made = tools.embed_inputs(outputs, [np.float32([5])], [found])
    assert list(made) == ["x1"]
    np.testing.assert_array_equal(computed([new], np.float32([3]))[0], [15])


def test_priority_decides_where_the_order_is_free() -> None:
    (out,) = graph_of(lambda a: F.exp(a) + F.log(a), Tensor([1.0])).output_vars_list
    exp, log = (v.owner for v in out.owner.inputs)
    assert tools.get_oprs_seq([out]).index(exp) < tools.get_oprs_seq([out]).index(log)
    exp.priority = 1
    assert tools.get_oprs_seq([out]).index(log) < tools.get_oprs_seq([out]).index(exp)
