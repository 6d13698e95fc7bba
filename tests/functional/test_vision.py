"""What the golden cases cannot hold of functional.vision: gradients the reference lacks or gets wrong, and properties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import megengine.functional as F
from megengine import Tensor, jit
from megengine.autodiff import GradManager

from .directions import check
from .gradients import gradients

RNG = np.random.default_rng(0)
BOXES = Tensor([[0.0, 0.3, 0.6, 3.1, 3.7], [1.0, -1.2, 1.0, 2.4, 6.3], [1.0, 2.0, 2.0, 2.2, 2.1]])


def image(*shape: int) -> np.ndarray:
    """Distinct values, so that no maximum is a tie."""
    return (RNG.permutation(int(np.prod(shape))).reshape(shape) / 8).astype(np.float32)


@pytest.mark.parametrize("align_corners", [False, True])
def test_trilinear_has_the_gradient_that_the_reference_lacks(align_corners: bool) -> None:
    check(
        lambda x: F.vision.interpolate(x, (3, 2, 3), mode="trilinear", align_corners=align_corners),
        image(1, 1, 2, 3, 2),
    )


@pytest.mark.parametrize("mode", ["average", "max"])
def test_gradients_of_roi_align(mode: str) -> None:
    check(lambda x: F.vision.roi_align(x, BOXES, (2, 1), mode=mode), image(2, 1, 3, 4))


@pytest.mark.parametrize("mode", ["average", "max"])
def test_gradients_of_roi_pooling(mode: str) -> None:
    check(lambda x: F.vision.roi_pooling(x, BOXES, (2, 3), mode=mode), image(2, 1, 3, 4))


@pytest.mark.parametrize("pool", [F.vision.roi_align, F.vision.roi_pooling])
def test_only_the_first_of_equal_pixels_gets_the_gradient(pool: Callable[..., Tensor]) -> None:
    x = F.ones((1, 1, 4, 4))
    manager = GradManager().attach(x)
    with manager:
        manager.backward(pool(x, Tensor([[0.0, 1.0, 1.0, 3.0, 3.0]]), 1, mode="max"))
    wanted = np.zeros((4, 4), np.float32)
    wanted[1, 1] = 1  # the first sample of roi_align lies there too
    np.testing.assert_array_equal(x.grad.numpy()[0, 0], wanted)


@pytest.mark.parametrize("multiply", [True, False])
def test_gradients_of_correlation(multiply: bool) -> None:
    def f(a: Tensor, b: Tensor) -> Tensor:
        return F.vision.correlation(a, b, 3, 2, 2, 1, 2, multiply)

    # No element of one equals any of the other, nor the zeros around, so that absolute differences have a slope.
    check(f, image(1, 2, 4, 3) * 2 + 1 / 8, image(1, 2, 4, 3) * 2 + 1 / 4)


@pytest.mark.parametrize("mode", ["RGB2GRAY", "BGR2GRAY", "RGB2YUV", "YUV2RGB", "RGB2BGR"])
def test_gradients_of_colours(mode: str) -> None:
    check(lambda x: F.vision.cvt_color(x, mode), image(1, 2, 1, 3) / 4)


@pytest.mark.parametrize("interp_mode", ["nearest", "linear", "cubic"])
def test_interleaved_warps_have_the_gradient_that_the_reference_refuses(interp_mode: str) -> None:
    matrix = Tensor([[[0.9, 0.2, 0.3], [-0.1, 1.1, 0.4]]])
    check(lambda x: F.vision.warp_affine(x, matrix, (2, 3), interp_mode=interp_mode), image(1, 3, 4, 2))


def test_interleaved_warps_pass_the_gradient_of_the_exact_place_to_the_matrix() -> None:
    matrix = np.array([[[0.5, 0.0, 0.25], [0.0, 0.5, 0.5]]], np.float32)  # whole steps of 1/32
    planes = image(1, 2, 4, 4)

    def interleaved(m: Tensor) -> Tensor:
        return F.vision.warp_affine(Tensor(planes.transpose(0, 2, 3, 1)), m, (3, 3)).transpose(0, 3, 1, 2)

    (one,) = gradients(interleaved, matrix)
    (other,) = gradients(lambda m: F.vision.warp_affine(Tensor(planes), m, (3, 3), format="NCHW"), matrix)
    np.testing.assert_allclose(one, other, rtol=1e-4)


def test_second_order_gradient_of_average_roi_pooling() -> None:
    x = Tensor(image(2, 1, 4, 4))
    outer = GradManager().attach(x)
    with outer:
        inner = GradManager().attach(x)
        with inner:
            inner.backward((F.vision.roi_pooling(x, BOXES, 2, mode="average") ** 2).sum())
        first = x.grad
        x.grad = None
        outer.backward((first**2).sum())
    second = x.grad.numpy()

    def first_order(v: np.ndarray) -> np.ndarray:
        return gradients(lambda t: _squared(t), v)[0]  # type: ignore[return-value]

    start = image(2, 1, 4, 4) * 0 + x.numpy()
    slope = first_order(start)
    matrix = np.stack([first_order(e.reshape(start.shape)).ravel() for e in np.eye(start.size, dtype=np.float32)])
    np.testing.assert_allclose(second.ravel(), 2 * matrix @ slope.ravel(), rtol=1e-3, atol=1e-3)


def _squared(x: Tensor) -> Tensor:
    y = F.vision.roi_pooling(x, BOXES, 2, mode="average")
    return (y**2).sum()


def test_pixels_outside_a_bin_do_not_count() -> None:
    x = np.ones((1, 1, 4, 4), np.float32)
    x[..., 3] = np.inf
    for mode in ("average", "max"):
        assert F.vision.roi_pooling(Tensor(x), Tensor([[0.0, 0.0, 0.0, 2.0, 3.0]]), 1, mode=mode).item() == 1
        assert F.vision.roi_align(Tensor(x), Tensor([[0.0, 0.0, 0.0, 2.0, 3.0]]), 1, mode=mode).item() == 1


@pytest.mark.parametrize("pool", [F.vision.roi_align, F.vision.roi_pooling])
def test_a_computed_box_of_no_image_is_reported_when_something_is_read(pool) -> None:
    rois = F.exp(F.zeros((1, 5))) * 2
    y = pool(Tensor(image(2, 1, 3, 3)), rois, 1)
    with pytest.raises(IndexError, match="index of an image"):
        y.numpy()


def test_a_computed_matrix_index_out_of_range_is_reported_when_something_is_read() -> None:
    y = F.vision.warp_perspective(
        F.ones((1, 1, 2, 2)), Tensor(np.eye(3, dtype=np.float32)[None]), (1, 1), F.ones(1).astype("int32")
    )
    with pytest.raises(IndexError):
        y.numpy()


@pytest.mark.parametrize("border", ["replicate", "reflect", "reflect_101", "wrap", "constant"])
def test_remap_borders_are_those_of_numpy(border: str) -> None:
    row = np.arange(1.0, 5.0, dtype=np.float32)
    mode = {"replicate": "edge", "reflect": "symmetric", "reflect_101": "reflect"}.get(border, border)
    wanted = np.pad(row, 9, mode=mode)  # type: ignore[call-overload]
    places = np.stack([np.arange(-9, 13), np.zeros(22)], -1).astype(np.float32)[None, None]
    for interp_mode in ("linear", "nearest"):
        found = F.vision.remap(Tensor(row.reshape(1, 1, 1, 4)), Tensor(places), border, 0.0, interp_mode)
        np.testing.assert_array_equal(found.numpy().ravel(), wanted)


def test_places_far_away_show_the_border() -> None:
    places = Tensor([[[[1e20, 0.0], [-1e20, 0.0], [np.inf, 0.0]]]])
    x = Tensor([[[[1.0, 2.0]]]])
    assert F.vision.remap(x, places, "constant", 7.0).numpy().ravel()[:2].tolist() == [7, 7]
    assert F.vision.remap(x, places, "replicate", interp_mode="nearest").numpy().ravel().tolist() == [2, 1, 2]


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_resizing_reads_only_the_pixels_around(mode: str) -> None:
    x = np.ones((1, 1, 12, 12), np.float32)
    x[0, 0, 0, 0] = np.nan
    assert np.isnan(F.vision.interpolate(Tensor(x), (20, 20), mode=mode).numpy()).mean() < 0.1


@pytest.mark.parametrize("align_corners", [False, True])
def test_a_linear_ramp_stays_one(align_corners: bool) -> None:
    ramp = np.arange(5, dtype=np.float32).reshape(1, 1, 5)
    out = F.vision.interpolate(Tensor(ramp), 9, mode="linear", align_corners=align_corners).numpy().ravel()
    wanted = np.linspace(0, 4, 9) if align_corners else np.clip((np.arange(9) + 0.5) * 5 / 9 - 0.5, 0, 4)
    np.testing.assert_allclose(out, wanted, atol=1e-6)


boxes = st.lists(
    st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 6)] * 2, st.integers(0, 5)), min_size=0, max_size=14
)


@given(boxes, st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
@settings(max_examples=60, deadline=None)
def test_nms_is_its_definition(drawn: list[tuple[int, ...]], threshold: float) -> None:
    array = np.array([[x, y, x + w, y + h] for x, y, w, h, _ in drawn], np.float32).reshape(-1, 4)
    scores = np.array([b[4] for b in drawn], np.float32)
    kept: list[int] = []
    for i in sorted(range(len(drawn)), key=lambda i: (scores[i], i), reverse=True):
        if all(_overlap(array[i], array[k]) <= threshold for k in kept):
            kept.append(i)
    assert F.vision.nms(Tensor(array), Tensor(scores), threshold).numpy().tolist() == kept
    assert F.vision.nms(Tensor(array), Tensor(scores), threshold, 2).numpy().tolist() == kept[:2]


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union; the sides are small integers, so that the ratio is as exact as in float32."""
    width, height = (max(min(a[k + 2], b[k + 2]) - max(a[k], b[k]), 0) for k in range(2))
    union = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)) - width * height
    return width * height / union


def test_computed_boxes_are_read_and_what_follows_is_differentiable() -> None:
    raw = Tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
    manager = GradManager().attach(raw)
    with manager:
        boxes = raw * 2
        keep = F.vision.nms(boxes, boxes[:, 3], 0.5)
        manager.backward(boxes[keep].sum())
    assert keep.numpy().tolist() == [2, 0]
    np.testing.assert_array_equal(raw.grad.numpy(), [[2] * 4, [0] * 4, [2] * 4])


def test_in_a_trace() -> None:
    @jit.trace(without_host=True)
    def step(boxes: Tensor, scores: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return F.vision.nms(boxes * 2, scores, 0.5), F.vision.interpolate(x, scale_factor=2, mode="nearest")

    boxes = Tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9]])
    for best in (0, 1, 0):
        kept, large = step(boxes, Tensor([1.0 - best, 0.5]), F.ones((1, 1, 1, 1)))
        assert kept.numpy().tolist() == [best]
        assert large.shape == (1, 1, 2, 2)


def test_correlation_divides_exactly() -> None:
    ones = F.ones((1, 1, 3, 3))
    assert (F.vision.correlation(ones, ones, 3, 0).sum() - 1).item() == 0


def test_bins_that_fit_whole_pixels_do_not_touch_the_next() -> None:
    x = np.tile(np.arange(64, dtype=np.float32), (1, 1, 1, 1)).reshape(1, 1, 1, 64)
    last = np.arange(64, dtype=np.float32)
    rois = np.stack([last * 0, last * 0, last * 0, last, last * 0], 1)
    for bins in (3, 5, 7):
        found = F.vision.roi_pooling(Tensor(x), Tensor(rois), (1, bins)).numpy()[:, 0, 0]
        step = (last + 1) / np.float32(bins)
        ends = np.ceil((np.arange(bins, dtype=np.float32) + 1) * step[:, None])
        np.testing.assert_array_equal(found, np.minimum(ends, 64) - 1)


def test_interleaved_warps_find_places_in_float64() -> None:
    height, width = 120, 150
    x = np.arange(height * width, dtype=np.float32).reshape(1, height, width, 1)
    rng = np.random.default_rng(5)
    for _ in range(3):
        matrix = (np.eye(3) + rng.normal(size=(3, 3)) * [[0.3, 0.3, 9], [0.3, 0.3, 9], [3e-4, 3e-4, 0.1]]).astype(
            np.float32
        )
        row, column = np.mgrid[:height, :width].astype(np.float64)
        u, v, w = (m[0] * column + m[1] * row + m[2] for m in matrix.astype(np.float64))
        at_x, at_y = (np.rint(n * (1 / w)).clip(0, size - 1).astype(int) for n, size in ((u, width), (v, height)))
        found = F.vision.warp_perspective(
            Tensor(x), Tensor(matrix[None]), (height, width), format="NHWC", interp_mode="nearest"
        )
        np.testing.assert_array_equal(found.numpy()[0, :, :, 0], x[0, at_y, at_x, 0])
