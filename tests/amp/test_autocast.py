"""autocast beyond what the golden cases ask of MegEngine: bfloat16, nesting, threads, traces and compilation."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

import megengine
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor, amp
from megengine.autodiff import GradManager
from megengine.optimizer import SGD


@pytest.fixture(autouse=True)
def _off_again() -> Iterator[None]:
    yield
    amp.enabled, amp.low_prec_dtype, amp.high_prec_dtype = False, "float16", "float32"


def ramp(*shape: int, dtype: str = "float32") -> Tensor:
    count = int(np.prod(shape))
    return Tensor(((np.arange(count) * 5) % 11 - 4).astype(np.float32).reshape(shape) / 8).astype(dtype)


LOW = {
    "matmul": lambda: F.matmul(ramp(2, 3), ramp(3, 4)),
    "linear": lambda: F.linear(ramp(2, 3), ramp(4, 3), ramp(4)),
    "conv1d": lambda: F.conv1d(ramp(2, 3, 8), ramp(4, 3, 2), ramp(1, 4, 1)),
    "conv2d": lambda: F.conv2d(ramp(2, 3, 8, 8), ramp(4, 3, 2, 2), ramp(1, 4, 1, 1)),
    "conv_transpose2d": lambda: F.conv_transpose2d(ramp(2, 3, 4, 4), ramp(3, 4, 2, 2), ramp(1, 4, 1, 1), stride=2),
    "deformable_conv2d": lambda: F.deformable_conv2d(
        ramp(1, 2, 4, 4), ramp(3, 2, 2, 2), ramp(1, 8, 3, 3), ramp(1, 4, 3, 3), ramp(1, 3, 1, 1)
    ),
    "batch_norm": lambda: F.batch_norm(ramp(4, 3, 2, 2), training=True),
}
HIGH = {
    "exp": lambda dtype: F.exp(ramp(5, dtype=dtype)),
    "division": lambda dtype: ramp(5, dtype=dtype) / 3,
    "power": lambda dtype: ramp(5, dtype=dtype) ** 2,
    "layer_norm": lambda dtype: M.LayerNorm(5)(ramp(2, 5, dtype=dtype)),
    "group_norm": lambda dtype: M.GroupNorm(2, 4)(ramp(2, 4, 3, 3, dtype=dtype)),
    "norm": lambda dtype: F.norm(ramp(5, dtype=dtype)),
    "logsumexp": lambda dtype: F.logsumexp(ramp(5, dtype=dtype), 0),
}


@pytest.mark.parametrize(("dtype", "digits"), [("float16", 4e-3), ("bfloat16", 3e-2)])
@pytest.mark.parametrize("name", LOW)
def test_low_precision(name: str, dtype: str, digits: float) -> None:
    exact = LOW[name]()
    with amp.autocast(low_prec_dtype=dtype):
        rounded = LOW[name]()
    assert exact.dtype == np.float32 and rounded.dtype.name == dtype
    np.testing.assert_allclose(rounded.astype("float32").numpy(), exact.numpy(), rtol=digits, atol=digits)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", HIGH)
def test_high_precision(name: str, dtype: str) -> None:
    assert HIGH[name](dtype).dtype.name == dtype
    with amp.autocast(low_prec_dtype=dtype):
        wide = HIGH[name](dtype)
        assert wide.dtype == np.float32
    np.testing.assert_allclose(wide.numpy(), HIGH[name](dtype).astype("float32").numpy(), rtol=2e-2, atol=2e-2)


def test_products_of_integers_stay_exact() -> None:
    x = Tensor(np.array([[3000, 1], [2, 5]], np.int32))
    with amp.autocast():
        assert F.matmul(x, x).numpy().tolist() == [[9000002, 3005], [6010, 27]]


def test_products_sum_in_float32() -> None:
    ones = F.full((1, 4096), 1.0)
    with amp.autocast(low_prec_dtype="bfloat16"):
        # bfloat16 itself would stop at 256
        assert (ones @ ones.transpose(1, 0)).astype("float32").item() == 4096


def test_gradients_have_the_dtype_of_parameters() -> None:
    x, weight = ramp(4, 3), Parameter(ramp(2, 3).numpy())
    bias = Parameter(ramp(2).numpy())
    gm = GradManager().attach([weight, bias])
    with gm, amp.autocast():
        gm.backward(F.linear(x, weight, bias).sum())
    assert weight.grad is not None and bias.grad is not None
    assert weight.grad.dtype == np.float32 == bias.grad.dtype
    np.testing.assert_allclose(weight.grad.numpy(), np.tile(x.numpy().sum(0), (2, 1)), rtol=1e-3)
    assert bias.grad.numpy().tolist() == [4, 4]


def test_an_inner_block_turns_it_off_and_on() -> None:
    x = ramp(2, 2)
    with amp.autocast():
        with amp.autocast(enabled=False):
            assert not amp.enabled and (x @ x).dtype == np.float32
            with amp.autocast(low_prec_dtype="bfloat16"):
                assert (x @ x).dtype.name == "bfloat16"
            assert not amp.enabled
        assert amp.enabled and (x @ x).dtype == np.float16
    assert not amp.enabled


def test_settings_return_after_an_error_and_in_recursion() -> None:
    @amp.autocast(low_prec_dtype="bfloat16")
    def fall(depth: int) -> None:
        assert amp.low_prec_dtype == "bfloat16"
        if depth == 0:
            raise KeyError("bottom")
        fall(depth - 1)

    with pytest.raises(KeyError, match="bottom"):
        fall(3)
    assert (amp.enabled, amp.low_prec_dtype) == (False, "float16")
    block = amp.autocast()
    with block:
        with block:
            pass
        assert amp.enabled
    assert not amp.enabled


def test_what_is_set_inside_a_block_ends_with_it() -> None:
    with amp.autocast():
        amp.enabled = False
        assert (ramp(2, 2) @ ramp(2, 2)).dtype == np.float32
    amp.enabled = True
    with amp.autocast(enabled=False):
        amp.low_prec_dtype = "bfloat16"
    assert amp.enabled and amp.low_prec_dtype == "float16"


def test_a_block_is_its_threads_own_and_the_setting_the_process_s() -> None:
    seen: list[tuple[bool, str]] = []

    def look() -> None:
        seen.append((amp.enabled, (ramp(2, 2) @ ramp(2, 2)).dtype.name))

    def elsewhere() -> None:
        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(60)

    with amp.autocast():
        elsewhere()
    amp.enabled = True
    elsewhere()
    assert seen == [(False, "float32"), (True, "float16")]


@pytest.mark.parametrize("bad", ["int8", "float64", "nosuch", 3, None])
def test_a_wrong_dtype_is_refused_where_it_is_named(bad: object) -> None:
    with pytest.raises(ValueError, match="low_prec_dtype="):
        amp.autocast(low_prec_dtype=bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="high_prec_dtype="):
        amp.high_prec_dtype = bad  # type: ignore[assignment]


@pytest.mark.usefixtures("compiled")
def test_a_step_is_one_program_and_compiles_once() -> None:
    net = M.Sequential(M.Linear(4, 8), M.ReLU(), M.Linear(8, 3))
    gm, optimizer = GradManager().attach(net.parameters()), SGD(net.parameters(), lr=0.1)
    x, label = ramp(6, 4), Tensor([0, 1, 2, 0, 1, 2])

    def step() -> float:
        with gm:
            with amp.autocast(low_prec_dtype="bfloat16"):
                loss = F.nn.cross_entropy(net(x), label)
            gm.backward(loss)
        optimizer.step().clear_grad()
        return loss.item()

    first = [step() for _ in range(3)]
    compiled, cuts = megengine.graph.counters.compilations.copy(), sum(megengine.graph.counters.flushes.values())
    then = [step() for _ in range(5)]
    assert megengine.graph.counters.compilations == compiled
    assert sum(megengine.graph.counters.flushes.values()) - cuts <= 5
    assert then[-1] < first[0] and all(p.dtype == np.float32 for p in net.parameters())


def test_a_trace_keeps_a_program_for_each_precision() -> None:
    weight = Parameter(ramp(3, 3).numpy())

    @megengine.jit.trace(symbolic=True, without_host=True)
    def f(x: Tensor) -> Tensor:
        return F.exp(x @ weight) * 2

    x = ramp(2, 3) / 3
    exact = f(x).numpy()
    for _ in range(4):
        assert f(x).dtype == np.float32
        with amp.autocast():
            assert f(x).dtype == np.float32
            rounded = f(x).numpy()
        assert not np.array_equal(rounded, exact) and np.allclose(rounded, exact, rtol=2e-3)
        np.testing.assert_array_equal(f(x).numpy(), exact)
    replays = megengine.graph.counters.replays
    with amp.autocast():
        f(x)
    f(x)
    assert megengine.graph.counters.replays == replays + 2


def test_autocast_around_and_inside_a_trace() -> None:
    x = ramp(3, 3)

    @megengine.jit.trace
    @amp.autocast(low_prec_dtype="bfloat16")
    def inside(x: Tensor) -> Tensor:
        return x @ x

    @amp.autocast(low_prec_dtype="bfloat16")
    @megengine.jit.trace
    def around(x: Tensor) -> Tensor:
        return x @ x

    for _ in range(4):
        assert inside(x).dtype.name == around(x).dtype.name == "bfloat16"
    assert not amp.enabled


def test_second_derivatives() -> None:
    x = Parameter(np.array([[1.0, 2.0]], np.float32))
    outer, inner = GradManager().attach(x), GradManager().attach(x)
    with outer:
        with inner, amp.autocast():
            y = (x @ x.transpose(1, 0)).sum()
            inner.backward(y)
        first, x.grad = x.grad, None
        outer.backward(first.sum())
    np.testing.assert_allclose(first.numpy(), [[2, 4]])
    np.testing.assert_allclose(x.grad.numpy(), [[2, 2]])


def _losses(dtype: str | None) -> list[float]:
    """Of a small convolutional network's first 20 steps; in float16 with a scaled loss."""
    megengine.random.seed(3)
    net = M.Sequential(M.Conv2d(1, 8, 3), M.BatchNorm2d(8), M.ReLU(), M.AdaptiveAvgPool2d(2), _Flat(), M.Linear(32, 3))
    gm, optimizer = GradManager().attach(net.parameters()), SGD(net.parameters(), lr=0.1, momentum=0.9)
    scaler = amp.GradScaler(init_scale=128.0 if dtype == "float16" else 1.0, growth_interval=0)
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 12).astype("int32")
    image = Tensor(np.float32(rng.standard_normal((12, 1, 8, 8)) + label[:, None, None, None]))
    losses = []
    for _ in range(20):
        with gm:
            with amp.autocast(enabled=dtype is not None, low_prec_dtype=dtype or "float16"):
                loss = F.nn.cross_entropy(net(image), Tensor(label))
            scaler.backward(gm, loss)
        optimizer.step().clear_grad()
        losses.append(loss.item())
    return losses


class _Flat(M.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.flatten(x, 1)


@pytest.mark.parametrize(("dtype", "apart"), [("float16", 0.01), ("bfloat16", 0.06)])
def test_training_curves_stay_together(dtype: str, apart: float) -> None:
    plain, low = np.array(_losses(None)), np.array(_losses(dtype))
    assert plain[-1] < 0.3 * plain[0]
    assert 0 < np.abs(low - plain).max() < apart, np.abs(low - plain).max()


def test_a_precision_is_not_taken_for_a_switch() -> None:
    with pytest.raises(TypeError, match=r"write autocast\(low_prec_dtype='bfloat16'\)"):
        amp.autocast("bfloat16")  # type: ignore[arg-type]
