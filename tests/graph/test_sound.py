"""Programs whose first compilation on the CPU would be wrong or end the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import megengine.functional as F
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import sound
from tests.processes import Programs

on_cpu = pytest.mark.skipif(jax.default_backend() != "cpu", reason="a library of XLA for CPUs")


def _numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _close(found: Tensor, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


BROADCAST: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum of a product with a scalar": lambda x, c: ((x @ F.broadcast_to(c, x.shape)) * x).sum(-1),
    "maximum": lambda x, c: (x @ F.broadcast_to(c, x.shape) + x).max(-2),
    "of the left operand": lambda x, c: (F.broadcast_to(c, x.shape) @ x * x).sum(-1),
    "full_like": lambda x, c: F.exp(0.1 * (x @ F.full_like(x, 0.37))).mean(-1),
    "everything": lambda x, c: ((x @ F.broadcast_to(c, x.shape)) ** 2).sum(),
}
IN_NUMPY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sum of a product with a scalar": lambda x: ((x @ np.full_like(x, 0.37)) * x).sum(-1),
    "maximum": lambda x: (x @ np.full_like(x, 0.37) + x).max(-2),
    "of the left operand": lambda x: (np.full_like(x, 0.37) @ x * x).sum(-1),
    "full_like": lambda x: np.exp(0.1 * (x @ np.full_like(x, 0.37))).mean(-1),
    "everything": lambda x: ((x @ np.full_like(x, 0.37)) ** 2).sum(),
}


@pytest.mark.parametrize("shape", [(60, 60), (5, 60, 60), (2, 3, 33, 33)], ids=str)
@pytest.mark.parametrize("case", BROADCAST)
def test_reduced_products_with_a_broadcast_operand(case: str, shape: tuple[int, ...]) -> None:
    x = _numbers(*shape)
    found = BROADCAST[case](Tensor(x), Tensor(np.float32(0.37)))
    _close(found, IN_NUMPY[case](x.astype(np.float64)))


@pytest.mark.parametrize("rows", [32_769, 40_000], ids=str)
def test_reduced_products_with_long_rows(rows: int) -> None:
    x, w = _numbers(rows, 3), _numbers(3, 3, seed=1)
    found = (F.matmul(Tensor(w), Tensor(x), transpose_b=True) ** 2).sum(0)
    _close(found, ((w @ x.T.astype(np.float64)) ** 2).sum(0))


def test_gradient_of_a_sum_and_its_norm() -> None:
    x, w = _numbers(4, 40, 30), _numbers(4, 30, 50, seed=1)
    weight = Parameter(w)
    gm = GradManager().attach(weight)
    with gm:
        gm.backward((Tensor(x) @ weight).sum() * 0.37)
    wanted = x.astype(np.float64).transpose(0, 2, 1) @ np.full((4, 40, 50), 0.37)
    _close((weight.grad * weight).sum((1, 2)), (wanted * w).sum((1, 2)))


MANY_DIMENSIONS = """
    import numpy as np
    import megengine.functional as F
    from megengine import Parameter, Tensor, graph
    from megengine.autodiff import GradManager

    def numbers(*shape):
        return np.random.default_rng(0).standard_normal(shape).astype("float32")

    def same(found, wanted):
        assert np.abs(found.numpy() - wanted).max() <= 1e-4 * np.abs(wanted).max()

    for shape, other, axis in [
        ((1, 2, 9, 4, 4, 16, 16), (1, 2, 9, 1, 1, 16, 16), 1),
        ((3, 1, 2, 2, 8, 8, 8), (3, 1, 2, 2, 8, 8, 8), 3),
        ((2, 8, 16, 2, 4, 2, 3), (1, 8, 16, 2, 4, 1, 1), 3),
        ((2, 5, 3, 2, 4, 4, 5, 5), (2, 5, 3, 2, 4, 1, 1, 1), 3),
        ((10, 4, 6, 5, 5, 5, 5, 5), (10, 4, 6, 1, 1, 1, 1, 1), 2),
    ]:
        a, b = numbers(*shape), numbers(*other)
        same((Tensor(a) * Tensor(b)).sum(axis), (a.astype("float64") * b).sum(axis))
        weight = Parameter(b)
        gm = GradManager().attach(weight)
        with gm:
            gm.backward((Tensor(a) * weight).sum(axis).sum())
        axes = tuple(k for k, (n, m) in enumerate(zip(shape, other)) if n != m)
        same(weight.grad, a.sum(axes, keepdims=True) if axes else a)
    print("all right")
"""


def test_reductions_of_seven_and_more_dimensions(programs: Programs) -> None:
    process = programs.start(MANY_DIMENSIONS)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0 and out == "all right\n", err


def _text(function: Callable[..., Any], *shapes: tuple[int, ...]) -> str:
    return str(jax.jit(function).lower(*(jnp.zeros(s, jnp.float32) for s in shapes)).compile().as_text())


@on_cpu
def test_fast_reductions_stay() -> None:
    for text in (
        _text(lambda x: (x.mean((0, 2, 3)), (x * x).mean((0, 2, 3))), (8, 16, 28, 28)),
        _text(lambda a, b: (a * b).sum(1), (4, 8, 16, 16, 4, 4), (4, 8, 16, 16, 1, 4)),
        _text(lambda a, b: a @ b, (256, 256), (256, 256)),
    ):
        assert "__ynn_fusion" in text and not sound.unsound(text)


@on_cpu
def test_what_is_kept_of_two_compilations(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[bool] = []
    monkeypatch.setattr(sound, "_unsound", lambda body: found.append(True) or True)
    x, c = Tensor(_numbers(5, 61, 61)), Tensor(np.float32(0.37))
    graph.flush("test")
    loaded = jax.devices()[0].client.live_executables
    before = loaded()  # held, so that none of them goes meanwhile
    with graph.watch() as seen:
        value = F.conv1d(F.broadcast_to(c, (5, 61, 61)), x[:, :, :1]) * 0 + (x @ F.broadcast_to(c, x.shape) * x).sum()
        assert np.isfinite(value.numpy()).all()
    assert found and len(seen) == 1 and len(loaded()) == len(before) + 1


@on_cpu
def test_an_option_of_the_process_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    jitted = jax.jit(lambda a, b: ((a @ jnp.full_like(a, b)) * a).sum(-1))
    args = (jnp.ones((5, 60, 60)), jnp.float32(0.37))
    if sound.unsound(_text(lambda a, b: ((a @ jnp.full_like(a, b)) * a).sum(-1), (5, 60, 60), ())):
        assert not sound.sound(jitted, args)
        assert sound.first_options(["matmul", "softmax"]) == sound.PRODUCTS_ALONE
    monkeypatch.setenv("XLA_FLAGS", f"--{sound.OPTION}=")
    assert sound.sound(jitted, args)
    assert sound.first_options(["matmul", "softmax"]) is None


@on_cpu
def test_convolutions_try_first() -> None:
    assert sound.first_options(["conv2d", "matmul", "softmax"]) is None
    assert sound.first_options(["linear", "relu"]) is None
    assert sound.first_options(["softmax.grad", "einsum.grad"]) == sound.PRODUCTS_ALONE
