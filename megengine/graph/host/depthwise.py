"""Convolutions of one channel a group, as products of rows of the image with banded matrices that hold the kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np

from .matmul import matmul
from .taps import Axis, steps

# Columns of the image at a time: more of them multiply more zeros, fewer copy more.
TILE = 16
# Elements of a block of copied rows.
BLOCK = 1 << 18


def suits(axes: Sequence[Axis]) -> bool:
    """Whether windows as large as these are faster so."""
    return len(axes) == 2 and all(a.gap == 1 for a in axes) and axes[1].window >= 4


def by_rows(x: np.ndarray, w: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """The convolution of ``(groups, images, 1, high, wide)`` with ``(groups, filters, 1, *window)``."""
    groups, images = x.shape[:2]
    filters = w.shape[1]
    rows, columns = axes
    bands = _Bands(columns, filters)
    matrix = bands.matrices(w[:, :, 0], w.dtype)
    y = np.empty((groups, filters, images, rows.count, columns.count), w.dtype)
    for g, n, seen in _rows(x[:, :, 0], axes, bands, w.dtype):
        part = matmul(seen, matrix[g])
        part = part.reshape(len(part), n.stop - n.start, rows.count, bands.tiles, filters, bands.tile)
        part = part.transpose(0, 4, 1, 2, 3, 5).reshape(len(part), filters, n.stop - n.start, rows.count, -1)
        y[g, :, n] = part[..., : columns.count]
    return y


def kernel_by_rows(x: np.ndarray, ct: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """The kernel's gradient: of ``(groups, 1, images, high, wide)`` with ``(groups, filters, images, *counts)`` as windows."""
    groups, filters = ct.shape[:2]
    axes = [a.swapped() for a in axes]
    rows, columns = axes
    bands = _Bands(columns, filters)
    total = np.zeros((groups, rows.window * bands.span, filters * bands.tile), ct.dtype)
    for g, n, seen in _rows(x[:, 0], axes, bands, ct.dtype):
        shares = np.zeros((g.stop - g.start, n.stop - n.start, rows.count, filters, bands.tiles * bands.tile), ct.dtype)
        shares[..., : columns.count] = ct[g, :, n].transpose(0, 2, 3, 1, 4)
        shares = shares.reshape(*shares.shape[:4], bands.tiles, bands.tile).swapaxes(3, 4)
        total[g] += matmul(seen.swapaxes(1, 2), shares.reshape(len(shares), -1, filters * bands.tile))
    band = bands.band(total.reshape(groups, rows.window, bands.span, filters, bands.tile))
    kernel = reduce(np.add, (band[..., k] for k in range(bands.tile)))
    return kernel.transpose(0, 3, 1, 2)[:, :, None]


class _Bands:
    """How a dimension is cut into tiles, each the product of a span of elements with a banded matrix."""

    def __init__(self, axis: Axis, filters: int) -> None:
        self.axis = axis
        self.tiles = -(-axis.count // TILE)
        self.tile = -(-axis.count // self.tiles)
        self.step = self.tile * axis.stride
        self.span = (self.tile - 1) * axis.stride + (axis.window - 1) * axis.spread + 1
        self.filters = filters

    def band(self, matrices: np.ndarray) -> np.ndarray:
        """What belongs to the kernel: of ``(groups, rows, span, filters, tile)``, ``(groups, rows, window, filters, tile)``."""
        g, r, s, f, t = matrices.strides
        shape = (*matrices.shape[:2], self.axis.window, *matrices.shape[3:])
        return np.lib.stride_tricks.as_strided(
            matrices, shape, (g, r, s * self.axis.spread, f, s * self.axis.stride + t)
        )

    def matrices(self, kernel: np.ndarray, dtype: Any) -> np.ndarray:
        """For a kernel ``(groups, filters, rows, window)``."""
        groups, filters, rows, _ = kernel.shape
        full = np.zeros((groups, rows, self.span, filters, self.tile), dtype)
        self.band(full)[...] = kernel.transpose(0, 2, 3, 1)[..., None]
        return full.reshape(groups, rows * self.span, filters * self.tile)


def _rows(x: np.ndarray, axes: Sequence[Axis], bands: _Bands, dtype: Any) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Groups, images, and what their windows see: ``(groups, images * rows * tiles, rows of the window * span)``."""
    groups, images = x.shape[:2]
    rows = axes[0]
    width = (bands.tiles - 1) * bands.step + bands.span
    height = (rows.count - 1) * rows.stride + (rows.window - 1) * rows.spread + 1
    each = rows.count * bands.tiles * rows.window * bands.span
    at_once = max(BLOCK // each, 1)
    inside = [Axis(a.size, 1, n, low=a.low).met(0) for a, n in zip(axes, (height, width), strict=True)]
    for g in steps(groups, max(at_once // images, 1)):
        for n in steps(images, at_once):
            part = x[g, n]
            whole = np.zeros((*part.shape[:2], height, width), dtype)
            if all(pair is not None for pair in inside):
                places, elements = zip(*inside, strict=True)
                whole[(..., *places)] = part[(..., *elements)]
            a, b, down, across = whole.strides
            shape = (*part.shape[:2], rows.count, bands.tiles, rows.window, bands.span)
            strides = (a, b, down * rows.stride, across * bands.step, down * rows.spread, across)
            seen = np.lib.stride_tricks.as_strided(whole, shape, strides)
            yield g, n, seen.reshape(len(part), -1, rows.window * bands.span)
