"""Changes of graphs, and queries on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.traced_module as tm
from megengine import Tensor
from megengine.traced_module import TracedModule
from megengine.traced_module.node import ModuleNode, TensorNode


class Block(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = M.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.linear(x)) + 1


class Net(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Block(), Block()

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


X = np.random.RandomState(0).randn(4, 3).astype("float32")


@pytest.fixture
def net() -> Any:
    return tm.trace_module(Net(), Tensor(X))


def users_agree(graph: Any) -> None:
    for node in graph.nodes(False):
        expected = [e for e in graph._exprs for n in e.inputs if n is node]
        assert sorted(map(id, node.users)) == sorted(map(id, expected)), node


def test_queries(net: Any) -> None:
    graph = net.graph
    assert graph.get_function_by_type(F.relu).as_count() == 2
    assert [n.qualname for n in graph.get_module_by_type(M.Linear)] == ["Net.first.linear", "Net.second.linear"]
    assert graph.get_method_by_type("__add__", recursive=False).as_list() == []
    relu = graph.get_function_by_type(F.relu).as_list()[0]
    assert graph.get_expr_by_id(relu._id).as_unique() is relu
    assert graph.get_node_by_id([0, 1]).as_list() == graph.inputs
    assert graph.get_node_by_name("net_first_linear*").as_count() == 2
    assert graph.get_node_by_name("net_first_linear*", ignorecase=False).as_count() == 0
    assert list(graph.exprs().as_dict()) == list(range(graph.exprs().as_count()))
    assert f"{relu.outputs[0]:ip}" == f"%{relu.outputs[0]._id}_Net_first_relu_out"
    with pytest.raises(AssertionError, match="2 elements"):
        graph.get_function_by_type(F.relu).as_unique()


def test_flattened_graphs_compute_the_same(net: Any) -> None:
    flat = net.flatten()
    assert not any(
        isinstance(e.outputs[0].owner, TracedModule) for e in flat.graph._exprs if hasattr(e.outputs[0], "owner")
    )
    assert [e.name for e in flat.graph._exprs if type(e).__name__ == "GetAttr"] == ["first.linear", "second.linear"]
    assert flat.graph.get_node_by_name("Net_second_linear_out").as_unique().qualname == "Net.second.linear.[out]"
    np.testing.assert_array_equal(flat(Tensor(X)).numpy(), net(Tensor(X)).numpy())
    users_agree(flat.graph)
    assert len({n._name for n in flat.graph.nodes()}) == flat.graph.nodes().as_count()


def test_flattening_results_that_are_inputs_or_given_twice() -> None:
    class Inner(M.Module):
        def forward(self, a: Tensor) -> Any:
            y = a * 2
            return a, y, y

    class Outer(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()

        def forward(self, a: Tensor) -> Any:
            a, y, z = self.inner(a)
            b, _, _ = self.inner(a + 1)
            return a, y, z, b, y + z

    traced = tm.trace_module(Outer(), Tensor([1.0]))
    flat = traced.flatten()
    users_agree(flat.graph)
    for module in (traced, flat):
        assert [v.item() for v in module(Tensor([3.0]))] == [3.0, 6.0, 6.0, 4.0, 12.0]


def test_insertion_of_functions_methods_and_sizes(net: Any) -> None:
    flat = net.flatten()
    graph = flat.graph
    out, x = graph.outputs[0], graph.inputs[1]
    with graph.insert_exprs():
        new = F.concat([out, x * 2], axis=1).reshape(x.shape[0], -1)[:, 1:]
        assert isinstance(new, TensorNode)
        new.name = "cut"
    graph.replace_node({out: new})
    graph.compile()
    users_agree(graph)
    assert "cut" in str(graph)
    expected = np.concatenate([net(Tensor(X)).numpy(), X * 2], 1)[:, 1:]
    np.testing.assert_allclose(flat(Tensor(X)).numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(flat(Tensor(X[:2])).numpy(), expected[:2], rtol=1e-5)
    with pytest.raises(TypeError):
        _ = x + 1  # nodes compute within the block only


def test_insertion_of_modules(net: Any) -> None:
    class Scale(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = mge.Parameter([3.0])

        def forward(self, x: Tensor) -> Tensor:
            return x * self.factor

    net.scale = Scale()
    net.first.bias = mge.Parameter([5.0])
    graph = net.graph
    module, out = graph.inputs[0], graph.outputs[0]
    with graph.insert_exprs():
        assert isinstance(module.scale, ModuleNode)
        new = module.scale(module.scale(out)) + module.first.bias
    before = net(Tensor(X)).numpy()
    graph.replace_node({out: new})
    graph.compile()
    assert isinstance(net.scale, TracedModule)
    np.testing.assert_allclose(net(Tensor(X)).numpy(), before * 9 + 5, rtol=1e-6)
    np.testing.assert_allclose(net.flatten()(Tensor(X)).numpy(), before * 9 + 5, rtol=1e-6)


def test_a_failed_insertion_changes_nothing(net: Any) -> None:
    before = str(net.graph)
    with pytest.raises(ZeroDivisionError), net.graph.insert_exprs():
        F.exp(net.graph.outputs[0])
        _ = 1 / 0
    assert str(net.graph) == before
    assert tm.trace_module(Net(), Tensor(X)) is not None


def test_replacement_and_removal(net: Any) -> None:
    block = net.first.graph
    relu = block.get_function_by_type(F.relu).as_unique()
    block.replace_node({relu.outputs[0]: relu.inputs[0]})
    relu.disable_remove()
    block.compile()
    assert relu in block._exprs
    relu.enable_remove()
    block.compile()
    assert relu not in block._exprs
    users_agree(block)
    linear = net.first.linear(Tensor(X)) + 1
    np.testing.assert_allclose(net.first(Tensor(X)).numpy(), linear.numpy(), rtol=1e-6)


def test_arguments_of_calls() -> None:
    class Sum(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.sum(x, 0) + F.softmax(x, axis=1).sum()

    traced = tm.trace_module(Sum(), Tensor(X))
    total = traced.graph.get_function_by_type(F.sum).as_unique()
    assert total.named_args["axis"] == 0
    total.set_arg("axis", 1)
    total.set_arg("keepdims", True)
    np.testing.assert_allclose(traced(Tensor(X)).numpy(), X.sum(1, keepdims=True) + 4, rtol=1e-5)


def test_inputs_and_outputs(net: Any) -> None:
    graph = net.graph
    extra = graph.add_input_node((4, 3), name="extra")
    graph.add_output_node(extra)
    assert graph.inputs[-1] is extra and extra.name == "extra"
    first, second = net(Tensor(X), Tensor(X + 1))
    np.testing.assert_array_equal(second.numpy(), X + 1)
    graph.reset_outputs({"all": [graph.outputs[1], graph.outputs[0]]})
    np.testing.assert_array_equal(net(Tensor(X), Tensor(X))["all"][1].numpy(), first.numpy())


def test_names(net: Any) -> None:
    out = net.graph.outputs[0]
    with pytest.raises(AssertionError, match="already in use"):
        out.name = "first_out"
    out.name = "result"
    net.graph.name = "Top"
    assert net.graph.get_node_by_name("Top_result").as_unique() is out


def test_watched_values_and_early_ends(net: Any) -> None:
    graph = net.graph
    inside = graph.get_function_by_type(F.relu).as_list()[0].outputs[0]
    net.first.set_watch_points(inside)
    net(Tensor(X))
    np.testing.assert_array_equal(
        net.first.watch_node_value[inside].numpy(), F.relu(net.first.linear(Tensor(X))).numpy()
    )
    net.first.clear_watch_points()
    middle = graph.get_node_by_name("Net_first_out").as_unique()
    net.set_end_points(middle)
    (found,) = net(Tensor(X))
    np.testing.assert_array_equal(found.numpy(), net.first(Tensor(X)).numpy())
    net.clear_end_points()
    assert net(Tensor(X)).shape == (4, 3)


def test_other_arguments_are_told(net: Any) -> None:
    with pytest.raises(TypeError, match="unexpected keyword"):
        net(Tensor(X), y=1)
    with pytest.raises(AssertionError, match="support input args"):
        net(1.0)
