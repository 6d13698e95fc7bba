"""oneDNN's convolutions and their gradients against NumPy's in float64."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import numpy as np
import pytest

from megengine.ops.onednn import convolution
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


def by_onednn(
    kind: str, a: np.ndarray, b: np.ndarray, shape: tuple[int, ...], lasts: Any, dtype: str = "float32", **attrs: Any
) -> np.ndarray:
    x_last, y_last = lasts
    plan = Convolution(kind, **attrs, x_last=x_last, y_last=y_last, dtype=dtype).plan()
    assert plan is not None
    of_a, of_b, of_result = {
        "convolve": (x_last, False, y_last),
        "convolve_input_gradient": (False, y_last, x_last),
        "convolve_kernel_gradient": (x_last, y_last, False),
    }[kind]
    a, b = in_memory(a.astype(dtype), of_a), in_memory(b.astype(dtype), of_b)
    result = in_memory(np.full(shape, np.nan, dtype), of_result)
    plan.run(a.ctypes.data, b.ctypes.data, result.ctypes.data)
    return of_order(result.astype(np.float32), of_result)


def taps(x: np.ndarray, kernel: tuple[int, ...], stride: Any, dilation: Any, out: Any) -> Any:
    """For each element of a window its index and what the windows have there of a padded input, a view."""
    for at in np.ndindex(*kernel):
        spans = zip(at, stride, dilation, out, strict=True)
        yield at, x[(..., *(slice(k * d, k * d + (n - 1) * s + 1, s) for k, s, d, n in spans))]


def by_numpy(x: np.ndarray, w: np.ndarray, ct: np.ndarray | None = None, **settings: Any) -> list[np.ndarray]:
    """The convolution in float64, and its gradients where the result's cotangent is given."""
    stride, padding, dilation, groups = (settings[k] for k in ("stride", "padding", "dilation", "groups"))
    padded = np.pad(x.astype(np.float64), [(0, 0), (0, 0), *((p, p) for p in padding)])
    padded = padded.reshape(x.shape[0], groups, -1, *padded.shape[2:])
    grouped = w.astype(np.float64).reshape(groups, -1, *w.shape[1:])
    spans = zip(padded.shape[3:], w.shape[2:], stride, dilation, strict=True)
    out = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in spans]
    y = np.zeros((x.shape[0], groups, grouped.shape[1], *out))
    for at, seen in taps(padded, w.shape[2:], stride, dilation, out):
        y += np.einsum("ngc...,goc->ngo...", seen, grouped[(..., *at)])
    if ct is None:
        return [y.reshape(x.shape[0], -1, *out)]
    cotangent = ct.astype(np.float64).reshape(y.shape)
    dx, dw = np.zeros_like(padded), np.zeros_like(grouped)
    for at, seen in taps(padded, w.shape[2:], stride, dilation, out):
        axes = [0, *range(3, cotangent.ndim)]
        for g in range(groups):
            dw[(g, ..., *at)] = np.tensordot(cotangent[:, g], seen[:, g], [[a - (a > 0) for a in axes]] * 2)
    for at, place in taps(dx, w.shape[2:], stride, dilation, out):
        place += np.einsum("ngo...,goc->ngc...", cotangent, grouped[(..., *at)])
    inside = tuple(slice(p, p + n) for p, n in zip(padding, x.shape[2:], strict=True))
    return [dx.reshape(x.shape[0], -1, *padded.shape[3:])[(..., *inside)], dw.reshape(w.shape)]


def has_bfloat16() -> bool:
    of = Convolution("convolve", (2, 32, 8, 8), (32, 32, 3, 3), (1, 1), (1, 1), (1, 1), 1)
    return of.narrowed().dtype == "bfloat16"


@pytest.fixture(params=["one thread", "all threads"])
def any_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is planned takes one thread, or as many as there are."""
    monkeypatch.setattr(plans, "_plans", type(plans._plans)())
    monkeypatch.setattr(plans, "WORTH_THREADS", 0 if request.param == "all threads" else sys.maxsize)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("lasts", [(False, False), (True, True), (False, True), (True, False)])
def test_all_three_in_every_layout(
    lasts: tuple[bool, bool], dtype: str, any_threads: None, rng: np.random.Generator
) -> None:
    if dtype == "bfloat16" and not has_bfloat16():
        pytest.skip("this processor does not multiply bfloat16")
    error = 1e-5 if dtype == "float32" else 2**-8  # of a sum, or of its rounding to 8 bits
    for x_shape, kernel_shape, stride, padding, dilation, groups in SETTINGS:
        settings: Any = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        x, w = (rng.standard_normal(s).astype(dtype).astype(np.float32) for s in (x_shape, kernel_shape))
        (y,) = by_numpy(x, w, **settings)
        ct = rng.standard_normal(y.shape).astype(dtype).astype(np.float32)
        dx, dw = by_numpy(x, w, ct, **settings)
        shapes = {"x_shape": x_shape, "kernel_shape": kernel_shape}
        for kind, (a, b), wanted in zip(KINDS, [(x, w), (w, ct), (x, ct)], [y, dx, dw], strict=True):
            found = by_onednn(kind, a, b, wanted.shape, lasts, dtype, **shapes, **settings)
            scale = float(np.abs(wanted).max())
            np.testing.assert_allclose(found, wanted, error, 1e-5 * scale, err_msg=f"{kind} {shapes} {settings}")


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
    monkeypatch.setitem(convolution._TYPES, "float32", 7)  # float64, which no convolution takes
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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads as Linux tells them")
def test_small_ones_take_the_thread_that_calls_and_no_other() -> None:
    started: list[int] = []

    def work(of: Convolution) -> None:
        plan = of.plan()
        assert plan is not None
        arrays = [np.zeros(shape, np.float32) for shape in of.arrays()[0]]
        before = len(os.listdir("/proc/self/task"))
        plan.run(*(a.ctypes.data for a in arrays))
        started.append(len(os.listdir("/proc/self/task")) - before)

    large = Convolution("convolve", (2, 64, 56, 56), (64, 64, 3, 3), (1, 1), (1, 1), (1, 1), 1)
    for of in (some(), large):
        thread = threading.Thread(target=work, args=(of,))
        thread.start()
        thread.join()
    found = library()
    assert found is not None
    assert started == [0, found._threads - 1]


def test_several_threads_run_one_plan(any_threads: None, rng: np.random.Generator) -> None:
    x, w = rng.standard_normal((2, 8, 9, 9)), rng.standard_normal((4, 8, 3, 3))
    attrs: Any = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    plan = some().plan()
    assert plan is not None
    wrong: list[int] = []

    def work(k: int) -> None:
        a, b = (x + k).astype(np.float32), (w * k).astype(np.float32)
        (wanted,) = by_numpy(a, b, **attrs)
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
