"""Module: what it lists in which order, names, modes, state dicts, hooks, printing, copying."""

from __future__ import annotations

import copy
import logging
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor
from megengine.graph import scopes
from megengine.module.module import _access_structure


class Block(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = M.Linear(2, 2)
        self.count = Tensor([0.0])

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.fc(x))


class Net(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.zeta = Parameter([1.0, 2.0])
        self.blocks = [Block(), {"q": M.Linear(2, 1), "a": (Tensor([3.0]), M.ReLU())}]
        self.head = M.Linear(2, 3)
        self.other = self.head
        self.note = "text"

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks[0](x))


class Flat(M.Module):
    """Stands for the normalisation layers, which list their state flattened."""

    _flat_state = True

    def __init__(self) -> None:
        super().__init__()
        self.weight = Parameter(np.arange(4, dtype="float32").reshape(1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


def names(pairs: Any) -> list[str]:
    return [pair[0] for pair in pairs]


def test_listings_are_alphabetical_and_visit_each_object_once() -> None:
    net = Net()
    assert names(net.named_parameters()) == [
        "blocks.0.fc.bias", "blocks.0.fc.weight", "blocks.1.q.bias", "blocks.1.q.weight", "head.bias", "head.weight", "zeta",
    ]  # fmt: skip
    assert names(net.named_buffers()) == ["blocks.0.count", "blocks.1.a.0"]
    assert names(net.named_children()) == ["blocks.0", "blocks.1.a.1", "blocks.1.q", "head"]
    assert names(net.named_modules("net")) == [
        "net", "net.blocks.0", "net.blocks.0.fc", "net.blocks.1.a.1", "net.blocks.1.q", "net.head",
    ]  # fmt: skip
    for plain, named in (
        (net.parameters(), net.named_parameters()),
        (net.buffers(), net.named_buffers()),
        (net.tensors(), net.named_tensors()),
        (net.children(), net.named_children()),
        (net.modules(), net.named_modules()),
    ):
        assert [id(x) for x in plain] == [id(x) for _, x in named]


def test_parents_are_given_on_request() -> None:
    net = Net()
    assert [(n, p) for n, _, p in net.named_modules(with_parent=True)][:3] == [
        ("", None), ("blocks.0", net), ("blocks.0.fc", net.blocks[0]),
    ]  # fmt: skip
    assert next(iter(net.modules(with_parent=True))) == (net, None)


def test_state_dict_has_own_tensors_first_and_shared_ones_under_each_module() -> None:
    class Tied(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b = M.Linear(2, 2, bias=False)
            self.c = M.Linear(2, 2)
            self.c.weight = self.b.weight
            self.w = self.b.weight

        def forward(self, x: Tensor) -> Tensor:
            return x

    assert list(Net().state_dict()) == [
        "blocks.1.a.0", "zeta", "blocks.0.count", "blocks.0.fc.bias", "blocks.0.fc.weight", "blocks.1.q.bias",
        "blocks.1.q.weight", "head.bias", "head.weight",
    ]  # fmt: skip
    assert list(Tied().state_dict()) == ["w", "b.weight", "c.bias", "c.weight"]
    assert names(Tied().named_parameters()) == ["b.weight", "c.bias"]


@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=3), st.integers(0, 2), max_size=6))
def test_any_structure_comes_back_from_its_state_dict(shape: dict[str, int]) -> None:
    """Modules of random attributes: parameters, lists of layers, nested modules."""

    class Holder(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    def build(value: float) -> Holder:
        root = Holder()
        for name, kind in shape.items():
            inner = Holder()
            inner.t = Tensor([value])
            setattr(root, name, [Parameter([value]), [inner, Parameter([value, value])], {name: inner}][kind])
        return root

    source, target = build(3.0), build(7.0)
    target.load_state_dict(source.state_dict())
    assert {k: v.tolist() for k, v in target.state_dict().items()} == {
        k: v.tolist() for k, v in source.state_dict().items()
    }
    assert names(target.named_tensors()) == sorted(names(target.named_tensors()))


def test_state_dict_arrays_are_copies() -> None:
    layer = M.Linear(2, 2)
    state = layer.state_dict()
    before = state["weight"].copy()
    layer.weight += 1
    np.testing.assert_array_equal(state["weight"], before)
    state["weight"][...] = 9
    assert layer.weight.numpy().max() < 9
    assert layer.state_dict(keep_var=True)["weight"] is layer.weight


def test_loading_keeps_identity_and_takes_the_arrays_dtype() -> None:
    layer = M.Linear(2, 1)
    weight = layer.weight
    layer.load_state_dict({"weight": np.array([[1, 2]], "float16"), "bias": np.array([0.5])})
    assert layer.weight is weight and type(weight) is Parameter
    assert weight.dtype == np.float16 and layer.bias.dtype == np.float32
    np.testing.assert_array_equal(weight.numpy(), [[1, 2]])


def test_loading_changes_nothing_if_anything_does_not_fit() -> None:
    layer = M.Linear(2, 1)
    before = layer.state_dict()
    good = {k: v + 1 for k, v in before.items()}
    for bad, error in [
        ({**good, "weight": np.zeros((3, 1), "float32")}, ValueError),
        ({**good, "extra": np.zeros(1)}, KeyError),
        ({"bias": good["bias"]}, KeyError),
        ({**good, "weight": None}, KeyError),
        ({**good, "weight": Tensor([[1.0, 2.0]])}, AssertionError),
        ({**good, "weight": [[1.0, 2.0]]}, AssertionError),
        ([1], ValueError),
        (None, ValueError),
    ]:
        with pytest.raises(error):
            layer.load_state_dict(bad)
        for key, value in layer.state_dict().items():
            np.testing.assert_array_equal(value, before[key])


def test_errors_of_loading_name_the_parameter_and_the_values() -> None:
    layer = M.Linear(2, 1)
    with pytest.raises(ValueError, match=r"`weight` shape mismatch, should be \(1, 2\), get \(3, 1\)"):
        layer.load_state_dict({"weight": np.zeros((3, 1)), "bias": np.zeros(1)})
    with pytest.raises(KeyError, match=r"unused=\['wieght'\], missing=\['weight'\]"):
        layer.load_state_dict({"wieght": np.zeros((1, 2)), "bias": np.zeros(1)})
    with pytest.raises(AssertionError, match="weight must be a NumPy array, got list"):
        layer.load_state_dict({"weight": [[1.0, 2.0]], "bias": np.zeros(1)})


def test_loading_loosely_logs_and_loads_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    layer = M.Linear(2, 1)
    weight = layer.weight.numpy()
    logger = logging.getLogger("megengine")
    logger.addHandler(caplog.handler)
    try:
        layer.load_state_dict({"bias": np.array([4.0]), "extra": np.zeros(1)}, strict=False)
    finally:
        logger.removeHandler(caplog.handler)
    assert layer.bias.numpy().tolist() == [4.0]
    np.testing.assert_array_equal(layer.weight.numpy(), weight)
    assert "unused=['extra'], missing=['weight']" in caplog.text


def test_loading_with_a_function() -> None:
    layer = M.Linear(2, 1)
    asked = []

    def half(key: str, tensor: Tensor) -> np.ndarray | None:
        asked.append((key, tensor))
        return np.full(tensor.shape, 0.5) if key == "weight" else None

    layer.load_state_dict(half, strict=False)
    assert [(k, t) for k, t in asked] == [("bias", layer.bias), ("weight", layer.weight)]
    assert layer.weight.numpy().tolist() == [[0.5, 0.5]]
    with pytest.raises(KeyError, match="missing=\\['bias'\\]"):
        layer.load_state_dict(half)


def test_layers_with_flat_state_load_both_layouts() -> None:
    net = M.Sequential(Flat(), M.Linear(1, 1))
    state = net.state_dict()
    assert state["0.weight"].shape == (4,)
    for layout in ((4,), (1, 4, 1, 1), (2, 2)):
        state["0.weight"] = np.arange(4, 8, dtype="float32").reshape(layout)
        net[0].weight *= 0
        net.load_state_dict(state)
        assert net[0].weight.numpy().reshape(-1).tolist() == [4, 5, 6, 7] and net[0].weight.shape == (1, 4, 1, 1)
    with pytest.raises(ValueError, match=r"`0.weight` shape mismatch"):
        net.load_state_dict({**state, "0.weight": np.zeros(5, "float32")})
    with pytest.raises(ValueError, match=r"`1.weight` shape mismatch"):
        net.load_state_dict({**state, "1.weight": np.zeros(1, "float32")})


def test_tensors_know_their_names() -> None:
    net = M.Sequential(M.Linear(1, 1), M.Sequential(M.ReLU(), M.Linear(1, 1)), name="net")
    assert [(t._name, t._short_name) for t in net.tensors()] == [
        ("net.0.bias", "bias"), ("net.0.weight", "weight"), ("net.1.1.bias", "bias"), ("net.1.1.weight", "weight"),
    ]  # fmt: skip
    layer = M.Linear(1, 1)
    layer.scale = Parameter([1.0], name="own")
    assert (layer.scale._name, layer.scale.name, layer.weight.name) == ("own", "own", "")
    tied = M.Sequential(layer)
    tied.second = layer
    assert (layer._name, layer._short_name) == ("0", "0")


@pytest.mark.parametrize("name", ["", "  ", 3])
def test_a_name_must_be_a_string_with_something_in_it(name: Any) -> None:
    with pytest.raises(AssertionError, match="non-empty string"):
        M.ReLU(name=name)


def test_assigning_before_init_is_an_error() -> None:
    class Early(M.Module):
        def __init__(self, value: Any) -> None:
            self.early = value

        def forward(self) -> None:
            pass

    for value, what in [(M.ReLU(), "module"), (Parameter([1.0]), "parameter"), ([1], "module")]:
        with pytest.raises(AttributeError, match=f"cannot assign {what} 'early' before"):
            Early(value)


def test_keys_of_dicts_with_tensors_must_be_strings() -> None:
    class Odd(M.Module):
        def __init__(self, table: dict) -> None:
            super().__init__()
            self.table = table

        def forward(self) -> None:
            pass

    with pytest.raises(AssertionError, match="must be str, error key: True"):
        Odd({True: Tensor([1.0])})
    mixed = Odd({1: "number", "a": M.ReLU(), None: 0})
    assert names(mixed.named_children()) == ["table.a"]


def test_base_class_has_no_forward() -> None:
    with pytest.raises(TypeError, match="abstract"):
        M.Module()  # type: ignore[abstract]
    with pytest.raises(TypeError, match="forward"):
        M.ReLU()(1, 2)


def test_modes_reach_all_modules() -> None:
    net = Net()
    assert net.eval() is None and not any(m.training for m in net.modules())
    net.blocks[0].train()
    assert [m.training for m in net.modules()] == [False, True, True, False, False, False]
    net.train(recursive=False)
    assert net.training and not net.head.training
    net.disable_quantize()
    assert all(m.quantize_disabled for m in net.modules())
    visited: list[M.Module] = []
    net.apply(visited.append)
    assert visited == list(net.modules())


def test_a_submodule_may_have_its_own_train() -> None:
    class Frozen(M.ReLU):
        def train(self, mode: bool = True, recursive: bool = True) -> None:
            super().train(False, recursive)

    net = M.Sequential(Frozen(), M.Sequential(Frozen(), M.ReLU()))
    net.train()
    assert [m.training for m in net.modules()] == [True, False, True, False, True]


def test_hooks_run_in_order_and_can_be_removed() -> None:
    calls: list[str] = []
    relu = M.ReLU()
    first = relu.register_forward_hook(lambda m, i, o: calls.append("first"))
    relu.register_forward_hook(lambda m, i, o: o * 2)
    relu.register_forward_pre_hook(lambda m, i: calls.append("before"))
    relu.register_forward_pre_hook(lambda m, i: i[0] + 1)
    assert relu(Tensor([1.0])).item() == 4.0 and calls == ["before", "first"]
    first.remove()
    first.remove()
    assert relu(Tensor([1.0])).item() == 4.0 and calls == ["before", "first", "before"]


def test_a_hook_may_remove_itself() -> None:
    relu = M.ReLU()
    handles = []
    handles.append(relu.register_forward_hook(lambda m, i, o: handles[0].remove()))
    relu.register_forward_hook(lambda m, i, o: o + 1)
    assert [relu(Tensor([1.0])).item() for _ in range(2)] == [2.0, 2.0]
    assert len(relu._forward_hooks) == 1


def test_a_hook_must_be_callable() -> None:
    with pytest.raises(TypeError, match="must be callable, got 3"):
        M.ReLU().register_forward_hook(3)  # type: ignore[arg-type]


def test_hook_of_a_loaded_module_is_not_overwritten() -> None:
    relu = M.ReLU()
    ahead = relu.register_forward_hook(abs).id + 1
    relu._forward_hooks[ahead] = max
    relu.register_forward_hook(min)
    assert list(relu._forward_hooks.values()) == [abs, max, min]


def test_scopes_follow_calls_only_while_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Watched(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = M.Sequential(M.ReLU(), self.peek)

        def peek(self, x: Tensor) -> Tensor:
            seen.append(scopes.current())
            return x

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)

    net = Watched()
    net(Tensor([1.0]))
    monkeypatch.setattr(scopes, "enabled", True)
    net(Tensor([1.0]))
    assert seen == [(), ("Watched", "inner")]
    net.inner.register_forward_hook(lambda m, i, o: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        net(Tensor([1.0]))
    assert scopes.current() == ()


def instructions(call: Callable[[], Any]) -> int:
    """How many instructions of the interpreter a call takes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "opcode"
        frame.f_trace_opcodes = True
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def test_a_call_costs_little_more_than_its_forward() -> None:
    class Empty(M.Module):
        def forward(self, x: Any) -> Any:
            return x

    module = Empty()
    module(1)
    forward = instructions(lambda: module.forward(1))
    assert forward < instructions(lambda: module(1)) < forward + 60  # each takes some nanoseconds
    module.register_forward_hook(lambda module, inputs, outputs: None)
    assert instructions(lambda: module(1)) > forward + 60


def test_deprecated_zero_grad() -> None:
    layer = M.Linear(1, 1)
    grad = layer.weight.grad = Tensor([[3.0]])
    with pytest.warns(DeprecationWarning, match="clear_grad"):
        layer.zero_grad()
    assert layer.weight.grad is grad and grad.item() == 0 and layer.bias.grad is None


def test_deprecated_replace_param() -> None:
    net = M.Sequential(M.Linear(2, 1), M.Linear(1, 1))
    new = Parameter([[8.0, 9.0]])
    with pytest.warns(DeprecationWarning, match="replace_param"):
        assert net.replace_param({11: new}, 10) == 4
    assert net[0].weight is new
    with pytest.warns(DeprecationWarning), pytest.raises(AssertionError, match="weight has shape"):
        net.replace_param({1: Parameter([1.0])}, 0)


def test_requires_grad_argument_is_accepted() -> None:
    assert len(list(M.Linear(1, 1).parameters(requires_grad=True))) == 2
    with pytest.raises(TypeError, match="nosuch"):
        list(M.Linear(1, 1).parameters(nosuch=True))


def test_representation() -> None:
    assert repr(Net()) == (
        "Net(\n"
        "  (blocks.0): Block(\n"
        "    (fc): Linear(in_features=2, out_features=2, bias=True)\n"
        "  )\n"
        "  (blocks.1.a.1): ReLU()\n"
        "  (blocks.1.q): Linear(in_features=2, out_features=1, bias=True)\n"
        "  (head): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (other): Linear(in_features=2, out_features=3, bias=True)\n"
        ")"
    )


def test_representation_follows_reassignment_and_deletion() -> None:
    net = Net()
    net.head = None
    net.blocks = [M.ReLU()]
    del net.other
    net.last = M.Softmax(1)
    assert repr(net) == "Net(\n  (blocks.0): ReLU()\n  (last): Softmax(axis=1)\n)"
    del net.blocks
    assert repr(net) == "Net(\n  (last): Softmax(axis=1)\n)"
    with pytest.raises(AttributeError):
        del net.blocks


def test_representation_of_several_lines() -> None:
    class Wordy(M.Sequential):
        def _module_info_string(self) -> str:
            return "one\ntwo"

    assert repr(Wordy()) == "Wordy(\n  one\n  two\n)"
    assert repr(Wordy(M.ReLU())) == "Wordy(\n  one\n  two\n  (0): ReLU()\n)"


def test_attributes_are_those_that_pickles_of_megengine_have() -> None:
    assert set(vars(M.ReLU())) == {
        "_modules", "name", "training", "quantize_disabled", "_forward_pre_hooks", "_forward_hooks", "_name", "_short_name",
    }  # fmt: skip


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"]
)
def test_copies_are_equal_and_independent(duplicate: Any) -> None:
    net = Net()
    net.eval()
    twin = duplicate(net)
    x = Tensor([[1.0, -2.0]])
    np.testing.assert_array_equal(twin(x).numpy(), net(x).numpy())
    assert twin.other is twin.head and twin.head is not net.head and not twin.blocks[0].training
    assert type(twin.zeta) is Parameter and repr(twin) == repr(net)
    twin.head.weight += 1
    assert not np.allclose(twin(x).numpy(), net(x).numpy())
    handle = twin.register_forward_hook(lambda m, i, o: None)
    assert not net._forward_hooks
    handle.remove()


def test_state_of_an_early_pickle() -> None:
    relu = M.ReLU.__new__(M.ReLU)
    relu.__setstate__({"_name": "act", "_modules": [], "name": None, "training": True})
    assert (relu._name, relu._short_name, relu.training) == (None, "act", True)


def test_hooks_dictionaries_keep_their_type_in_copies() -> None:
    assert type(copy.deepcopy(M.ReLU())._forward_hooks) is OrderedDict


def test_a_traced_call_follows_the_training_flag() -> None:
    drop = M.Dropout(0.5)
    traced = mge.jit.trace(lambda x: drop(x) * 1, without_host=True)
    x = Tensor(np.ones(64, "float32"))
    for _ in range(4):
        assert set(traced(x).numpy()) == {0.0, 2.0}
    drop.eval()
    for _ in range(4):
        assert set(traced(x).numpy()) == {1.0}


def test_access_structure() -> None:
    net = M.Sequential(M.Linear(2, 3), M.ReLU())
    net.parts = {"a": [net[0], (net[1],)]}
    assert _access_structure(net, "0.weight") is net[0].weight
    assert _access_structure(net, "parts.a.1.0") is net[1]
    assert _access_structure(net, "parts.a.1.0", lambda holder, key, found: (type(holder), key)) == (tuple, 0)
    assert _access_structure(net, "parts.a", lambda holder, key, found: key) == "a"
    with pytest.raises(AttributeError, match="absent"):
        _access_structure(net, "0.absent")


def test_state_by_class_and_name() -> None:
    """As programs read it that load the weights of other layouts (recorded from MegEngine 1.13)."""
    net = M.Sequential(M.Conv2d(1, 2, 3), M.BatchNorm2d(2))
    conv, norm = M.Conv2d, M.BatchNorm2d
    shapes = {key: value.shape for key, value in net._state_dict().items()}
    assert shapes == {
        (conv, "0.bias"): (1, 2, 1, 1), (conv, "0.weight"): (2, 1, 3, 3), (norm, "1.bias"): (1, 2, 1, 1),
        (norm, "1.running_mean"): (1, 2, 1, 1), (norm, "1.running_var"): (1, 2, 1, 1), (norm, "1.weight"): (1, 2, 1, 1),
    }  # fmt: skip
    assert list(conv._state_dict(net[0], prefix="a.")) == [(conv, "a.bias"), (conv, "a.weight")]
    assert conv._state_dict(net[0], keep_var=True)[conv, "weight"] is net[0].weight
