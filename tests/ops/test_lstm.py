"""The LSTM that oneDNN computes, against loops of XLA, in both tiers, and its derivatives of higher order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from megengine.graph.host.interpreter import interpret
from megengine.ops import lstm as module
from megengine.ops.lstm import lstm
from megengine.ops.onednn import custom_call, plain_lstm
from megengine.ops.onednn.library import library
from megengine.ops.onednn.lstm import Lstm
from megengine.ops.recurrence import lstm_loop

pytestmark = pytest.mark.skipif(library() is None, reason="needs oneDNN")
SIZES = (5, 3, 7, 6)  # steps, batch, inputs, hidden


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("megengine.ops.onednn.lstm.WORTH_A_CALL", 1)


def operands(seed: int = 0) -> list[np.ndarray]:
    """x, weight_ih, shift, h, c, weight."""
    t, n, i, h = SIZES
    rng = np.random.default_rng(seed)
    shapes = [(t, n, i), (4 * h, i), (4 * h,), (n, h), (n, h), (4 * h, h)]
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def agree(found: Any, wanted: Any, tolerance: float = 3e-6) -> None:
    found, wanted = jax.tree.leaves(found), jax.tree.leaves(wanted)
    for k, (a, b) in enumerate(zip(found, wanted, strict=True)):
        np.testing.assert_allclose(a, b, tolerance, tolerance * float(np.abs(b).max()), err_msg=str(k))


def of(run: Callable[..., Any], reverse: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The function, and all of its gradients."""

    def gradients(*arrays: Any) -> Any:
        (states, last), pull = jax.vjp(lambda *a: run(reverse, *a), *arrays)
        return states, last, *pull((states * states, 1 + last))

    return lambda *arrays: run(reverse, *arrays), gradients


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("tier", ["compiled", "host"])
def test_it_computes_what_loops_do(reverse: bool, tier: str) -> None:
    given = operands()
    for ours, loops in zip(of(lstm, reverse), of(lstm_loop, reverse), strict=True):
        if tier == "compiled":
            lowered = jax.jit(ours).lower(*given)
            assert custom_call.TARGET in lowered.as_text()
            found = lowered.compile()(*given)
        else:
            closed = jax.make_jaxpr(ours)(*given)
            assert "lstm_sequence" in str(closed)
            found = interpret(closed)(*given)
        agree(found, jax.jit(loops)(*given))


def test_for_other_processes_it_is_loops() -> None:
    given = operands()
    ours, loops = of(lstm, True)[1], of(lstm_loop, True)[1]
    closed = jax.make_jaxpr(ours)(*given)  # with the library in mind
    with custom_call.portable():
        lowered = jax.jit(jax.extend.core.jaxpr_as_fun(closed)).lower(*given)
        assert "lstm_sequence" not in str(jax.make_jaxpr(of(lstm, True)[1])(*given))
    assert custom_call.TARGET not in lowered.as_text()
    agree(lowered.compile()(*given), jax.jit(loops)(*given))


@pytest.mark.parametrize("reverse", [False, True])
def test_without_the_library_by_numpy(reverse: bool) -> None:
    x, weight_ih, shift, h, c, weight = given = operands()
    states, last, *wanted = jax.jit(of(lstm_loop, reverse)[1])(*given)
    in_its_order = x, h, c, weight_ih, weight, shift
    found = plain_lstm.forward(*in_its_order, reverse=reverse)[:2]
    agree(found, (states, last))
    made = plain_lstm.gradients(*in_its_order, np.asarray(states * states), np.asarray(1 + last), reverse=reverse)
    dx, dh, dc, dw, du, db = made
    agree((dx, dw, db, dh, dc, du), wanted)


def test_gradients_of_what_numpy_computed() -> None:
    """Where the library failed at the forward pass, nothing is there for its gradients."""
    x, weight_ih, shift, h, c, weight = given = operands()
    in_its_order = [x, h, c, weight_ih, weight, shift]
    forward, backward = (Lstm(*SIZES, True, kind) for kind in ("training", "gradients"))
    results = [np.empty(shape, np.float32) for shape in forward.results()]
    kept = np.full(forward.kept_bytes(), 255, np.uint8)
    forward.compute(*(a.ctypes.data for a in [*in_its_order, *results, kept]))
    cotangents = [results[0] * results[0], 1 + results[1]]
    gradients = [np.empty_like(a) for a in in_its_order]
    plan = backward.plan()
    assert plan is not None
    plan.run(*(a.ctypes.data for a in [*in_its_order, *results, kept, *cotangents, *gradients]))
    dx, dh, dc, dw, du, db = gradients
    agree((*results, dx, dw, db, dh, dc, du), jax.jit(of(lstm_loop, True)[1])(*given))


@pytest.mark.parametrize("fails", ["lstm_sequence", "lstm_gradients"])
def test_a_failure_amid_what_overwrites_its_inputs(fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = operands()
    ours, loops = (jax.jit(of(run, False)[1]) for run in (lstm, lstm_loop))
    ours(*given)
    lib: Any = library()
    execute, calls = lib.execute, []

    def failing(*args: Any) -> int:
        calls.append(args)
        return 1 if (len(calls) < 3) is (fails == "lstm_sequence") else execute(*args)

    custom_call.overwrite(1)
    try:
        monkeypatch.setattr(lib, "execute", failing)
        agree(ours(*given), loops(*given))
    finally:
        custom_call.overwrite(-1)
    assert calls
    with pytest.raises(Exception, match="out of memory in lstm of"):
        calls.clear()
        jax.block_until_ready(ours(*given))


def test_derivatives_of_second_order() -> None:
    given = operands()

    def twice(run: Callable[..., Any]) -> Callable[..., Any]:
        def slope(*arrays: Any) -> Any:
            grads = jax.grad(lambda *a: (run(False, *a)[0] ** 2).sum(), argnums=tuple(range(6)))(*arrays)
            return sum((g**2).sum() for g in grads)

        return interpret(jax.make_jaxpr(jax.grad(slope, argnums=tuple(range(6))))(*given))

    agree(twice(lstm)(*given), twice(lstm_loop)(*given), 2e-5)


def test_of_several_at_once() -> None:
    both = [np.stack(pair) for pair in zip(operands(), operands(1), strict=True)]
    found, wanted = (jax.make_jaxpr(jax.vmap(of(run, False)[1]))(*both) for run in (lstm, lstm_loop))
    agree(interpret(found)(*both), interpret(wanted)(*both))


def test_what_the_library_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    given = operands()
    ours = of(lstm, False)[0]
    empty = [np.zeros((0, *given[0].shape[1:]), np.float32), *given[1:]]
    for arrays in ([a.astype(np.float16) for a in given], empty):
        assert "lstm_sequence" not in str(jax.make_jaxpr(ours)(*arrays))
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    assert "lstm_sequence" not in str(jax.make_jaxpr(ours)(*given))
