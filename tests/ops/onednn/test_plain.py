"""NumPy's convolutions against oneDNN's, and a step that ends although oneDNN fails at what it has computed before."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, graph
from megengine.autodiff import GradManager
from megengine.ops.onednn.convolution import Convolution
from megengine.ops.onednn.library import library
from megengine.ops.onednn.plain import compute
from megengine.optimizer import SGD

pytestmark = pytest.mark.skipif(library() is None, reason="needs oneDNN")
KINDS = ["convolve", "convolve_input_gradient", "convolve_kernel_gradient"]
SHAPES = [
    ((2, 8, 9, 7), (6, 8, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 8, 9, 7), (16, 2, 3, 2), (2, 1), (0, 2), (1, 2), 4),
    ((3, 8, 20), (8, 1, 5), (3,), (2,), (1,), 8),
    ((1, 4, 5, 6, 4), (8, 4, 2, 3, 1), (1, 2, 1), (1, 0, 0), (2, 1, 1), 1),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_computes_what_the_library_computes(
    kind: str, shapes: tuple, last: bool, dtype: str, rng: np.random.Generator
) -> None:
    of = Convolution(kind, *shapes)
    of = replace(of, x_last=last, y_last=last)
    if dtype == "bfloat16" and of.narrowed() is of:
        pytest.skip("oneDNN has no such convolution of bfloat16 on this processor")
    of = replace(of, dtype=dtype)
    sizes, _ = of.arrays()
    arrays = [rng.standard_normal(size, np.float32).astype(dtype) for size in sizes]
    results = []
    for run in (of.plan().run, lambda *pointers: compute(of, *pointers)):  # type: ignore[union-attr]
        arrays[-1][...] = np.nan
        run(*(a.ctypes.data for a in arrays))
        results.append(arrays[-1].astype(np.float32))
    error = 1e-4 if dtype == "float32" else 2**-7
    np.testing.assert_allclose(*results, rtol=error, atol=error)


@pytest.mark.parametrize(
    "after", [("shift", "add", "relu"), ("scale", "shift", "least", "relu"), ("relu", "scale", "add")]
)
def test_so_does_what_is_done_to_the_result(after: tuple[str, ...], rng: np.random.Generator) -> None:
    of = Convolution("convolve", *SHAPES[1], x_last=True, y_last=True, after=after)
    arrays = [rng.standard_normal(size, np.float32) for size in of.arrays()[0]]
    results = []
    for run in (of.plan().run, lambda *pointers: compute(of, *pointers)):  # type: ignore[union-attr]
        run(*(a.ctypes.data for a in arrays))
        results.append(arrays[-1].copy())
    np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-4)


def train(fails_at: int | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    net = M.Sequential(M.Conv2d(8, 16, 3), M.ReLU(), M.Conv2d(16, 16, 3))
    net.load_state_dict({k: rng.standard_normal(v.shape).astype(np.float32) * 0.1 for k, v in net.state_dict().items()})
    manager = GradManager().attach(net.parameters())
    optimizer = SGD(net.parameters(), lr=0.01, momentum=0.9)
    x = rng.standard_normal((4, 8, 24, 24), np.float32)
    for step in range(5):
        with monkeypatch.context() as patched:
            if step == fails_at:
                patched.setattr(library(), "execute", lambda *_: 1)
            with manager:
                loss = F.square(net(Tensor(x))).mean()
                manager.backward(loss)
            optimizer.step().clear_grad()
            loss.item()
    return net.state_dict()


def test_a_step_whose_parameters_are_overwritten_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("megengine.graph")
    with graph.tier("compiled"):
        wanted = train(None, monkeypatch)
        logger.addHandler(caplog.handler)
        try:
            found = train(3, monkeypatch)
        finally:
            logger.removeHandler(caplog.handler)
    assert "out of memory in convolve" in caplog.text and "computed without it" in caplog.text
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-6)
