"""The LSTM that oneDNN computes, against loops of XLA, in both tiers, and its derivatives of higher order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import numpy as np
import pytest

from megengine.graph import template
from megengine.graph.host.interpreter import interpret
from megengine.graph.symbols import Symbols
from megengine.ops import lstm as module
from megengine.ops.lstm import lstm
from megengine.ops.onednn import custom_call, plain_lstm
from megengine.ops.onednn import lstm as lstm_of_library
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


def of_any_length(run: Callable[..., Any]) -> template.Template:
    """A function of the operands, traced once for all numbers of steps."""
    symbols = Symbols((5,))
    structs = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in operands()]
    structs[0] = jax.ShapeDtypeStruct((*symbols.sizes, *structs[0].shape[1:]), np.float32)
    made: template.Template | None = symbols.trace(lambda: template.Template(jax.make_jaxpr(run)(*structs), symbols))
    assert made is not None
    made.complete()
    return made


@cache
def by_loops(reverse: bool, steps: int) -> tuple[list[np.ndarray], Any]:
    """Operands of so many steps, and what loops make of them."""
    given = operands()
    given[0] = np.random.default_rng(steps).standard_normal((steps, *given[0].shape[1:])).astype(np.float32)
    return given, jax.jit(of(lstm_loop, reverse)[1])(*given)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("rounded_up", [1 << 16, -(1 << 15)])
def test_one_trace_is_for_all_numbers_of_steps(
    reverse: bool, rounded_up: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the library; or, should it keep more bytes than it was thought to, as loops."""
    monkeypatch.setattr(lstm_of_library, "_ROUNDED_UP", rounded_up)
    made = of_any_length(of(lstm, reverse)[1])
    assert "lstm_sequence" in str(made.closed)
    for steps in (2, 5, 31, 70):
        given, wanted = by_loops(reverse, steps)
        at = made.at((steps,))
        agree(at.interpreted()(*given), wanted, 2e-5)
        lowered = jax.jit(jax.extend.core.jaxpr_as_fun(at.closed())).lower(*given)
        assert (custom_call.TARGET in lowered.as_text()) is (rounded_up > 0), steps
        agree(lowered.compile()(*given), wanted, 2e-5)


@pytest.mark.parametrize("sizes", [(3, 7, 6), (1, 1, 1), (32, 128, 256), (8, 64, 100), (20, 512, 33)])
def test_bytes_that_are_kept_for_any_number_of_steps(sizes: tuple[int, int, int]) -> None:
    at_most = Lstm(np.int64(2), *sizes, False, "training")  # no int, as symbols are none
    for steps in (2, 3, 7, 15, 16, 17, 33, 63, 64, 65, 100, 257):
        exact = Lstm(steps, *sizes, False, "training").kept_bytes()
        bound = replace(at_most, steps=np.int64(steps)).kept_bytes()
        assert exact <= bound <= exact + (1 << 17) + 64 * steps


def test_a_batch_of_any_size_is_left_to_the_library_for_each() -> None:
    symbols = Symbols((3,))
    structs = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in operands()]
    for k, axis in ((0, 1), (3, 0), (4, 0)):
        shape = list(structs[k].shape)
        shape[axis] = symbols.sizes[0]
        structs[k] = jax.ShapeDtypeStruct(tuple(shape), np.float32)
    run = of(lstm, False)[0]
    assert symbols.trace(lambda: jax.make_jaxpr(run)(*structs)) is None

    def for_others() -> Any:
        with custom_call.portable():
            return jax.make_jaxpr(run)(*structs)

    assert "scan" in str(symbols.trace(for_others))
