"""What tracing records."""

from __future__ import annotations

import copy
import io
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.quantization as Q
import megengine.traced_module as tm
from megengine import Tensor
from megengine.autodiff import Function, GradManager
from megengine.core.ops.builtin import FakeQuant
from megengine.functional import exp as imported
from megengine.optimizer import SGD
from megengine.traced_module import tm_config
from megengine.traced_module.expr import Apply, CallFunction, CallMethod, Constant, GetAttr
from megengine.traced_module.module_tracer import BUILTIN_ARRAY_METHOD
from megengine.utils.comp_graph_tools import GraphInference
from tests.processes import Programs


class Own(M.qat.Conv2d):
    """A layer for training with rounding that is not one of the package's."""

    def forward(self, x: Tensor) -> Tensor:
        return self.apply_quant_activation(F.relu(self.calc_conv_qat(x)))


def kinds(graph: Any) -> list[str]:
    return [type(expr).__name__ for expr in graph._exprs]


class Calls(M.Module):
    """Functions by name, as attributes, of the class, in other functions."""

    kind = staticmethod(F.tanh)

    def __init__(self) -> None:
        super().__init__()
        self.act = F.relu

    def forward(self, x: Tensor) -> Tensor:
        return helper(self.kind(self.act(imported(x))))


def helper(x: Tensor) -> Tensor:
    return imported(x)


def test_functions_are_seen_however_they_are_reached() -> None:
    traced = tm.trace_module(Calls(), Tensor([1.0]))
    assert [e.func for e in traced.graph._exprs] == [F.exp, F.relu, F.tanh, F.exp]
    assert Calls.kind is F.tanh and imported is F.exp and Calls().act is F.relu
    x = Tensor([0.3, -2.0])
    np.testing.assert_array_equal(traced(x).numpy(), Calls()(x).numpy())


class Twice(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Sum()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.inner(x, x) * self.inner(x, y)


class Sum(M.Module):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + 2 * b


def test_the_same_tensor_for_two_arguments_stays_two_inputs() -> None:
    traced = tm.trace_module(Twice(), Tensor([1.0]), Tensor([2.0]))
    assert len(traced.inner.argdef_graph_map) == 1
    assert traced(Tensor([1.0]), Tensor([5.0])).tolist() == [33.0]
    assert traced.flatten()(Tensor([1.0]), Tensor([5.0])).tolist() == [33.0]


def test_other_structures_of_arguments_are_other_graphs() -> None:
    class Inner(M.Module):
        def forward(self, x: Tensor, twice: bool = False) -> Tensor:
            return x * 2 if twice else x + 1

    class Net(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(self.inner(x), True) + self.inner(x, twice=False)

    traced = tm.trace_module(Net(), Tensor([1.0]))
    assert len(traced.inner.argdef_graph_map) == 2
    assert traced(Tensor([3.0])).tolist() == traced.flatten()(Tensor([3.0])).tolist() == [12.0]
    with pytest.raises(AssertionError, match="2 graphs"):
        _ = traced.inner.graph


def test_sizes_are_not_fixed() -> None:
    class Net(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            n, c = x.shape
            return x.reshape(n // 2, 2 * c) + len(x)

    traced = tm.trace_module(Net(), Tensor(np.ones((2, 3))))
    assert isinstance(traced.graph._exprs[0], Apply)
    assert traced(Tensor(np.ones((8, 5), "float32"))).shape == (4, 10)


def test_attributes_and_constants() -> None:
    class Net(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scales = {"a": mge.Parameter([2.0]), "b": mge.Parameter([3.0])}

        def forward(self, x: Tensor) -> Tensor:
            return x * self.scales["a"] + x * self.scales["a"] + Tensor([1.0])

    net = Net()
    traced = tm.trace_module(net, Tensor([1.0]))
    assert kinds(traced.graph).count("GetAttr") == kinds(traced.graph).count("Constant") == 1
    assert [name for name, _ in traced.named_parameters()] == ["scales.a"]
    assert next(iter(traced.parameters())) is net.scales["a"]
    y = traced(Tensor([1.0]))
    y += 1  # no constant of the graph
    assert traced(Tensor([1.0])).tolist() == [5.0]


def test_what_cannot_be_seen_is_an_error() -> None:
    class Cube(Function):
        def forward(self, x: Tensor) -> Tensor:
            return x * x * x

        def backward(self, dy: Tensor) -> Tensor:
            return dy

    class Net(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            with tm_config.exclude_from_trace():
                y = Cube()(x)
            return y + 1

    with pytest.raises(RuntimeError, match="tracing does not see"):
        tm.trace_module(Net(), Tensor([2.0]))
    assert tm.trace_module(M.Sequential(M.ReLU()), Tensor([1.0])) is not None  # nothing is left of the failure


def test_a_layer_alone_has_no_graph() -> None:
    with pytest.raises(AttributeError, match="Linear is one step"):
        tm.trace_module(M.Linear(2, 1), F.ones((1, 2)))
    assert tm.trace_module(M.Sequential(M.Linear(2, 1)), F.ones((1, 2)))(F.ones((3, 2))).shape == (3, 1)


def test_other_threads_are_not_recorded() -> None:
    class Net(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            thread = threading.Thread(target=lambda: F.exp(x).numpy())
            thread.start()
            thread.join()
            return x + 1

    assert kinds(tm.trace_module(Net(), Tensor([1.0])).graph) == ["CallMethod"]


def test_tracing_leaves_nothing_behind(programs: Programs) -> None:
    """Told in a process of its own: after a hundred traces methods stay replaced."""
    process = programs.start(
        """
        import megengine.functional as F, megengine.module as M
        from megengine import Tensor, traced_module as tm

        def state():
            return {name: vars(F)[name] for name in F.nn.__all__}, Tensor.__add__, Tensor.shape, M.Module.__call__

        before = state()
        tm.trace_module(M.Sequential(M.Linear(2, 2)), F.ones((1, 2)))
        print(before == state(), "__add__" in vars(Tensor), F.ones((2, 3)).shape)
        """
    )
    out, error = process.communicate(timeout=280)
    assert out == "True False (2, 3)\n", error


def test_traced_modules_train_as_the_original() -> None:
    mge.random.seed(3)
    net = M.Sequential(M.Linear(3, 4), M.BatchNorm1d(4), M.ReLU(), M.Linear(4, 2))
    other = copy.deepcopy(net)
    x, y = Tensor(np.random.RandomState(0).rand(8, 3).astype("float32")), Tensor([0, 1] * 4)
    losses = []
    for model in (net, tm.trace_module(other, x)):
        gm, opt, seen = GradManager().attach(model.parameters()), SGD(model.parameters(), 0.1), []
        for _ in range(3):
            with gm:
                loss = F.loss.cross_entropy(model(x), y)
                gm.backward(loss)
            opt.step().clear_grad()
            seen.append(loss.item())
        losses.append(seen)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    assert losses[0][2] < losses[0][0]


def test_copies_are_apart() -> None:
    traced = tm.trace_module(M.Sequential(M.Linear(2, 2)), F.ones((1, 2)))
    other = copy.deepcopy(traced)
    bias = next(iter(traced.parameters()))
    bias += 7
    assert not np.array_equal(other(F.ones((1, 2))).numpy(), traced(F.ones((1, 2))).numpy())
    assert other.graph.inputs[0].owner is other
    other.load_state_dict(traced.state_dict())
    np.testing.assert_array_equal(other(F.ones((1, 2))).numpy(), traced(F.ones((1, 2))).numpy())


def test_tensors_are_named_by_the_program() -> None:
    class Net(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x + 1
            y.name = "shifted"
            return y * 2

    traced = tm.trace_module(Net(), Tensor([1.0]))
    assert traced.graph.get_node_by_name("Net_shifted").as_unique().expr.method == "__add__"


def test_each_expression_is_checked_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [0.0]

    class Drifts(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            calls[0] += 1
            return x + Tensor(calls[0])

    tm.register_as_builtin(Drifts)
    net = M.Sequential(Drifts())
    net.eval()
    monkeypatch.setattr(tm_config, "_enable_default_checker", False)
    assert tm.trace_module(net, Tensor([1.0])) is not None
    monkeypatch.setattr(tm_config, "_enable_expr_checker", True)
    with pytest.raises(ValueError, match="other values"):
        tm.trace_module(net, Tensor([1.0]))


def test_layers_for_training_with_rounding_look_as_converters_know_them() -> None:
    """A converter finds the layer by its roundings: weight and result by a method of the layer, the bias by an operator."""
    mge.random.seed(0)
    layer = Own(3, 4, 1)
    layer.set_qconfig(Q.min_max_fakequant_qconfig)
    stub = M.qat.QuantStub()
    stub.set_qconfig(Q.min_max_fakequant_qconfig)
    net, x = M.Sequential(stub, layer), Tensor(np.linspace(-1, 1, 24, dtype="float32").reshape(2, 3, 2, 2))
    layer.bias[...] = Tensor(np.float32([0.1, -0.2, 0.3, 0.4]).reshape(1, 4, 1, 1))
    net(x)
    net.eval()
    traced = tm.trace_module(net, x)
    (inner,) = [part for _, part in traced.named_modules() if getattr(part, "is_qat", False)]
    rounding = M.qat.QATModule._apply_fakequant_with_observer
    called = [e for e in inner.graph._exprs if not isinstance(e, (GetAttr, Constant))]
    last, relu, conv = called[-1], called[-2], called[-3]
    assert inner.is_qat and (last.func, relu.func, conv.func) == (rounding, F.relu, F.conv2d)
    of_weight, of_bias = (node.expr for node in conv.inputs[1:3])
    assert of_weight.func is rounding and len(conv.inputs[1].users) == 1
    assert isinstance(of_bias, Apply) and isinstance(of_bias.opdef, FakeQuant) and of_bias.inputs[0].expr.name == "bias"
    np.testing.assert_array_equal(traced(x).numpy(), net(x).numpy())
    assert {"__add__", "astype", "reshape"} < set(BUILTIN_ARRAY_METHOD) and "detach" not in BUILTIN_ARRAY_METHOD


def test_retracing_gives_the_same_graph() -> None:
    traced = tm.trace_module(Twice(), Tensor([1.0]), Tensor([2.0]))
    again = tm.trace_module(traced, Tensor([1.0]), Tensor([2.0]))
    assert [type(e) for e in again.graph._exprs] == [type(e) for e in traced.graph._exprs]
    assert again(Tensor([1.0]), Tensor([5.0])).tolist() == [33.0]
    assert {CallFunction, CallMethod, Constant, GetAttr} >= {type(e) for e in again.graph._exprs}


class Draws(M.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + mge.random.normal(0, 1, x.shape)


def test_random_numbers_are_drawn_in_each_call() -> None:
    net = Draws()
    net.eval()
    traced = pickle.loads(pickle.dumps(tm.trace_module(net, Tensor([1.0, 2.0]))))
    mge.random.seed(4)
    first, second = traced(F.zeros(3)).numpy(), traced(F.zeros(3)).numpy()
    assert not np.array_equal(first, second)
    mge.random.seed(4)
    np.testing.assert_array_equal(net(F.zeros(3)).numpy(), first)


def test_deep_networks_go_through_files_and_copies() -> None:
    traced = tm.trace_module(M.Sequential(*[M.ReLU() for _ in range(400)]), Tensor([1.0]))
    file = io.BytesIO()
    mge.save(traced, file)
    file.seek(0)
    loaded = mge.load(file)
    assert len(loaded.flatten().graph._exprs) == 800
    assert all(
        len(node.users) == 1
        for expr in loaded.graph._exprs
        for node in expr.outputs[:1]
        if node not in loaded.graph.outputs
    )


def test_a_traced_module_in_a_traced_function_takes_other_sizes(tmp_path: Path) -> None:
    class Net(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.exp(x).reshape(x.shape[0], -1)

    traced = tm.trace_module(Net(), F.ones((2, 3, 2)))
    function = mge.jit.trace(traced, symbolic=True, capture_as_const=True)
    function(F.ones((2, 3, 2)))
    function.dump(str(tmp_path / "net.mge"), arg_names=["x"])
    (result,) = GraphInference(str(tmp_path / "net.mge")).run(np.ones((5, 3, 2), "float32")).values()
    np.testing.assert_allclose(result, np.full((5, 6), np.e), rtol=1e-6)


def test_tensors_on_two_devices_go_into_one_file() -> None:
    class Net(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.to("cpu0") + 1

    traced = pickle.loads(pickle.dumps(tm.trace_module(Net(), Tensor([1.0]))))
    file = io.BytesIO()
    mge.save(traced, file)
    file.seek(0)
    assert mge.load(file)(Tensor([1.0])).device == "cpu0"


def test_a_thousand_traces_see_what_the_first_saw(programs: Programs) -> None:
    """CPython 3.13.0 takes ``x[k]`` for what it was before, once a class has been changed a thousand times."""
    process = programs.start(
        """
        import megengine as mge, megengine.module as M
        from megengine import traced_module as tm
        from megengine.traced_module import patching

        class First(M.Module):
            def forward(self, x):
                return x[0] + 1

        patching._ROUNDS = 2
        net, x = First(), mge.Tensor([1.0, 2.0])
        for changes in (0, 0, 0, 1100):
            for n in range(changes):
                mge.Tensor.probe = n
                net.forward(x)
            methods = [e.method for e in tm.trace_module(net, x).graph._exprs]
            assert methods == ["__getitem__", "__add__"], methods
            assert net(x).item() == 2.0
        print("same")
        """
    )
    out, error = process.communicate(timeout=280)
    assert out == "same\n", error
