"""RNN, LSTM and their cells: the loops against cells called step by step, also in their gradients."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor
from megengine.autodiff import GradManager
from megengine.jit import trace

LAYERS = [
    pytest.param("RNN", {}, id="rnn"),
    pytest.param(
        "RNN", {"num_layers": 2, "bidirectional": True, "nonlinearity": "relu"}, id="rnn-relu-2-bidirectional"
    ),
    pytest.param("RNN", {"bias": False, "nonlinearity": "identity"}, id="rnn-identity"),
    pytest.param("LSTM", {}, id="lstm"),
    pytest.param("LSTM", {"num_layers": 2, "bidirectional": True}, id="lstm-2-bidirectional"),
    pytest.param("LSTM", {"num_layers": 2, "bias": False, "batch_first": True}, id="lstm-batch-first"),
]


def make(kind: str, settings: dict[str, Any]) -> Any:
    return getattr(M, kind)(3, 4, **settings)


def weights_of_cells(layer: Any, flat: Tensor) -> list[list[list[Tensor | None]]]:
    """The parameters of each layer's cells: weight_ih, weight_hh, bias_ih, bias_hh."""
    rest, found = flat.reshape(-1), []
    for row in layer.cells:
        found.append([])
        for cell in row:
            shapes = [cell.weight_ih.shape, cell.weight_hh.shape]
            shapes += [cell.bias_ih.shape, cell.bias_hh.shape] if layer.bias else []
            parts: list[Tensor | None] = []
            for shape in shapes:
                size = int(np.prod(shape))
                parts.append(rest[:size].reshape(shape))
                rest = rest[size:]
            found[-1].append(parts if layer.bias else [*parts, None, None])
    assert rest.size == 0
    return found


def step(layer: Any, x: Tensor, state: list[Tensor], parameters: list[Any]) -> list[Tensor]:
    weight_ih, weight_hh, bias_ih, bias_hh = parameters
    sums = F.linear(x, weight_ih, bias_ih) + F.linear(state[0], weight_hh, bias_hh)
    if len(state) == 1:
        return [{"tanh": F.tanh, "relu": F.relu, "identity": lambda s: s}[layer.nonlinearity](sums)]
    i, f, g, o = F.split(sums, 4, axis=1)
    c = F.sigmoid(f) * state[1] + F.sigmoid(i) * F.tanh(g)
    return [F.sigmoid(o) * F.tanh(c), c]


def step_by_step(layer: Any, x: Tensor, states: list[Tensor], flat: Tensor) -> list[Tensor]:
    """Outputs and last states, without any loop in the graph."""
    if layer.batch_first:
        x = x.transpose(1, 0, 2)
    last = []
    for row, parameters in enumerate(weights_of_cells(layer, flat)):
        outputs = []
        for direction, own in enumerate(parameters):
            state = [s[row * len(parameters) + direction] for s in states]
            seen: dict[int, Tensor] = {}
            for t in reversed(range(x.shape[0])) if direction else range(x.shape[0]):
                state = step(layer, x[t], state, own)
                seen[t] = state[0]
            outputs.append(F.stack([seen[t] for t in sorted(seen)]))
            last.append(state)
        x = F.concat(outputs, axis=2)
    return [x.transpose(1, 0, 2) if layer.batch_first else x, *(F.stack(list(s)) for s in zip(*last, strict=True))]


def inputs(layer: Any, rng: np.random.Generator) -> tuple[Tensor, list[Tensor]]:
    x = rng.normal(size=(2, 3, 3) if layer.batch_first else (3, 2, 3))
    shape = (layer.num_layers * layer.num_directions, 2, 4)
    count = 2 if isinstance(layer, M.LSTM) else 1
    return Tensor(x), [Tensor(rng.normal(size=shape)) for _ in range(count)]


def results(layer: Any, x: Tensor, states: list[Tensor]) -> list[Tensor]:
    output, last = layer(x, tuple(states) if len(states) == 2 else states[0])
    return [output, *(last if isinstance(last, tuple) else [last])]


@pytest.mark.parametrize(("kind", "settings"), LAYERS)
def test_layers_are_cells_step_by_step_and_so_are_their_gradients(
    kind: str, settings: dict[str, Any], rng: np.random.Generator
) -> None:
    layer = make(kind, settings)
    x, states = inputs(layer, rng)
    gradients = []
    for compute in (results, lambda *a: step_by_step(*a, layer._flatten_weights)):
        attached = [x, *states, layer._flatten_weights]
        for tensor in attached:
            tensor.grad = None
        with GradManager().attach(attached) as manager:
            found = compute(layer, x, states)
            manager.backward(sum((y * y * (k + 1)).sum() for k, y in enumerate(found)))
        gradients.append([t.numpy() for t in found] + [t.grad.numpy() for t in attached])
    for ours, expected in zip(*gradients, strict=True):
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(ours, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_gradients_of_gradients(kind: str, rng: np.random.Generator) -> None:
    layer = make(kind, {})
    x, states = inputs(layer, rng)
    found = []
    for compute in (results, lambda *a: step_by_step(*a, layer._flatten_weights)):
        x.grad = layer._flatten_weights.grad = None
        outer, inner = GradManager().attach([layer._flatten_weights]), GradManager().attach([x])
        with outer, inner:
            inner.backward((compute(layer, x, states)[0] ** 2).sum())
            outer.backward((x.grad**2).sum())
        found.append(layer._flatten_weights.grad.numpy())
    assert np.abs(found[1]).max() > 0.01
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("kind", "settings"), LAYERS[2:4])
def test_states_are_zeros_if_none_are_given(kind: str, settings: dict[str, Any], rng: np.random.Generator) -> None:
    layer = make(kind, settings)
    x, states = inputs(layer, rng)
    output, _ = layer(x)
    np.testing.assert_array_equal(output.numpy(), results(layer, x, [s * 0 for s in states])[0].numpy())


@pytest.mark.parametrize("bias", [True, False])
def test_cells(bias: bool, rng: np.random.Generator) -> None:
    x, h, c = (Tensor(rng.normal(size=(2, n))) for n in (3, 4, 4))
    lstm, rnn = M.LSTMCell(3, 4, bias), M.RNNCell(3, 4, bias)
    for cell, state, answer in ((rnn, [h], [rnn(x, h)]), (lstm, [h, c], lstm(x, (h, c)))):
        own = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
        for ours, expected in zip(answer, step(cell, x, state, own), strict=True):
            np.testing.assert_allclose(ours.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)
    assert [type(b) is Parameter for b in (rnn.bias_ih, rnn.bias_hh)] == [bias] * 2
    assert bias or not lstm.bias_ih.numpy().any()


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_dropout_is_between_layers_and_in_training_only(kind: str) -> None:
    mge.random.seed(3)
    layer = make(kind, {"num_layers": 2, "dropout": 0.5})
    x = F.ones((4, 2, 3))
    first, second = layer(x)[0].numpy(), layer(x)[0].numpy()
    assert not np.array_equal(first, second)
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].numpy(), layer(x)[0].numpy())
    layer.train()
    layer.dropout = 1.0
    np.testing.assert_array_equal(layer(x)[0].numpy(), layer(x * 2)[0].numpy())
    single = make(kind, {"dropout": 0.5})
    np.testing.assert_array_equal(single(x)[0].numpy(), single(x)[0].numpy())


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_copies_and_state_dicts(kind: str) -> None:
    layer, other = make(kind, {"num_layers": 2}), make(kind, {"num_layers": 2})
    x = F.ones((4, 2, 3))
    expected = layer(x)[0].numpy()
    assert not np.array_equal(other(x)[0].numpy(), expected)
    other.load_state_dict(layer.state_dict())
    for same in (other, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(same(x)[0].numpy(), expected)


def test_start_values_fill_the_interval() -> None:
    weights = M.LSTM(30, 25, 2)._flatten_weights.numpy()
    assert 0.19 < np.abs(weights).max() <= 0.2 and weights.std() == pytest.approx(0.2 / np.sqrt(3), rel=0.02)


def test_no_steps_and_half_precision() -> None:
    lstm = M.LSTM(3, 4)
    h, c = F.ones((1, 2, 4)), F.full((1, 2, 4), 2.0)
    output, last = lstm(F.zeros((0, 2, 3)), (h, c))
    assert output.shape == (0, 2, 4)
    assert [s.numpy().max() for s in last] == [1, 2]
    x = F.ones((5, 2, 3))
    expected = lstm(x)[0].numpy()
    for parameter in lstm.parameters():
        parameter._reset(parameter.astype("float16"))
    h = F.zeros((1, 2, 4), dtype="float16")
    output, _ = lstm(x.astype("float16"), (h, h))
    assert output.dtype == np.float16
    np.testing.assert_allclose(output.numpy(), expected, atol=5e-3)


def test_a_traced_layer_computes_the_same(rng: np.random.Generator) -> None:
    lstm = M.LSTM(3, 4, 2, bidirectional=True)
    run = trace(lambda x: lstm(x)[0], without_host=True)
    for _ in range(3):
        x = Tensor(rng.normal(size=(5, 2, 3)))
        np.testing.assert_allclose(run(x).numpy(), lstm(x)[0].numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"dropout": 2}, ValueError, "dropout must be a probability from 0 to 1, not 2"),
        ({"dropout": True}, ValueError, "not True"),
        ({"dropout": "a"}, ValueError, "not 'a'"),
        ({"proj_size": 4}, ValueError, "proj_size must be from 0 to hidden_size - 1, not 4"),
        ({"proj_size": 2}, NotImplementedError, "proj_size=2"),
        ({"num_layers": 0}, ValueError, "num_layers must be at least 1, got 0"),
        ({"nosuch": 1}, TypeError, "nosuch"),
    ],
)
def test_bad_settings(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    for kind in (M.RNN, M.LSTM):
        with pytest.raises(error, match=message):
            kind(3, 4, **settings)


def test_a_nonlinearity_that_does_not_exist() -> None:
    for kind in (M.RNN, M.RNNCell):
        with pytest.raises(RuntimeError, match="nonlinearity must be 'tanh' or 'relu' or 'identity', not 'sin'"):
            kind(3, 4, nonlinearity="sin")


def test_shapes_that_do_not_fit() -> None:
    lstm, cell = M.LSTM(3, 4), M.RNNCell(3, 4)
    x = F.ones((5, 2, 3))
    with pytest.raises(RuntimeError, match=r"the input has shape \(5, 3\) instead of \(L, N, 3\)"):
        lstm(x[:, 0])
    with pytest.raises(RuntimeError, match=r"the input has shape \(5, 2, 2\) instead of \(N, L, 3\)"):
        M.RNN(3, 4, batch_first=True)(x[:, :, :2])
    with pytest.raises(RuntimeError, match=r"a state has shape \(1, 3, 4\) instead of \(1, 2, 4\)"):
        lstm(x, (F.ones((1, 3, 4)), F.ones((1, 3, 4))))
    with pytest.raises(RuntimeError, match=r"the input has shape \(2, 2\) instead of \(batch, 3\)"):
        cell(F.ones((2, 2)))
    with pytest.raises(RuntimeError, match=r"a state has shape \(1, 4\)"):
        cell(F.ones((2, 3)), F.ones((1, 4)))
