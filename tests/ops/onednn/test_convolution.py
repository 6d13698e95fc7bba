"""oneDNN's convolutions and their gradients against XLA's."""

from __future__ import annotations

import threading
from typing import Any

import jax
import numpy as np
import pytest

from megengine.ops import convolve
from megengine.ops.onednn import plan as plans
from megengine.ops.onednn.convolution import Convolution
from megengine.ops.onednn.library import library

pytestmark = pytest.mark.skipif(library() is None, reason="needs oneDNN")

SETTINGS = [
    # input, kernel, stride, padding, dilation, groups
    ((2, 3, 9, 8), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((3, 5, 9, 8), (4, 5, 3, 2), (2, 3), (0, 1), (2, 1), 1),
    ((2, 3, 5, 6), (4, 3, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((2, 32, 6, 6), (48, 32, 3, 3), (2, 2), (1, 1), (1, 1), 1),
    ((2, 4, 8, 9), (6, 2, 3, 3), (2, 1), (1, 2), (1, 2), 2),
    ((2, 16, 9, 9), (16, 1, 7, 7), (1, 1), (3, 3), (1, 1), 16),
    ((2, 4, 8, 8), (8, 1, 3, 3), (2, 2), (1, 1), (1, 1), 4),
    ((2, 3, 9), (4, 3, 4), (2,), (1,), (2,), 1),
    ((2, 2, 4, 5, 6), (4, 2, 2, 3, 2), (1, 2, 1), (1, 0, 1), (1, 1, 2), 1),
    ((1, 3, 8, 8), (4, 3, 3, 3), (3, 3), (0, 0), (1, 1), 1),  # elements that no window meets
    ((1, 3, 4, 4), (4, 3, 2, 2), (1, 1), (3, 3), (1, 1), 1),  # windows in the padding alone
    ((1, 2, 20, 20), (1, 2, 17, 17), (1, 1), (0, 0), (1, 1), 1),
]
KINDS = ["convolve", "convolve_input_gradient", "convolve_kernel_gradient"]


def in_memory(x: np.ndarray, last: bool) -> np.ndarray:
    """An array's elements in the order in which they lie in memory."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1) if last else x)


def of_order(x: np.ndarray, last: bool) -> np.ndarray:
    return np.moveaxis(x, -1, 1) if last else x


def by_onednn(kind: str, a: np.ndarray, b: np.ndarray, shape: tuple[int, ...], lasts: Any, **attrs: Any) -> np.ndarray:
    x_last, y_last = lasts
    plan = Convolution(kind, **attrs, x_last=x_last, y_last=y_last).plan()
    assert plan is not None
    of_a, of_b, of_result = {
        "convolve": (x_last, False, y_last),
        "convolve_input_gradient": (False, y_last, x_last),
        "convolve_kernel_gradient": (x_last, y_last, False),
    }[kind]
    a, b = in_memory(a, of_a), in_memory(b, of_b)
    result = in_memory(np.full(shape, np.nan, np.float32), of_result)
    plan.run(a.ctypes.data, b.ctypes.data, result.ctypes.data)
    return of_order(result, of_result)


@pytest.mark.parametrize("lasts", [(False, False), (True, True), (False, True), (True, False)])
def test_all_three_in_every_layout(lasts: tuple[bool, bool], rng: np.random.Generator) -> None:
    for x_shape, kernel_shape, stride, padding, dilation, groups in SETTINGS:
        settings: Any = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        x, w = (rng.standard_normal(s).astype(np.float32) for s in (x_shape, kernel_shape))
        y, pull = jax.vjp(lambda x, w, s=settings: convolve.by_tap(x, w, **s), x, w)
        ct = rng.standard_normal(y.shape).astype(np.float32)
        dx, dw = pull(ct)
        shapes = {"x_shape": x_shape, "kernel_shape": kernel_shape}
        for kind, (a, b), wanted in zip(KINDS, [(x, w), (w, ct), (x, ct)], [y, dx, dw], strict=True):
            found = by_onednn(kind, a, b, wanted.shape, lasts, **shapes, **settings)
            scale = float(np.abs(wanted).max())
            np.testing.assert_allclose(found, wanted, 1e-5, 1e-5 * scale, err_msg=f"{kind} {shapes} {settings}")


def some(channels: int = 8) -> Convolution:
    return Convolution("convolve", (2, channels, 9, 9), (4, channels, 3, 3), (1, 1), (1, 1), (1, 1), 1)


def test_a_plan_is_made_once_and_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_plans", type(plans._plans)())
    monkeypatch.setattr(plans, "LIMIT", 2)
    first = some().plan()
    assert first is not None and some().plan() is first
    others = [some(channels).plan() for channels in (9, 10)]
    assert len(plans._plans) == 2 and some(10).plan() is others[1]
    assert some().plan() is not first


@pytest.mark.parametrize("shape", [(0, 8, 9, 9), (2, 8, 2, 2)])
def test_nothing_to_compute_is_not_planned(shape: tuple[int, ...]) -> None:
    assert Convolution("convolve", shape, (4, 8, 5, 5), (1, 1), (0, 0), (1, 1), 1).plan() is None


def test_what_the_library_lacks_is_not_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_plans", type(plans._plans)())
    monkeypatch.setattr(plans, "FLOAT32", 7)  # float64, which no convolution takes
    assert some().plan() is None


def test_an_error_names_the_op(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = some().plan()
    assert plan is not None
    monkeypatch.setattr(plan.lib, "execute", lambda *_: 5)
    with pytest.raises(RuntimeError, match=r"oneDNN: runtime error in convolve of \(2, 8, 9, 9\) with \(4, 8, 3, 3\)"):
        plan.run(0, 0, 0)
    monkeypatch.setattr(plan.lib, "execute", lambda *_: 1)
    with pytest.raises(MemoryError, match="oneDNN: out of memory in convolve"):
        plan.run(0, 0, 0)


def test_several_threads_run_one_plan(rng: np.random.Generator) -> None:
    x, w = rng.standard_normal((2, 8, 9, 9)), rng.standard_normal((4, 8, 3, 3))
    attrs: Any = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    plan = some().plan()
    assert plan is not None
    wrong: list[int] = []

    def work(k: int) -> None:
        a, b = (x + k).astype(np.float32), (w * k).astype(np.float32)
        wanted = np.asarray(convolve.direct(a, b, **attrs))
        for _ in range(50):
            found = np.full(wanted.shape, np.nan, np.float32)
            plan.run(a.ctypes.data, b.ctypes.data, found.ctypes.data)
            if not np.allclose(found, wanted, 1e-4, 1e-3):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(plan._idle) <= 4
