"""What XLA's executables call oneDNN for: the same numbers as XLA's own, errors, layouts, other processes, interrupts."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from megengine.ops.bilinear import convolve
from megengine.ops.onednn import custom_call, ffi
from megengine.ops.onednn.library import library
from tests.processes import Programs

pytestmark = pytest.mark.skipif(library() is None, reason="needs oneDNN")

SAME: Any = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}


def both_ways(f: Any, *arrays: Any) -> tuple[Any, Any]:
    """What a function gives when its executable calls oneDNN, and when it does not."""
    calls = jax.jit(lambda *a: f(*a))
    assert custom_call.TARGET in calls.lower(*arrays).as_text()
    with custom_call.portable():
        alone = jax.jit(lambda *a: f(*a)).lower(*arrays)
        assert custom_call.TARGET not in alone.as_text()
        wanted = alone.compile()(*arrays)
    return calls(*arrays), wanted


def agree(f: Any, *arrays: Any, rtol: float = 1e-5) -> None:
    for found, wanted in zip(*map(jax.tree.leaves, both_ways(f, *arrays)), strict=True):
        assert found.dtype == wanted.dtype
        scale = float(jnp.abs(wanted).max())
        np.testing.assert_allclose(found, wanted, rtol, rtol * scale)


def normal(rng: np.random.Generator, *shape: int, dtype: Any = np.float32) -> jax.Array:
    return jnp.asarray(rng.standard_normal(shape), dtype)


@pytest.mark.parametrize(
    ("x", "w", "settings"),
    [
        ((4, 3, 12, 12), (16, 3, 3, 3), SAME),
        ((4, 16, 48, 48), (4, 16, 1, 1), {**SAME, "padding": (0, 0), "stride": (2, 2)}),
        ((4, 16, 12, 12), (16, 1, 3, 3), {**SAME, "groups": 16}),
        ((4, 16, 12, 12), (32, 4, 3, 3), {**SAME, "groups": 4, "dilation": (2, 1)}),
        ((4, 16, 200), (8, 16, 5), {"stride": (2,), "padding": (2,), "dilation": (1,), "groups": 1}),
        ((1, 8, 8, 9, 10), (8, 8, 2, 3, 2), {"stride": (1,) * 3, "padding": (1, 0, 1), "dilation": (1,) * 3, "groups": 1}),
    ],
)  # fmt: skip
def test_convolutions(x: Any, w: Any, settings: Any, rng: np.random.Generator) -> None:
    def f(x: Any, w: Any, ct: Any) -> Any:
        y, pull = jax.vjp(partial(convolve, **settings), x, w)
        return y, pull(jnp.broadcast_to(ct, y.shape) + y)

    agree(f, normal(rng, *x), normal(rng, *w), normal(rng, 1))


def test_half_precision_sums_in_float32(rng: np.random.Generator) -> None:
    x, w = normal(rng, 2, 16, 12, 12, dtype=jnp.bfloat16), normal(rng, 16, 16, 3, 3, dtype=jnp.bfloat16)
    agree(partial(convolve, **SAME), x, w, rtol=1e-2)
    of = custom_call.convolution("convolve", x.dtype, x_shape=x.shape, kernel_shape=w.shape, **SAME)
    assert of is not None
    operands = "tensor<2x12x12x16xbf16>, tensor<16x16x3x3xbf16>"
    native = of.dtype == "bfloat16"  # as far as the processor multiplies it
    assert (operands in jax.jit(partial(convolve, **SAME)).lower(x, w).as_text()) == native


def test_small_and_unknown_ones_are_left_to_xla(rng: np.random.Generator) -> None:
    for x, w in (
        (normal(rng, 1, 2, 4, 4), normal(rng, 2, 2, 3, 3)),
        (normal(rng, 4, 16, 12, 12, dtype=jnp.float32).astype(jnp.int32), jnp.ones((16, 16, 3, 3), jnp.int32)),
    ):
        assert custom_call.TARGET not in jax.jit(partial(convolve, **SAME)).lower(x, w).as_text()


def test_an_error_names_the_op(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = normal(rng, 4, 24, 12, 12), normal(rng, 16, 24, 3, 3)
    call = jax.jit(partial(convolve, **SAME)).lower(x, w).compile()
    lib = library()
    assert lib is not None
    monkeypatch.setattr(lib, "execute", lambda *_: 5)
    with pytest.raises(RuntimeError, match=r"oneDNN: runtime error in convolve of \(4, 24, 12, 12\)"):
        call(x, w)
    monkeypatch.undo()
    np.testing.assert_allclose(call(x, w), jax.jit(partial(convolve, **SAME))(x, w), 1e-5)


@pytest.fixture
def sends_a_signal() -> Any:
    """A function in executables that copies its operand and sends this process a signal, which comes amid the call."""

    def run(text: bytes, pointers: list[int]) -> None:
        os.kill(os.getpid(), int(text))
        ctypes.memmove(pointers[1], pointers[0], 4 * 8)

    ffi.register("megengine.test.signal", run)

    def call(x: Any, number: int) -> Any:
        return jax.ffi.ffi_call("megengine.test.signal", jax.ShapeDtypeStruct((8,), jnp.float32))(x, number=str(number))

    return call


def test_signals_wait_for_the_executable(sends_a_signal: Any) -> None:
    from megengine.graph.calling import CallingPython

    call = jax.jit(lambda x: sends_a_signal(x, signal.SIGINT) + 1).lower(jnp.zeros(8)).compile()
    handler, outs = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), CallingPython(True):
        outs.append(call(jnp.arange(8.0)))
    np.testing.assert_array_equal(outs[0], np.arange(8.0) + 1)
    assert signal.getsignal(signal.SIGINT) is handler


def test_threads_may_register_a_function_at_once() -> None:
    """The first step of each of two threads failed when both came to it."""
    jax.devices()
    begin, errors = threading.Barrier(4), []

    def register(name: str) -> None:
        begin.wait()
        try:
            ffi.register(name, lambda text, pointers: None)
        except Exception as error:
            errors.append(error)

    for k in range(10):
        threads = [threading.Thread(target=register, args=(f"megengine.test.at_once.{k}",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not errors


def test_threads_that_compute_in_python_give_way_soon() -> None:
    from megengine.graph.calling import SOON, CallingPython

    seen: list[float] = []

    def run(text: bytes, pointers: list[int]) -> None:
        seen.append(sys.getswitchinterval())
        ctypes.memmove(pointers[1], pointers[0], 4 * 8)

    ffi.register("megengine.test.interval", run)
    made = jax.ffi.ffi_call("megengine.test.interval", jax.ShapeDtypeStruct((8,), jnp.float32))
    call = jax.jit(lambda x: made(x, of="")).lower(jnp.zeros(8)).compile()
    before = sys.getswitchinterval()
    with CallingPython(True):
        call(jnp.zeros(8))
        with CallingPython(False):
            pass
        with CallingPython(True):
            call(jnp.zeros(8))
        call(jnp.zeros(8))
    assert max(seen) <= SOON * 1.01 and len(seen) == 3
    assert sys.getswitchinterval() == before


TRAINS = """
    import json
    import numpy as np
    import megengine as mge
    import megengine.functional as F
    from megengine.autodiff import GradManager
    from megengine.graph import background, counters, program
    from megengine.module import BatchNorm2d, Conv2d, Sequential
    from megengine.optimizer import SGD

    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 16, 12, 12)).astype(np.float32)
    net = Sequential(Conv2d(16, 16, 3, padding=1), BatchNorm2d(16))
    net[0].weight.set_value(rng.standard_normal(net[0].weight.shape).astype(np.float32))
    gm, opt = GradManager().attach(list(net.parameters())), SGD(list(net.parameters()), lr=0.01)
    losses = []
    for step in range(4):
        with gm:
            loss = (net(mge.Tensor(x)) ** 3).mean()
            gm.backward(loss)
        opt.step().clear_grad()
        losses.append(loss.item())
        if step == 1:
            for each in program.loaded():
                background.submit(each)
            background.wait()
    calls = sum("megengine.onednn" in each.jitted.lower(*each.abstract_args()).as_text() for each in program.loaded())
    print(json.dumps([losses, counters.interpreted, counters.take_overs, calls]))
"""


def test_other_processes_load_what_the_compiling_one_made(programs: Programs, tmp_path: Path) -> None:
    """Compiled by a process that has only the name, kept, and found by the next; not by one without the library."""

    def run(**environment: str) -> tuple[list[float], int, int, int]:
        process = programs.start(TRAINS, MEGENGINE_CACHE_DIR=str(tmp_path), **environment)
        out, errors = process.communicate()
        assert process.returncode == 0, errors
        losses, interpreted, taken, calls = json.loads(out)
        return losses, interpreted, taken, calls

    first = run()
    assert first[1] and first[2] and first[3], first
    again = run()
    assert again[1] < first[1] and again[2] and again[3], again
    without = run(MEGENGINE_ONEDNN="0")
    assert without[1] >= first[1] and not without[3], without
    for losses in (again[0], without[0]):
        np.testing.assert_allclose(losses, first[0], 1e-4)
