"""Graphs from files as nodes: found, changed, put together and written again."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine.core.tensor.megbrain_graph as G
import megengine.functional as F
import megengine.module as M
import megengine.utils.network_node as nodes
from megengine import Parameter, Tensor
from megengine.jit import trace
from megengine.utils.comp_graph_tools import GraphInference
from megengine.utils.network import Network, as_oprnode, as_varnode


def network(function: Any, *args: Any, **settings: Any) -> Network:
    """The graph of a function as a network."""
    traced = trace(function, symbolic=True, capture_as_const=True)
    traced(*args)
    return loaded(traced, **settings)


def loaded(source: Any, **settings: Any) -> Network:
    file = io.BytesIO()
    source.dump(file, **settings)
    file.seek(0)
    return Network.load(file)


def run(graph: Network, *arrays: Any) -> dict[str, np.ndarray]:
    file = io.BytesIO()
    graph.dump(file)
    file.seek(0)
    return GraphInference(file).run(*map(np.asarray, arrays))


def sum_and_double() -> Network:
    a, b = Tensor([1, 2]), Tensor([3, 4])
    return network(lambda a, b: (a + b) * 2, a, b, arg_names=["a", "b"], output_names="o")


class TestFinding:
    class Convs(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = M.Conv2d(3, 4, 3)
            self.conv2 = M.Conv2d(4, 4, 3)

        def forward(self, x: Any) -> Any:
            return self.conv2(F.relu(self.conv1(x)))

    @pytest.fixture
    def graph(self) -> Network:
        net = self.Convs()
        data = Tensor(np.ones((1, 3, 8, 8), np.float32))
        return network(net.forward, data, arg_names=["data"], output_names="o", keep_opr_name=True)

    def test_by_type(self, graph: Network) -> None:
        assert graph.data_providers_filter.as_count() == 1
        assert graph.params_filter.as_count() == 4
        convs = graph.opr_filter.type(nodes.ConvolutionForward)
        assert convs.as_count() == 2
        assert graph.opr_filter.not_type(nodes.ConvolutionForward).as_count() == len(graph.all_oprs) - 2
        assert isinstance(graph.get_opr_by_type(nodes.Elemwise), nodes.Elemwise)
        with pytest.raises(AssertionError, match="2 nodes of type"):
            graph.get_opr_by_type(nodes.ConvolutionForward)
        with pytest.raises(TypeError, match="all nodes should be"):
            graph.opr_filter.check_type(nodes.Elemwise).as_list()

    def test_by_name(self, graph: Network) -> None:
        assert graph.var_filter.name("*BIAS").as_count() == 2
        assert graph.var_filter.name("*BIAS", ignorecase=False).as_count() == 0
        assert isinstance(graph.get_opr_by_name("data"), nodes.Host2DeviceCopy)
        assert graph.get_var_by_name("conv1.weight").shape == (4, 3, 3, 3)
        assert sorted(graph.all_vars_dict) == sorted(v.name for v in graph.all_vars)

    def test_by_input(self, graph: Network) -> None:
        data = graph.get_var_by_name("data")
        (reader,) = graph.opr_filter.has_input(data)
        assert reader.type == "Convolution" and reader.params["padding"] == (0, 0)
        assert graph.get_var_receive_oprs(data) == [reader] == data.users
        assert as_oprnode([data]) is data.owner and as_varnode(data.owner) is data

    def test_order(self, graph: Network) -> None:
        seen: set[int] = set()
        for node in graph.all_oprs:
            assert all(v.id in seen for v in node.inputs)
            seen |= {v.id for v in node.outputs}
        assert graph.get_dep_oprs(graph.output_vars[0]) == graph.all_oprs


def test_replaced_variable() -> None:
    graph = sum_and_double()
    a, b = graph.input_vars
    reader = graph.opr_filter.has_input(a).as_unique()
    graph.replace_vars({reader.outputs[0]: F.relu(F.mul(a, b))})
    np.testing.assert_array_equal(run(graph, [1, 2], [3, 4])["o"], [6, 16])


def test_replaced_operator_whose_result_was_changed_in_place() -> None:
    graph = sum_and_double()
    a, b = graph.input_vars
    made = F.relu(F.mul(a, b))
    made += 2
    made *= 3
    old = graph.opr_filter.has_input(a).as_unique()
    new = graph.add_dep_oprs(made)[0].owner
    graph.replace_oprs({old: new})
    assert all(v.owner is new and new.outputs[k] is v for k, v in enumerate(old.outputs))
    np.testing.assert_array_equal(run(graph, [1, 2], [3, 4])["o"], [30, 60])


def test_assignment_to_a_part_makes_another_variable() -> None:
    graph = sum_and_double()
    a, _ = graph.input_vars
    doubled = a * 2
    own = doubled.owner.outputs[0]
    for changed in (doubled, own):
        changed[0] = 7
        changed.name = "changed"
        graph.remove_output(*graph.output_vars)
        graph.add_output(changed, doubled.owner.inputs[0])
        np.testing.assert_array_equal(run(graph, [1, 2])["changed"], [7, 4])
    assert own.owner is not doubled.owner and own.owner.inputs[0].owner is doubled.owner.inputs[0].owner


def test_constants() -> None:
    graph = sum_and_double()
    graph.params_filter.as_unique().set_value(3)
    np.testing.assert_array_equal(run(graph, [1, 2], [3, 4])["o"], [12, 18])
    graph.replace_vars({graph.input_vars[1]: graph.make_const(np.array([0.0, 0.0]), name="zero")})
    assert [v.name for v in graph.input_vars] == ["a"]
    np.testing.assert_array_equal(run(graph, [1, 2])["o"], [3, 6])
    assert graph.get_var_by_name("zero").numpy().tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="has no value"):
        graph.get_var_by_name("o").numpy()


def test_constants_are_sizes_and_indices() -> None:
    graph = sum_and_double()
    two = graph.make_const(np.array([2], np.int32)) - 1
    assert int(two) == 1 and two.item() == 1 and np.asarray(two).tolist() == [1]
    a, b = graph.input_vars
    wide = F.broadcast_to(a, (graph.make_const(3), 2))[two]
    wide.name = "wide"
    b.set_value([5, 6])
    moved = (a + b).to("cpu0")
    moved.name = "moved"
    graph.remove_output(*graph.output_vars)
    graph.add_output(wide, moved)
    got = run(graph, [1, 2])
    assert got["wide"].tolist() == [[1, 2]] and got["moved"].tolist() == [6, 8]


def test_another_tensor_of_the_same_variable() -> None:
    graph = sum_and_double()
    a, _ = graph.input_vars
    other = nodes.VarNode(a)
    assert other is not a and other.var is a and other.owner is a.owner and other.name == "a"
    other[0] = 9
    assert other.var is not a and a.var is a and a.name == "a"


def test_new_input_and_outputs() -> None:
    graph = sum_and_double()
    o = graph.get_var_by_name("o")
    total = F.add(o, graph.make_input_node((2,), np.int32, name="c"))
    total.name = "total"
    graph.remove_output(o)
    graph.add_output(total, F.sigmoid(o.astype("float32")))
    assert [v.name for v in graph.input_vars] == ["a", "b", "c"]
    got = list(run(graph, [1, 2], [3, 4], [5, 6]).values())
    np.testing.assert_array_equal(got[0], [13, 18])
    np.testing.assert_allclose(got[1], 1 / (1 + np.exp([-8.0, -12.0])), rtol=1e-5)


def test_two_networks_joined() -> None:
    first = sum_and_double()
    second = network(lambda x: x * x, Tensor([1, 2]), arg_names=["x"], output_names="square")
    square = second.get_var_by_name("square")
    first.replace_vars({first.input_vars[0]: square, first.input_vars[1]: square})
    assert [v.name for v in first.input_vars] == ["x"]
    np.testing.assert_array_equal(run(first, [2, 3])["o"], [16, 36])


def test_batch_size() -> None:
    graph = network(lambda x: F.exp(x).sum(axis=1), Tensor(np.ones((3, 4), np.float32)), output_names="y")
    graph.reset_batch_size(5)
    assert graph.data_providers_filter.as_unique().shape == (5, 4) and graph.output_vars[0].shape == (5,)
    assert loaded(graph).input_vars[0].shape == (5, 4)
    with pytest.raises(AssertionError, match="unused items in blacklist"):
        graph.reset_batch_size(2, blacklist=["z"])
    split = network(lambda x: x.reshape(1, 3, 4)[:, 0:2], Tensor(np.ones((3, 4), np.float32)), output_names="y")
    split.reset_batch_size(5)
    assert split.output_vars[0].shape == (1, 2, 4)
    fixed = network(lambda x: x + Tensor(np.ones((3, 1), np.float32)), Tensor(np.ones((3, 4), np.float32)))
    with pytest.raises(RuntimeError, match="add"):
        fixed.reset_batch_size(5)


def test_names_of_operators() -> None:
    graph = network(F.exp, Tensor([1.0]), arg_names=["a"])
    graph.modify_opr_names("net")
    graph.modify_opr_names(lambda name: "outer." + name)
    again = loaded(graph, keep_opr_name=True)
    assert again.data_providers_filter.as_unique().name == "outer.net.a"
    assert again.all_oprs[-1].name == "outer.net.EXP(a)[2]"


def test_part_of_a_graph() -> None:
    file = io.BytesIO()
    traced = trace(lambda a, b: (a + 1, b * 2), symbolic=True, capture_as_const=True)
    traced(Tensor([1.0]), Tensor([2.0]))
    traced.dump(file, arg_names=["a", "b"], output_names=["x", "y"])
    file.seek(0)
    assert [v.name for v in Network.load(file, outspec=["y"]).input_vars] == ["b"]
    file.seek(0)
    assert list(GraphInference(file, outputs=["x"]).run(np.float32([4]))) == ["x"]
    file.seek(0)
    with pytest.raises(AssertionError, match="Can not find"):
        Network.load(file, outspec=["z"])


def test_inputs_are_checked() -> None:
    graph = GraphInference(_file(sum_and_double()))
    with pytest.raises(AssertionError, match=r"expects inputs \['a', 'b'\]"):
        graph.run(np.array([1, 2]))
    with pytest.raises(AssertionError, match="expects 2 inputs"):
        graph.run(1, 2, 3)
    np.testing.assert_array_equal(graph.run(np.array([1, 2]), inp_dict={"b": np.array([3, 4])})["o"], [8, 12])


def _file(graph: Network) -> io.BytesIO:
    file = io.BytesIO()
    graph.dump(file)
    file.seek(0)
    return file


def test_metadata() -> None:
    traced = trace(lambda x: x * 2, symbolic=True, capture_as_const=True)
    traced(Tensor([1.0]))
    first = loaded(traced, user_info={"epoch": 3}, optimize_for_inference=False)
    assert first.metadata == {"user_info": {"epoch": 3}, "graph_modified": False, "optimized_for_inference": False}
    second = loaded(first, enable_nchw4=True)
    assert second.metadata is not None and second.metadata["graph_modified"] and second.metadata["enable_nchw4"]
    assert loaded(traced, enable_metadata=False).metadata is None


def test_a_result_that_is_an_input() -> None:
    graph = network(lambda x: (x, x), Tensor([1.0, 2.0]), arg_names=["x"], output_names=["y", "z"])
    got = run(graph, np.float32([3, 4]))
    assert list(got) == ["y", "z"] and got["z"].tolist() == [3, 4]


def test_optimized_variables_are_of_a_new_graph() -> None:
    graph = network(F.exp, Tensor([1.0]), arg_names=["x"], output_names="y")
    (half,) = graph.optimize_for_inference(graph.output_vars, enable_io16xc32=True)
    assert half.owner.inputs[0].dtype == np.float16 and graph.output_vars[0].dtype == half.dtype == np.float32
    found, chosen = G.optimize_for_inference(graph.output_vars, enable_ioc16=True, enable_fuse_grain=False)
    assert found[0].owner.inputs[0].dtype == np.float16 and chosen == {"enable_ioc16": True}
    with pytest.raises(ValueError, match="unknown options"):
        graph.optimize_for_inference(graph.output_vars, enable_nothing=True)


def test_ops_in_use_are_written_for_who_strips_a_runtime(tmp_path: Path) -> None:
    path = tmp_path / "used.json"
    sum_and_double().dump(io.BytesIO(), strip_info_file=str(path))
    first = json.loads(path.read_text())
    assert first["opr_types"] == ["add", "mul"] and first["dtypes"] == ["int32"]
    exp = network(F.exp, Tensor([1.0]))
    exp.dump(io.BytesIO(), strip_info_file=str(path), append_json=True)
    assert json.loads(path.read_text())["opr_types"] == ["add", "exp", "mul"]
    with open(path, "r+") as file:
        exp.dump(io.BytesIO(), strip_info_file=file)
    assert json.loads(path.read_text())["opr_types"] == ["exp"]


@pytest.mark.parametrize(
    ("level", "wanted"),
    [(0, ["unnamed0", "x"]), (1, ["k.weight", "x", "y"]), (2, ["k.EXP", "k.MUL", "k.weight", "x", "y"])],
)
def test_levels_of_names(level: int, wanted: list[str]) -> None:
    class Scale(M.Module):
        def __init__(self) -> None:
            super().__init__(name="k")
            self.weight = Parameter([2.0])

        def forward(self, x: Any) -> Any:
            return F.exp(x * self.weight) - x

    net = Scale()
    traced = trace(lambda x: net(x), symbolic=True, capture_as_const=True)
    traced(Tensor([1.0]))
    names = [v.given_name for v in loaded(traced, arg_names="x", output_names="y", keep_var_name=level).all_vars]
    assert sorted(filter(None, names)) == wanted
