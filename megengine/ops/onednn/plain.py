"""Convolutions by NumPy alone, an element of the kernel at a time, for where oneDNN fails at what it has computed before."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from . import steps
from .convolution import Convolution


def compute(of: Convolution, *pointers: int) -> None:
    """Compute a convolution.

    Args:
        of: the convolution.
        pointers: where its operands and its result are.
    """
    shapes, lasts = of.arrays()
    arrays = [_array(*array, of.dtype) for array in zip(pointers, shapes, lasts, strict=True)]
    one, other, *more, result = [a.astype(np.float32, copy=False) for a in arrays]
    kinds = {
        "convolve": lambda: _forward(of, one, other, result),
        "convolve_input_gradient": lambda: _input_gradient(of, one, other, result),
        "convolve_kernel_gradient": lambda: _kernel_gradient(of, one, other, result),
    }
    kinds[of.kind]()
    steps.compute(of.after, more, result)
    if result is not arrays[-1]:
        arrays[-1][...] = result


def _array(pointer: int, shape: tuple[int, ...], last: bool, dtype: str) -> np.ndarray:
    """The array at an address, its channels in front of its sizes."""
    held: Any = (ctypes.c_char * (prod(shape) * np.dtype(dtype).itemsize)).from_address(pointer)
    memory = np.frombuffer(held, dtype)
    if not last:
        return memory.reshape(shape)
    return np.moveaxis(memory.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def _padded(of: Convolution, x: np.ndarray) -> np.ndarray:
    return np.pad(x, [(0, 0), (0, 0), *((p, p) for p in of.padding)])


def _taps(of: Convolution) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Each element of the kernel, and what of the padded input it is multiplied with."""
    sizes = of.y_shape[2:]
    for tap in np.ndindex(*of.kernel_shape[2:]):
        axes = zip(tap, of.stride, of.dilation, sizes, strict=True)
        yield tap, (..., *(slice(t * d, t * d + s * (n - 1) + 1, s) for t, s, d, n in axes))


def _grouped(of: Convolution, array: np.ndarray) -> np.ndarray:
    """``(N, C, *sizes)`` as ``(N, groups, C / groups, positions)``."""
    return array.reshape(array.shape[0], of.groups, array.shape[1] // of.groups, -1)


def _kernel_of(of: Convolution, kernel: np.ndarray, tap: tuple[int, ...]) -> np.ndarray:
    """One element of all kernels: ``(groups, outputs, inputs)``."""
    element: Any = (..., *tap)
    return kernel[element].reshape(of.groups, -1, kernel.shape[1])


def _forward(of: Convolution, x: np.ndarray, kernel: np.ndarray, y: np.ndarray) -> None:
    padded, total = _padded(of, x), np.zeros(of.y_shape, np.float32)
    for tap, where in _taps(of):
        total += (_kernel_of(of, kernel, tap) @ _grouped(of, padded[where])).reshape(of.y_shape)
    y[...] = total


def _input_gradient(of: Convolution, kernel: np.ndarray, dy: np.ndarray, dx: np.ndarray) -> None:
    padded, given = np.zeros_like(_padded(of, dx)), _grouped(of, dy)
    for tap, where in _taps(of):
        part = padded[where]
        part += (_kernel_of(of, kernel, tap).transpose(0, 2, 1) @ given).reshape(part.shape)
    inside: Any = (..., *(slice(p, p + n) for p, n in zip(of.padding, dx.shape[2:], strict=True)))
    dx[...] = padded[inside]


def _kernel_gradient(of: Convolution, x: np.ndarray, dy: np.ndarray, kernel: np.ndarray) -> None:
    padded, given = _padded(of, x), _grouped(of, dy)
    for tap, where in _taps(of):
        products = given @ _grouped(of, padded[where]).transpose(0, 1, 3, 2)
        element: Any = (..., *tap)
        kernel[element] = products.sum(0).reshape(kernel.shape[:2])
