"""Convolutions against their formulas in NumPy, the algorithms against each other, gradients against slopes."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import megengine.functional as F
import megengine.module as M
from megengine import Tensor
from megengine.autodiff import GradManager
from megengine.ops import bilinear, convolve

from . import directions

RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return np.float32(RNG.normal(size=shape))


def correlated(
    x: np.ndarray, kernel: np.ndarray, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> np.ndarray:
    """A convolution of any number of dimensions, window by window."""
    spatial = x.ndim - 2
    stride, padding, dilation = (n if isinstance(n, tuple) else (n,) * spatial for n in (stride, padding, dilation))
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    window = kernel.shape[2:]
    sizes = [(n - d * (w - 1) - 1) // s + 1 for n, w, s, d in zip(x.shape[2:], window, stride, dilation, strict=True)]
    out = np.zeros((x.shape[0], kernel.shape[0], *sizes))
    inputs, outputs = x.shape[1] // groups, kernel.shape[0] // groups
    for place in itertools.product(*map(range, sizes)):
        part = tuple(
            slice(i * s, i * s + d * (w - 1) + 1, d) for i, s, d, w in zip(place, stride, dilation, window, strict=True)
        )
        seen = x[(slice(None), slice(None), *part)]
        for g in range(groups):
            one = seen[:, g * inputs : (g + 1) * inputs].reshape(x.shape[0], -1)
            some = kernel[g * outputs : (g + 1) * outputs]
            out[(slice(None), slice(g * outputs, (g + 1) * outputs), *place)] = one @ some.reshape(outputs, -1).T
    return out


def close(found: Any, wanted: Any) -> None:
    found = found.numpy() if isinstance(found, Tensor) else np.asarray(found)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_one_dimension() -> None:
    x, w, b = normal(2, 4, 9), normal(6, 4, 3), normal(1, 6, 1)
    close(F.conv1d(Tensor(x), Tensor(w), Tensor(b), 2, 1, 2), correlated(x, w, 2, 1, 2) + b)
    grouped = F.conv1d(Tensor(x), Tensor(w[:, :2].reshape(2, 3, 2, 3)), groups=2)
    close(grouped, correlated(x, w[:, :2], groups=2))


def test_three_dimensions() -> None:
    x, w = normal(1, 2, 4, 5, 4), normal(3, 2, 2, 3, 2)
    close(F.conv3d(Tensor(x), Tensor(w), None, (1, 2, 1), (0, 1, 2)), correlated(x, w, (1, 2, 1), (0, 1, 2)))


@pytest.mark.parametrize("groups", [1, 2, 12])
def test_two_dimensions(groups: int) -> None:
    x, w = normal(2, 12, 6, 5), normal(24, 12 // groups, 3, 2)
    shape = w.shape if groups == 1 else (groups, 24 // groups, *w.shape[1:])
    found = F.conv2d(Tensor(x), Tensor(w.reshape(shape)), None, (1, 2), (0, 1), (2, 1), groups)
    close(found, correlated(x, w, (1, 2), (0, 1), (2, 1), groups))


def test_a_number_stands_for_each_dimension() -> None:
    x, w = Tensor(normal(1, 2, 5, 5)), Tensor(normal(2, 2, 3, 3))
    wanted = F.conv2d(x, w, None, (2, 2), (1, 1), (1, 1)).numpy()
    for two, one in ((2, 1), ([2, 2], [1, 1]), (np.int32(2), np.array([1, 1])), (Tensor(2), Tensor([1, 1]))):
        close(F.conv2d(x, w, None, two, one, one), wanted)


def test_compute_mode_is_for_half_precision() -> None:
    """MegEngine on a CPU fails, or ends, where it is "float32" for float32 tensors."""
    x, w = normal(1, 2, 5, 5), normal(2, 2, 3, 3)
    close(F.conv2d(Tensor(x), Tensor(w), dilation=2, compute_mode="float32"), correlated(x, w, dilation=2))
    both = [F.conv_transpose2d(Tensor(x), Tensor(w), compute_mode=m).numpy() for m in ("default", "float32")]
    np.testing.assert_array_equal(*both)


SHAPES = [
    # input, kernel, stride, padding, dilation, groups
    ((2, 4, 6, 5), (4, 1, 3, 2), (1, 1), (1, 0), (1, 1), 4),
    ((2, 4, 6, 5), (8, 1, 3, 3), (2, 1), (1, 1), (1, 2), 4),
    ((1, 6, 5, 5), (4, 3, 3, 3), (1, 2), (1, 1), (1, 1), 2),
    ((2, 3, 6, 5), (4, 3, 1, 1), (2, 1), (0, 0), (1, 1), 1),
    ((2, 3, 2, 3), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((1, 2, 6, 4), (3, 2, 3, 2), (3, 2), (0, 0), (1, 1), 1),
    ((2, 3, 7), (4, 3, 3), (2,), (1,), (2,), 1),
]


@pytest.mark.parametrize(("shape", "kernel", "stride", "padding", "dilation", "groups"), SHAPES)
def test_algorithms_agree(shape: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> None:
    attrs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x, w = normal(*shape), normal(*kernel)
    algorithms = {convolve.direct, convolve.by_tap, convolve.split, convolve.choose(shape, kernel, **attrs)}
    if groups == 1:
        algorithms.add(convolve.patches)
    wanted = correlated(x, w, stride, padding, dilation, groups)
    for algorithm in algorithms:
        close(algorithm(x, w, **attrs), wanted)


def test_each_algorithm_is_chosen() -> None:
    chosen = {
        convolve.choose(shape, kernel, stride=s, padding=p, dilation=d, groups=g).__name__
        for shape, kernel, s, p, d, g in [
            *SHAPES,
            ((1, 32, 9, 9), (32, 2, 3, 3), (1, 1), (1, 1), (1, 1), 16),
            ((1, 3, 9, 9), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
        ]
    }
    assert chosen == {"direct", "depthwise", "split", "by_tap", "pointwise", "patches"}
    large: Any = ((1, 4, 31, 31), (4, 1, 31, 31))
    assert convolve.choose(*large, stride=(1, 1), padding=(15, 15), dilation=(1, 1), groups=4) is convolve.direct


def test_gradients_that_xla_cannot_compile() -> None:
    x, w = normal(1, 2, 4, 4), normal(3, 2, 3, 2)
    directions.check(lambda x, w: F.conv2d(x, w, None, 2, 1), x, w)
    x, w = normal(1, 4, 4, 4), normal(2, 3, 2, 3, 2)
    directions.check(lambda x, w: F.conv2d(x, w, None, 2, 1, groups=2), x, w)


def dot(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum().item())


@settings(max_examples=12, deadline=None)
@given(
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    padding=st.tuples(st.integers(0, 1), st.integers(0, 1)),
    dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2]),
)
def test_the_transpose_is_the_transpose(window: Any, stride: Any, padding: Any, dilation: int, groups: int) -> None:
    """``dot(conv(x), y) == dot(x, conv_transpose(y))``, with output_padding where rows are left over."""
    x = Tensor(normal(1, 4, 6, 7))
    shape = (6, 4, *window) if groups == 1 else (groups, 3, 2, *window)
    w = Tensor(normal(*shape))
    forth = F.conv2d(x, w, None, stride, padding, dilation, groups)
    y = Tensor(normal(*forth.shape))
    spare = [
        (n + 2 * p - dilation * (k - 1) - 1) % s
        for n, p, k, s in zip(x.shape[2:], padding, window, stride, strict=True)
    ]
    back = F.conv_transpose2d(y, w, None, stride, padding, tuple(spare), dilation, groups)
    assert back.shape == x.shape
    assert dot(forth, y) == pytest.approx(dot(x, back), rel=1e-3, abs=1e-3)


def test_output_padding_of_each_dimension() -> None:
    y, w = Tensor(normal(1, 2, 3, 3)), Tensor(normal(2, 3, 3, 3))
    smaller = F.conv_transpose2d(y, w, None, 2, 1).numpy()
    found = F.conv_transpose2d(y, w, None, 2, 1, (0, 1))
    assert found.shape == (1, 3, 5, 6)
    close(found[..., :5], smaller)
    volume, kernel = Tensor(normal(1, 2, 2, 3, 3)), Tensor(normal(2, 3, 2, 3, 3))
    assert F.conv_transpose3d(volume, kernel, None, 2, 1, (1, 0, 1)).shape == (1, 3, 3, 5, 6)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation"),
    [
        ((6, 7), (4, 1, 1, 5, 3), 1, (2, 1), 1),
        ((6, 7), (4, 2, 1, 4, 3), (2, 3), (1, 2), (1, 2)),
        ((7, 6), (4, 1, 1, 4, 3), (3, 1), (5, 0), (2, 1)),
        ((3, 4, 3), (4, 1, 1, 3, 2, 3), 1, 1, 1),
    ],
)
def test_gradients_of_depthwise_convolutions(size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> None:
    function = F.conv2d if len(size) == 2 else F.conv3d
    assert np.prod(kernel[3:]) > convolve.FEW_TAPS
    x, w = normal(2, 4, *size), normal(*kernel)
    directions.check(lambda x, w: function(x, w, None, stride, padding, dilation, 4), x, w)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_gradients(groups: int) -> None:
    shape = (4, 4, 2, 3) if groups == 1 else (groups, 4 // groups, 4 // groups, 2, 3)
    x, w, b = normal(1, 4, 4, 4), normal(*shape), normal(1, 4, 1, 1)
    directions.check(lambda x, w, b: F.conv2d(x, w, b, (2, 1), 1, 1, groups), x, w, b)
    directions.check(lambda x, w, b: F.conv_transpose2d(x, w, b, (2, 1), 1, 0, 1, groups), x, w, b)


def test_second_order_gradients() -> None:
    """The gradient of the squared length of a convolution's gradient, by the same of matrices."""
    x, w = normal(1, 2, 3, 3), normal(3, 2, 2, 2)

    def doubly(function: Any) -> list[np.ndarray]:
        values = [Tensor(x), Tensor(w)]
        outer, inner = GradManager().attach(values), GradManager().attach(values)
        with outer:
            with inner:
                inner.backward((function(*values) ** 3).sum())
            first = values[0].grad
            for v in values:
                v.grad = None
            outer.backward((first**2).sum())
        return [v.grad.numpy() for v in values]

    def by_windows(x: Tensor, w: Tensor) -> Tensor:
        seen = F.sliding_window(x, 2).transpose(0, 2, 3, 1, 4, 5).reshape(4, 8)
        return F.matmul(seen, w.reshape(3, 8), transpose_b=True)

    for found, wanted in zip(doubly(lambda x, w: F.conv2d(x, w)), doubly(by_windows), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-2)


def test_half_precision() -> None:
    x, w = np.float16(normal(1, 32, 5, 5)), np.float16(normal(4, 32, 3, 3))
    found = F.conv2d(Tensor(x), Tensor(w))
    assert found.dtype == np.float16
    np.testing.assert_allclose(found.numpy(), correlated(np.float32(x), np.float32(w)), rtol=2e-3, atol=1e-2)


def test_local() -> None:
    x, kernel = normal(2, 4, 5, 4), normal(6, 2, 2, 3)
    same = kernel.reshape(2, 3, 2, 2, 3).transpose(0, 2, 3, 4, 1)[:, None, None]
    wanted = correlated(x, kernel, (2, 1), (1, 0), (2, 1), 2)
    weight = np.ascontiguousarray(np.broadcast_to(same, (2, *wanted.shape[2:], 2, 2, 3, 3)))
    close(F.local_conv2d(Tensor(x), Tensor(weight), None, (2, 1), (1, 0), (2, 1)), wanted)
    one, untied = normal(1, 2, 3, 3), normal(1, 2, 2, 2, 2, 2, 3)
    found = F.local_conv2d(Tensor(one), Tensor(untied))
    close(found[0, :, 1, 0], np.einsum("cij,cijo->o", one[0, :, 1:3, 0:2], untied[0, 1, 0]))
    directions.check(F.local_conv2d, one, untied, normal(1, 3, 2, 2))


def test_deformable_at_rest_and_moved() -> None:
    x, w = normal(2, 4, 5, 5), normal(4, 4, 3, 3)
    offset, mask = np.zeros((2, 18, 3, 3), np.float32), np.ones((2, 9, 3, 3), np.float32)
    close(F.deformable_conv2d(Tensor(x), Tensor(w), Tensor(offset), Tensor(mask)), correlated(x, w))
    # One row down: as of the image moved up, with zeros below.
    offset[:, 0::2] = 1
    moved = np.concatenate([x[:, :, 1:], np.zeros_like(x[:, :, :1])], 2)
    close(F.deformable_conv2d(Tensor(x), Tensor(w), Tensor(offset), Tensor(mask / 2)), correlated(moved, w) / 2)
    # Further than any pixel, and than any integer.
    far = F.deformable_conv2d(Tensor(x), Tensor(w), Tensor(offset * np.float32(1e20)), Tensor(mask))
    assert not far.numpy().any()


def test_deformable_gradients() -> None:
    # Away from whole pixels, where the slope jumps.
    offset = np.float32(RNG.uniform(0.2, 0.8, (1, 16, 2, 2)) + RNG.integers(-1, 1, (1, 16, 2, 2)))
    mask = np.float32(RNG.uniform(0.5, 1, (1, 8, 2, 2)))
    directions.check(
        lambda x, w, o, m: F.deformable_conv2d(x, w, o, m, groups=2),
        normal(1, 4, 3, 3), normal(2, 1, 2, 2, 2), offset, mask,
    )  # fmt: skip


def test_compiled_the_same_in_jax() -> None:
    """The ops are pure functions that also work under a batch."""
    x, w = normal(3, 1, 4, 5, 5), normal(4, 1, 3, 3)
    attrs = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 4}
    found = jax.vmap(lambda x: bilinear.convolve(x, w, **attrs))(x)
    close(found[1], correlated(x[1], w, 1, 1, 1, 4))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 0}, "stride must be an integer of at least 1"),
        ({"padding": (1, -1)}, r"padding .* not \(1, -1\)"),
        ({"dilation": (1, 2, 3)}, "or 2 of them"),
        ({"groups": 0}, "groups must be"),
        ({"groups": 2}, "with groups=2 the weight needs 5 dimensions"),
        ({"dilation": 4}, "does not fit an input"),
        ({"conv_mode": "convolution"}, "'cross_correlation', not 'convolution'"),
        ({"compute_mode": "half"}, "'default' or 'float32', not 'half'"),
        ({"bias": Tensor([1.0, 2.0, 3.0])}, r"a bias of shape \(3,\)"),
    ],
)
def test_what_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        F.conv2d(Tensor(normal(1, 2, 4, 4)), Tensor(normal(3, 2, 3, 3)), **settings)


@pytest.mark.parametrize(
    ("call", "shapes"),
    [
        (F.conv2d, [(1, 2, 6, 6), (2, 2, 1, 1), (1, 2, 1, 1)]),
        (F.conv3d, [(1, 1, 3, 3, 3), (1, 1, 1, 1, 1), (1, 1, 1, 1, 1)]),
        (F.conv_transpose2d, [(1, 2, 6, 6), (2, 2, 1, 1), (1, 2, 1, 1)]),
        (F.conv_transpose3d, [(1, 1, 3, 3, 3), (1, 1, 1, 1, 1), (1, 1, 1, 1, 1)]),
        (F.deformable_conv2d, [(1, 1, 3, 3), (1, 1, 1, 1), (1, 2, 3, 3), (1, 1, 3, 3), (1, 1, 1, 1)]),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_only_the_bias_may_be_none(call: Any, shapes: list[tuple[int, ...]]) -> None:
    """A bias in the place of a weight that is None would be convolved with."""
    given = [Tensor(normal(*shape)) for shape in shapes]
    assert call(*given[:-1], None).shape == call(*given).shape
    for place in range(len(given) - 1):
        with pytest.raises(TypeError, match="None"):
            call(*given[:place], None, *given[place + 1 :])


def test_a_layer_that_lost_its_weight_does_not_compute() -> None:
    layer = M.Conv2d(2, 2, 3)
    layer.weight = None
    with pytest.raises(TypeError, match="None"):
        layer(Tensor(normal(1, 2, 6, 6)))
