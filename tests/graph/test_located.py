"""Errors of oneDNN, in both tiers: they name the op and the user's line, and leave tensors and the process as they were."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor, graph
from megengine.autodiff import GradManager
from megengine.module import Conv2d
from megengine.ops.onednn.library import OneDNNError, library
from megengine.ops.onednn.plan import Plan
from megengine.optimizer import SGD

pytestmark = pytest.mark.skipif(library() is None, reason="needs oneDNN")


@pytest.fixture(params=["host", "compiled"])
def _tier(request: pytest.FixtureRequest) -> Iterator[None]:
    with graph.tier(request.param):
        yield


def line_of(function: object, text: str) -> int:
    """Where a line stands in this file."""
    with open(__file__, encoding="utf-8") as file:
        return next(k for k, line in enumerate(file, 1) if text in line)


def fails(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setattr(library(), "execute", lambda *_: status)


@pytest.mark.usefixtures("_tier")
@pytest.mark.parametrize(("status", "kind"), [(5, OneDNNError), (1, MemoryError)])
def test_it_names_the_op_and_the_line(
    status: int, kind: type[Exception], monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    x, w = (Tensor(rng.standard_normal(s).astype(np.float32)) for s in ((8, 16, 64, 64), (32, 16, 3, 3)))

    def run() -> Tensor:
        y = F.conv2d(x, w, padding=1)  # the line
        return F.relu(y)

    wanted = run().numpy()
    with monkeypatch.context() as patched:
        fails(patched, status)
        y = run()
        for _ in range(2):
            with pytest.raises(
                kind, match=rf"conv at .*test_located\.py:{line_of(run, '# the line')}: oneDNN: .* in convolve"
            ):
                y.numpy()
    np.testing.assert_array_equal(run().numpy(), wanted)


@pytest.mark.usefixtures("_tier")
def test_a_step_that_fails_in_a_gradient_has_not_happened(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    conv = Conv2d(16, 32, 3, padding=1, bias=False)
    gm, optimizer = GradManager().attach(list(conv.parameters())), SGD(list(conv.parameters()), lr=0.1)
    x = rng.standard_normal((8, 16, 64, 64)).astype(np.float32)

    def step() -> None:
        with gm:
            loss = (conv(Tensor(x)) ** 2).mean()
            gm.backward(loss)
        optimizer.step().clear_grad()
        loss.item()

    before, run = conv.weight.numpy(), Plan.run

    def all_but_the_gradient(plan: Plan, *pointers: int) -> None:
        if plan.what.startswith("convolve_kernel"):
            raise OneDNNError(f"oneDNN: runtime error in {plan.what}")
        run(plan, *pointers)

    monkeypatch.setattr(Plan, "run", all_but_the_gradient)
    with pytest.raises(OneDNNError, match=r"conv.* at .*: oneDNN: runtime error in convolve_kernel_gradient of"):
        step()
    monkeypatch.undo()
    np.testing.assert_array_equal(conv.weight.numpy(), before)
    step()
    assert not np.array_equal(conv.weight.numpy(), before)


@pytest.mark.usefixtures("_tier")
def test_of_several_of_one_shape_it_names_all(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    x, w = (Tensor(rng.standard_normal(s).astype(np.float32)) for s in ((8, 16, 64, 64), (16, 16, 3, 3)))
    fails(monkeypatch, 5)
    y = F.conv2d(x, w, padding=1)
    y = F.conv2d(y, w, padding=1)
    with pytest.raises(OneDNNError, match=r"conv at \S+:\d+ or conv at \S+:\d+: oneDNN"):
        y.numpy()
