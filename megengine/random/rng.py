"""RNG: independent streams of random numbers from one seed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from .._methods.axes import as_shape
from ..graph.device import Device, resolve
from ..graph.host import host_value
from ..graph.record import apply
from ..graph.value import new_handle
from ..ops import random as ops
from ..ops.index import getitem
from ..ops.rng.xoroshiro import Xoroshiro128
from ..ops.rng.xorwow import seed_state
from ..tensor import Tensor

GENERATORS = ("xorwow", "xoroshiro128+")
_generator = "xorwow"


def set_generator(name: str) -> None:
    """Choose the generator of ``uniform`` and ``normal``; streams restart from their seeds.

    Args:
        name: ``"xorwow"`` (default; MegEngine's numbers on a GPU) or ``"xoroshiro128+"`` (MegEngine's numbers on a CPU, drawn on
            the host).

    Raises:
        ValueError: another name.

    Example:
        >>> megengine.random.set_generator("xoroshiro128+")
        >>> megengine.random.seed(20200325)
        >>> megengine.random.normal(0, 1, (3,))
        Tensor([-0.1655  0.2488  0.6178], device=xpux:0)
        >>> megengine.random.set_generator("xorwow")
    """
    global _generator
    if name not in GENERATORS:
        raise ValueError(f"set_generator({name!r}): write one of {', '.join(map(repr, GENERATORS))}")
    _generator = name
    _default._restart()


def get_generator() -> str:
    """The generator in use."""
    return _generator


class RNG:
    """A generator of random tensors with streams of its own.

    Uniform, normal, permutation and shuffle each have a stream that starts from the seed and that the others do not advance.

    Args:
        seed: 64-bit seed; default taken from the clock.
        device: where the tensors are; default the default device.

    Example:
        >>> rng = megengine.random.RNG(seed=20200325)
        >>> rng.normal(0, 1, (3, 3))
        Tensor([[ 0.014   0.3366  0.877 ]
         [ 0.4073 -0.0031  0.2638]
         [-0.1826  1.4192  0.2758]], device=xpux:0)
    """

    def __init__(self, seed: int | None = None, device: str | None = None) -> None:
        self._device = device
        self._seed = _checked(seed) if seed is not None else time.time_ns() & (2**63 - 1)
        resolve(device)
        self._states: dict[str, Tensor] = {}
        self._host: dict[str, Xoroshiro128] = {}

    def _restart(self) -> None:
        # The states stay the same tensors: traced functions hold them.
        for state in self._states.values():
            state._reset(self._fresh())
        self._host.clear()

    def _fresh(self) -> Tensor:
        fresh: Tensor = new_handle(host_value(seed_state(self._seed), self._where()))
        return fresh

    def _state(self, kind: str) -> Tensor:
        state = self._states.get(kind)
        if state is None:
            state = self._states[kind] = self._fresh()
        return state

    def _where(self) -> Device:
        return resolve(self._device)

    def _draw(self, kind: str, op: Any, attrs: tuple[Any, ...], *operands: Any) -> Tensor:
        """Advance the stream ``kind`` by one op ``(state, *operands) -> (state, result)``."""
        state = self._state(kind)
        after, result = apply(op, attrs, state, *operands)
        state._reset(after)
        drawn: Tensor = result
        return drawn

    def _host_stream(self, kind: str) -> Xoroshiro128:
        if kind not in self._host:
            self._host[kind] = Xoroshiro128(self._seed)
        return self._host[kind]

    def uniform(self, low: float = 0, high: float = 1, size: Iterable[int] | None = None) -> Tensor:
        r"""Draw from the uniform distribution on :math:`[low, high)`.

        Args:
            low: lower end.
            high: upper end.
            size: shape; default ``(1,)``.

        Returns:
            float32 tensor.

        Example:
            >>> megengine.random.RNG(seed=1).uniform(size=(2, 2)).shape
            (2, 2)
        """
        shape = _size(size)
        if _generator != "xorwow":
            flat = self._host_stream("uniform").uniform(int(np.prod(shape)))
            return _affine(self._constant(flat, shape), low, high, (0, 1))
        return self._draw("uniform", ops.uniform, (shape,), _number(low), _number(high))

    def normal(self, mean: float = 0, std: float = 1, size: Iterable[int] | None = None) -> Tensor:
        r"""Draw from the normal distribution :math:`\mathcal{N}(mean, std^2)`.

        Args:
            mean: mean.
            std: standard deviation.
            size: shape; default ``(1,)``.

        Returns:
            float32 tensor.

        Example:
            >>> megengine.random.RNG(seed=1).normal(0, 2, size=(3,)).shape
            (3,)
        """
        shape = _size(size)
        if _generator != "xorwow":
            flat = self._host_stream("normal").normal(int(np.prod(shape)), float(mean), float(std))
            return self._constant(flat, shape)
        return self._draw("normal", ops.normal, (shape,), _number(mean), _number(std))

    def permutation(self, n: int | Tensor, *, dtype: str = "int32") -> Tensor:
        """A random order of ``0 .. n - 1``, or of the rows of a tensor.

        Args:
            n: how many, or a tensor to shuffle along its first dimension.
            dtype: ``"int32"`` or ``"float32"``, of the order.

        Raises:
            ValueError: a negative count.

        Example:
            >>> sorted(megengine.random.RNG(seed=1).permutation(5).tolist())
            [0, 1, 2, 3, 4]
        """
        if isinstance(n, Tensor) and n.ndim:
            order = self._host_stream("permutation").permutation(n.shape[0])
            return self._rows(n, order)
        count = int(n)
        if count < 0:
            raise ValueError(f"permutation({count}): a count cannot be negative")
        order = self._host_stream("permutation").permutation(count)
        return self._constant(order.astype(np.dtype(dtype)), (count,))

    def shuffle(self, inp: Tensor) -> None:
        """Shuffle a tensor's first dimension in place.

        Example:
            >>> x = megengine.Tensor([1, 2, 3])
            >>> megengine.random.RNG(seed=1).shuffle(x)
            >>> sorted(x.tolist())
            [1, 2, 3]
        """
        if not isinstance(inp, Tensor):
            raise TypeError(f"shuffle() takes a tensor, not {type(inp).__name__}")
        if inp.ndim == 0 or inp.shape[0] == 0:
            raise ValueError(f"shuffle() takes a tensor with rows, this one has shape {inp.shape}")
        order = self._host_stream("shuffle").shuffle_indices(inp.shape[0])
        inp._reset(self._rows(inp, order))

    def _rows(self, inp: Tensor, order: np.ndarray) -> Tensor:
        index = self._constant(order.astype(np.int32), order.shape)
        spec = ("a",) + (":",) * (inp.ndim - 1)
        picked: Tensor = apply(getitem, (spec,), inp, index)
        return picked

    def _constant(self, flat: np.ndarray, shape: tuple[int, ...]) -> Tensor:
        constant: Tensor = new_handle(host_value(np.ascontiguousarray(flat.reshape(shape)), self._where()))
        return constant


def _affine(x: Tensor, low: Any, high: Any, plain: tuple[int, int]) -> Tensor:
    return x if (low, high) == plain else low + (high - low) * x


def _number(x: Any) -> Any:
    return x if isinstance(x, Tensor) else float(x)


def _checked(seed: Any) -> int:
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool):
        raise TypeError(f"a seed is an integer, not {seed!r}")
    return int(seed) & (2**64 - 1)


def _size(size: Any) -> tuple[int, ...]:
    return (1,) if size is None else as_shape(size, "size")


_default = RNG()


def seed(seed: int) -> None:
    """Restart every stream of the module's functions from a seed.

    Raises:
        TypeError: not an integer.

    Example:
        >>> megengine.random.seed(20200325)
        >>> megengine.random.normal(0, 1, (3, 3))
        Tensor([[ 0.014   0.3366  0.877 ]
         [ 0.4073 -0.0031  0.2638]
         [-0.1826  1.4192  0.2758]], device=xpux:0)
    """
    _default._seed = _checked(seed)
    _default._restart()


uniform = _default.uniform
normal = _default.normal
permutation = _default.permutation
shuffle = _default.shuffle


def stream() -> RNG:
    """The generator behind the module's functions; dropout draws from a stream of it."""
    return _default

