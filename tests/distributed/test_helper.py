"""Packing of tensors into one vector and out of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine.distributed as dist
from megengine import Tensor
from megengine.autodiff import GradManager
from megengine.distributed.helper import (
    BUCKET,
    buckets,
    get_offsets,
    pack_allreduce_split,
    param_pack_concat,
    param_pack_split,
)


# What MegEngine 1.13 answers.
@pytest.mark.parametrize(
    ("offsets", "shapes", "expected"),
    [
        ([0, 1, 1, 10], [(1,), (3, 3)], [[0], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]]),
        ([0, 1, 1, 10], [(), (3, 3)], [[0], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]]),
        ([1, 2, 4, 8], [(1,), (2, 2)], [[1], [[4, 5], [6, 7]]]),
        ([0, 4, 2, 6], [(4,), [2, 2]], [[0, 1, 2, 3], [[2, 3], [4, 5]]]),
    ],
    ids=["all", "scalar", "gaps", "overlap"],
)
@pytest.mark.parametrize("dtype", ["float32", "int32", "float16"])
def test_split(offsets: list[int], shapes: Any, expected: Any, dtype: str) -> None:
    parts = param_pack_split(Tensor(np.arange(10, dtype=dtype)), offsets, shapes)
    assert [p.numpy().tolist() for p in parts] == expected
    assert all(p.dtype == dtype for p in parts)


def test_the_gradient_of_split_adds_where_parts_overlap() -> None:
    x = Tensor(np.arange(6, dtype="float32"))
    gm = GradManager().attach(x)
    with gm:
        first, second = param_pack_split(x, [0, 3, 1, 5], [(3,), (2, 2)])
        gm.backward(first.sum() * 2 + (second * second).sum())
    assert x.grad is not None
    assert x.grad.numpy().tolist() == [2, 4, 6, 6, 8, 0]


@pytest.mark.parametrize("dtype", ["float32", "int32", "float16"])
def test_concat(dtype: str) -> None:
    xs = [
        Tensor(np.arange(3, dtype=dtype)),
        Tensor(np.arange(10, 14, dtype=dtype).reshape(2, 2)),
        Tensor(7, dtype=dtype),
    ]
    offsets = get_offsets([x.shape for x in xs])
    assert offsets == [0, 3, 3, 7, 7, 8]
    packed = param_pack_concat(xs, Tensor(offsets), offsets)
    assert packed.dtype == dtype
    assert packed.numpy().tolist() == [0, 1, 2, 10, 11, 12, 13, 7]


def test_the_gradient_of_concat() -> None:
    a, b = Tensor([1.0, 2.0]), Tensor([[3.0], [4.0]])
    gm = GradManager().attach([a, b])
    with gm:
        gm.backward(param_pack_concat([a, b], Tensor([0, 2, 2, 4]), [0, 2, 2, 4]), Tensor([1.0, 2.0, 3.0, 4.0]))
    assert a.grad is not None and b.grad is not None
    assert a.grad.numpy().tolist() == [1, 2]
    assert b.grad.numpy().tolist() == [[3], [4]]


def test_splitting_undoes_packing(rng: np.random.Generator) -> None:
    arrays = [rng.normal(size=shape).astype("float32") for shape in [(2, 3), (4,), (1, 1, 5)]]
    shapes = [a.shape for a in arrays]
    for method in ("sum", "mean"):
        parts = pack_allreduce_split([Tensor(a) for a in arrays], shapes, dist.WORLD, method)
        for part, array in zip(parts, arrays, strict=True):
            np.testing.assert_array_equal(part.numpy(), array)


@pytest.mark.parametrize(
    ("shape", "offsets", "shapes", "message"),
    [
        ((10,), [0, 4, 8, 12], [(4,), (2, 2)], "8 to 12 is out of a vector of 10 elements"),
        ((10,), [0, 4], [(4,), (2, 2)], "2 tensors need 4 offsets, not 2"),
        ((2, 5), [0, 4, 4, 10], [(4,), (2, 3)], r"takes a vector, not shape \(2, 5\)"),
        ((10,), [0, 2], [(1,)], r"shape \(1,\) does not have the 2 elements 0 to 2"),
    ],
)
def test_split_refuses(shape: tuple[int, ...], offsets: list[int], shapes: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        param_pack_split(Tensor(np.zeros(shape, "float32")), offsets, shapes)


@pytest.mark.parametrize(
    ("dtypes", "offsets", "message"),
    [
        (("float32", "float32"), [0, 3, 4, 8], "do not lie at"),
        (("float32", "float32"), [4, 7, 0, 4], "do not lie at"),
        (("float32", "float32"), [0, 2, 2, 6], "do not lie at"),
        (("float32", "int32"), [0, 3, 3, 7], "dtypes differ: float32, int32"),
    ],
    ids=["gap", "order", "sizes", "dtypes"],
)
def test_concat_refuses(dtypes: tuple[str, str], offsets: list[int], message: str) -> None:
    xs = [Tensor(np.zeros(shape, dtype)) for shape, dtype in zip([(3,), (2, 2)], dtypes, strict=True)]
    with pytest.raises(RuntimeError, match=message):
        param_pack_concat(xs, Tensor(offsets), offsets)


def test_only_tensors_are_packed() -> None:
    with pytest.raises(TypeError, match="takes a Tensor, not ndarray"):
        param_pack_split(np.zeros(3), [0, 3], [(3,)])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes Tensors, not list"):
        param_pack_concat([[1.0]], Tensor([0, 1]), [0, 1])  # type: ignore[list-item]
    with pytest.raises(RuntimeError, match="one or more"):
        param_pack_concat([], Tensor([0]), [])


def resnet50() -> list[int]:
    """Bytes of the parameters of a ResNet-50, the last layer's first, as the backward pass gives them."""
    floats = [3 * 64 * 49, 64, 64]
    width = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        inner = 64 << stage
        for block in range(blocks):
            for size, channels in ((width * inner, inner), (inner * inner * 9, inner), (inner * inner * 4, inner * 4)):
                floats += [size, channels, channels]
            if block == 0:
                floats += [width * inner * 4, inner * 4, inner * 4]
            width = inner * 4
    return [4 * n for n in (*floats, width * 1000, 1000)][::-1]


def test_the_gradients_of_a_resnet50_go_in_nine_messages() -> None:
    sizes = resnet50()
    assert (len(sizes), sum(sizes)) == (161, 4 * 25557032)
    parts = buckets([("float32", size) for size in sizes])
    assert [k for part in parts for k in part] == list(range(161))
    filled = [sum(sizes[k] for k in part) for part in parts]
    assert len(parts) == 9
    assert all(size > BUCKET for size in filled[:-1]) and max(filled) <= BUCKET + max(sizes)


def test_a_message_has_one_dtype() -> None:
    sizes = [("float32", 4), ("float16", 2), ("float32", BUCKET), ("float32", 4), ("float16", 2)]
    assert buckets(sizes) == [[0, 2], [1, 4], [3]]
    assert buckets([]) == []
