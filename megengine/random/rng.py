"""RNG: independent streams of random numbers from one seed."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any

import numpy as np

from .._help.ranges import within
from ..graph.apply import apply
from ..graph.device import Device, resolve
from ..graph.errors import ArgumentError
from ..graph.host_data import host_value
from ..graph.shared import claim, exclusive, publish
from ..graph.value import new_handle
from ..ops import random as ops
from ..ops.index import getitem
from ..ops.op import Op
from ..ops.rng.xoroshiro import Xoroshiro128
from ..ops.rng.xorwow import seed_state
from ..tensor import Tensor
from ..tensor.axes import as_shape

_ORDER_DTYPES = ("int32", "int16", "float32", np.int32, np.int16, np.float32)
GENERATORS = ("xorwow", "xoroshiro128+")
_generator = "xorwow"
# These start from one state, as MegEngine's do; the others would follow them closely if they did too.
_SEEDED_ALIKE = ("uniform", "normal", "dropout")
_GOLDEN_RATIO = 0x9E3779B97F4A7C15


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
    with exclusive:
        _generator = name
        _shared.restart(_shared.seed)


def get_generator() -> str:
    """The generator in use."""
    return _generator


class _Streams:
    """The streams of one seed: a state in the graph for each kind drawn there, a host generator for each other kind."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.states: dict[tuple[str, str], Tensor] = {}
        self.host: dict[str, Xoroshiro128] = {}

    def __getstate__(self) -> dict[str, Any]:
        """The states as arrays: only streams have tensors of their dtype."""
        with exclusive:
            return {**vars(self), "states": {place: state.numpy() for place, state in self.states.items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.states = {place: self._held(given, resolve(place[1])) for place, given in state["states"].items()}

    @staticmethod
    def _held(state: Any, device: Device) -> Tensor:
        held: Tensor = state if isinstance(state, Tensor) else new_handle(host_value(np.array(state), device))
        return held

    def restart(self, seed: int) -> None:
        """Begin again; the states stay the same tensors, since traced functions hold them."""
        with exclusive:
            self.seed = seed
            for (kind, _), state in self.states.items():
                state._reset(self._fresh(kind, state.device))
            self.host.clear()

    def state(self, kind: str, device: Device) -> Tensor:
        """The state of the stream ``kind`` on a device."""
        state = self.states.get((kind, device.name))
        if state is None:
            state = self.states[kind, device.name] = self._fresh(kind, device)
        return state

    def on_host(self, kind: str) -> Xoroshiro128:
        """The host generator of the stream ``kind``."""
        if kind not in self.host:
            self.host[kind] = Xoroshiro128(self.seed)
        return self.host[kind]

    def _fresh(self, kind: str, device: Device) -> Tensor:
        seed = self.seed if kind in _SEEDED_ALIKE else (self.seed + zlib.crc32(kind.encode()) * _GOLDEN_RATIO) % 2**64
        fresh: Tensor = new_handle(host_value(seed_state(seed), device))
        return fresh


class RNG:
    """A generator of random tensors.

    Each kind of draw has a stream that starts from the seed and that the others do not advance.

    Args:
        seed: 64-bit seed of streams of its own; default: it shares the module's streams and follows :func:`seed`.
        device: where the tensors are; default the default device.

    Raises:
        TypeError: a seed outside 0 .. 2^64 - 1, or an unknown device.

    Example:
        >>> rng = megengine.random.RNG(seed=20200325)
        >>> rng.normal(0, 1, (3, 3))
        Tensor([[ 0.014   0.3366  0.877 ]
         [ 0.4073 -0.0031  0.2638]
         [-0.1826  1.4192  0.2758]], device=xpux:0)
    """

    def __init__(self, seed: int | None = None, device: str | None = None) -> None:
        try:
            self._streams = _shared if seed is None else _Streams(_checked(seed))
            resolve(device)
        except (ValueError, RuntimeError) as error:
            raise TypeError(f"RNG(): {error}") from None
        self._device = device if seed is not None else None

    def __repr__(self) -> str:
        if self._streams is _shared:
            return f"{type(self).__name__}(the shared streams, seed={_shared.seed})"
        return f"{type(self).__name__}(seed={self._streams.seed}, device={self._where().logical_name!r})"

    def __getstate__(self) -> dict[str, Any]:
        """Copies of one that shares the module's streams share them too, and do not repeat their numbers."""
        return {**vars(self), "_streams": None if self._streams is _shared else self._streams}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._streams is None:
            self._streams = _shared

    def _where(self) -> Device:
        return resolve(self._device)

    def _draw(self, kind: str, op: Op, *operands: Any, device: Device | None = None, **attrs: Any) -> Tensor:
        """Advance the stream ``kind`` by one op ``(state, *operands) -> (state, result)``."""
        device = device or self._where()
        with exclusive:
            state = self._streams.state(kind, device)
            claim((state,))
            after, result = apply(op, state, *operands, **attrs)
            state._reset(after)
            publish()
        result._value.device = device
        drawn: Tensor = result
        return drawn

    def _on_host(self, kind: str, draw: Callable[..., np.ndarray], *args: Any) -> np.ndarray:
        """Draw from the host generator of the stream ``kind``."""
        with exclusive:
            return draw(self._streams.on_host(kind), *args)

    def uniform(self, low: float = 0, high: float = 1, size: Iterable[int] | int | None = None) -> Tensor:
        r"""Draw from the uniform distribution on :math:`(low, high]`.

        Args:
            low: lower end.
            high: upper end.
            size: shape; default ``(1,)``.

        Raises:
            AssertionError: ``low`` is not below ``high``.

        Returns:
            float32 tensor.

        Example:
            >>> megengine.random.RNG(seed=1).uniform(size=(2, 2)).shape
            (2, 2)
        """
        if not isinstance(low, Tensor) and not isinstance(high, Tensor) and not low < high:
            raise AssertionError(f"uniform({low}, {high}): low must be below high")
        shape, low, high = _size(size), _number(low), _number(high)
        if _generator == "xorwow":
            if not isinstance(low, Tensor) and not isinstance(high, Tensor):
                return self._draw("uniform", ops.uniform, low, high, shape=shape)
            return low + (high - low) * self._draw("uniform", ops.uniform, 0.0, 1.0, shape=shape)
        drawn = self._constant(self._on_host("uniform", Xoroshiro128.uniform, int(np.prod(shape))), shape)
        return low + (high - low) * drawn

    def normal(self, mean: float = 0, std: float = 1, size: Iterable[int] | int | None = None) -> Tensor:
        r"""Draw from the normal distribution :math:`\mathcal{N}(mean, std^2)`.

        Args:
            mean: mean.
            std: standard deviation.
            size: shape; default ``(1,)``.

        Raises:
            ValueError: a negative standard deviation, or NaN.

        Returns:
            float32 tensor.

        Example:
            >>> megengine.random.RNG(seed=1).normal(0, 2, size=(3,)).shape
            (3,)
        """
        if isinstance(std, Real):
            within("std", std, 0)
        if isinstance(mean, Real):
            within("mean", mean)
        shape, mean, std = _size(size), _number(mean), _number(std)
        if _generator == "xorwow":
            return self._draw("normal", ops.normal, mean, std, shape=shape)
        return self._constant(
            self._on_host("normal", Xoroshiro128.normal, int(np.prod(shape)), float(mean), float(std)), shape
        )

    def gamma(
        self, shape: Tensor | float, scale: Tensor | float = 1, size: Iterable[int] | int | None = None
    ) -> Tensor:
        r"""Draw from the gamma distribution, of density :math:`x^{k-1} e^{-x/\theta} / (\theta^k \Gamma(k))` for :math:`x > 0`.

        No gradient flows to the parameters. The numbers are the same on every device, but not those that MegEngine draws.

        Args:
            shape: k, a positive number or a tensor of them.
            scale: theta, a positive number or a tensor of them.
            size: how many for each element of the broadcast parameters: dimensions in front of theirs; numbers alone have none,
                and without ``size`` give shape ``(1,)``.

        Returns:
            Tensor of the parameters' floating dtype; float32 for numbers.

        Raises:
            AssertionError: a number that is not positive, parameters that do not broadcast, or a tensor that is not on the device
                of a generator with a seed of its own.
            TypeError: a parameter that is neither number nor tensor.
            RuntimeError: tensors of integers or of different dtypes.

        Example:
            >>> rng = megengine.random.RNG(seed=1)
            >>> rng.gamma(Tensor([[1.0], [10.0]]), Tensor([1.0, 5.0]), size=3).shape
            (3, 2, 2)
        """
        return self._rejecting("gamma", ops.gamma, size, shape=shape, scale=scale)

    def beta(self, alpha: Tensor | float, beta: Tensor | float, size: Iterable[int] | int | None = None) -> Tensor:
        r"""Draw from the beta distribution, of density :math:`x^{\alpha-1} (1-x)^{\beta-1} / B(\alpha, \beta)` on (0, 1).

        Args:
            alpha: a positive number or a tensor of them.
            beta: a positive number or a tensor of them.
            size: as in :meth:`gamma`.

        Returns:
            Tensor of the parameters' floating dtype; float32 for numbers.

        Raises:
            AssertionError: as :meth:`gamma`.
            TypeError: as :meth:`gamma`.
            RuntimeError: as :meth:`gamma`.

        Example:
            >>> x = megengine.random.RNG(seed=1).beta(2, 1, size=(2, 2))
            >>> x.shape, bool((x < 1).numpy().all())
            ((2, 2), True)
        """
        return self._rejecting("beta", ops.beta, size, alpha=alpha, beta=beta)

    def poisson(self, lam: float | Tensor, size: Iterable[int] | int | None = None) -> Tensor:
        r"""Draw from the Poisson distribution, :math:`P(k) = \lambda^k e^{-\lambda} / k!`.

        Args:
            lam: the mean, a positive number or a tensor of them.
            size: as in :meth:`gamma`.

        Returns:
            Counts, as a tensor of the parameter's floating dtype; float32 for a number.

        Raises:
            AssertionError: as :meth:`gamma`.
            TypeError: as :meth:`gamma`.
            RuntimeError: as :meth:`gamma`.

        Example:
            >>> megengine.random.RNG(seed=1).poisson(Tensor([1.0, 10.0]), size=(1, 3)).shape
            (1, 3, 2)
        """
        return self._rejecting("poisson", ops.poisson, size, lam=lam)

    def _rejecting(self, kind: str, op: Any, size: Any, **parameters: Any) -> Tensor:
        """Draw by an op ``(state, *parameters) -> (state, drawn)``, with dimensions in front of the parameters' own."""
        operands = [_positive(kind, name, p) for name, p in parameters.items()]
        tensors = {name: p for name, p in parameters.items() if isinstance(p, Tensor)}
        device = next(iter(tensors.values())).device if self._device is None and tensors else self._where()
        for name, p in tensors.items():
            if p.device != device:
                raise AssertionError(f"{kind}: {name} is on {p.device}, the generator on {device}")
        dtypes = {np.dtype(p.dtype).name for p in tensors.values()} or {"float32"}
        if len(dtypes) > 1 or not all(p._value.aval.is_float for p in tensors.values()):
            raise RuntimeError(
                f"{kind}: the parameters must have one floating dtype, not {' and '.join(sorted(dtypes))}"
            )
        try:
            own = np.broadcast_shapes(*(p.shape for p in tensors.values()))
        except ValueError:
            shapes = " and ".join(str(p.shape) for p in tensors.values())
            raise AssertionError(f"{kind}: parameters of shapes {shapes} do not broadcast") from None
        try:
            front = () if size is None else _size(size)
        except RuntimeError as error:  # a ValueError here, in MegEngine
            raise ArgumentError(str(error)) from None
        shape = front + own or (1,)
        return self._draw(kind, op, *operands, device=resolve(device), shape=shape, dtype=dtypes.pop())

    def permutation(self, n: int | Tensor, *, dtype: str = "int32") -> Tensor:
        """A random order of ``0 .. n - 1``, or the rows of a tensor in a random order.

        Args:
            n: how many, or a tensor whose first dimension is shuffled.
            dtype: ``"int32"``, ``"int16"`` or ``"float32"``, of the order.

        Raises:
            AssertionError: not an int, a negative one, or an empty tensor.
            RuntimeError: another dtype, or one that cannot count to ``n``.

        Example:
            >>> sorted(megengine.random.RNG(seed=1).permutation(5).tolist())
            [0, 1, 2, 3, 4]
        """
        if isinstance(n, Tensor):
            if n.size == 0:
                raise AssertionError(f"permutation() takes a tensor with elements, this one has shape {n.shape}")
            return self._rows(
                n.reshape(1) if n.ndim == 0 else n,
                self._on_host("shuffle", Xoroshiro128.shuffle_indices, len(n) if n.ndim else 1),
            )
        if not isinstance(n, int) or n < 0:
            raise AssertionError(f"permutation({n!r}): give a count that is not negative, or a tensor")
        kind = np.dtype(dtype) if dtype in _ORDER_DTYPES else np.dtype(object)
        if kind.name not in ("int32", "int16", "float32") or n > {"int16": 2**15, "float32": 2**24}.get(
            kind.name, 2**31
        ):
            raise RuntimeError(
                f"permutation({n}, dtype={dtype!r}): write int32, int16 or float32, large enough for the count"
            )
        return self._constant(self._on_host("permutation", Xoroshiro128.permutation, int(n)).astype(kind), (int(n),))

    def shuffle(self, inp: Tensor) -> None:
        """Shuffle a tensor's first dimension in place.

        Raises:
            AttributeError: not a tensor.
            AssertionError: a tensor without elements.

        Example:
            >>> x = megengine.Tensor([1, 2, 3])
            >>> megengine.random.RNG(seed=1).shuffle(x)
            >>> sorted(x.tolist())
            [1, 2, 3]
        """
        if not isinstance(inp, Tensor):
            raise AttributeError(f"shuffle() takes a tensor, not {type(inp).__name__}")
        if inp.ndim == 0 or inp.size == 0:
            raise AssertionError(f"shuffle() takes a tensor with rows, this one has shape {inp.shape}")
        inp._reset(self._rows(inp, self._on_host("shuffle", Xoroshiro128.shuffle_indices, inp.shape[0])))

    def _dropout(self, inp: Tensor, drop_prob: Any) -> Tensor:
        """Drop elements where a draw from the stream of dropout is under ``drop_prob``, and scale the rest."""
        if _generator == "xorwow":
            return self._draw("dropout", ops.dropout, inp, drop_prob)
        drawn = self._constant(self._on_host("dropout", Xoroshiro128.uniform, int(np.prod(inp.shape))), inp.shape)
        dropped: Tensor = apply(ops.drop_where, inp, drawn, drop_prob)
        return dropped

    def _rows(self, inp: Tensor, order: np.ndarray) -> Tensor:
        index = self._constant(order.astype(np.int32), order.shape)
        spec = ("a",) + (":",) * (inp.ndim - 1)
        picked: Tensor = apply(getitem, inp, index, spec=spec)
        return picked

    def _constant(self, flat: np.ndarray, shape: tuple[int, ...]) -> Tensor:
        constant: Tensor = new_handle(host_value(np.ascontiguousarray(flat.reshape(shape)), self._where()))
        return constant


def _number(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x
    if not isinstance(x, (int, float, np.number)):
        raise RuntimeError(f"a parameter of a distribution is a number or a tensor, not {x!r}")
    return float(x)


def _positive(kind: str, name: str, x: Any) -> Any:
    if isinstance(x, Tensor):
        return x
    if isinstance(x, np.ndarray) and x.size == 1:
        x = x.item()
    if not isinstance(x, (int, float, np.number)):
        raise ArgumentError(f"{kind}: {name} must be a number or a tensor, not {x!r}")
    if not x > 0:
        raise AssertionError(f"{kind}: {name} must be positive, it is {x}")
    return float(x)


def _checked(seed: Any) -> int:
    if not isinstance(seed, (int, np.integer)):
        raise TypeError(f"a seed is an integer, not {seed!r}")
    if seed < 0:
        raise ValueError(f"a seed cannot be negative: {seed}")
    if seed >= 2**64:
        raise TypeError(f"a seed has 64 bits: {seed} is too large")
    return int(seed)


def _size(size: Any) -> tuple[int, ...]:
    if size is None:
        return (1,)
    if isinstance(size, str):
        raise RuntimeError(f"size={size!r} is not a shape")
    shape = as_shape(
        [int(n) if isinstance(n, float) else n for n in size] if isinstance(size, (tuple, list)) else size, "size"
    )
    if any(n < 0 for n in shape):
        raise RuntimeError(f"size={size}: a dimension cannot be negative")
    return shape


_shared = _Streams(int(time.time()))
_default = RNG()


def seed(seed: int) -> None:
    """Restart every stream of the module's functions, and of each :class:`RNG` made without a seed, from a seed.

    Args:
        seed: 0 .. 2^64 - 1.

    Raises:
        ValueError: a negative number.
        TypeError: not an integer, or too large.

    Example:
        >>> megengine.random.seed(20200325)
        >>> megengine.random.normal(0, 1, (3, 3))
        Tensor([[ 0.014   0.3366  0.877 ]
         [ 0.4073 -0.0031  0.2638]
         [-0.1826  1.4192  0.2758]], device=xpux:0)
    """
    _shared.restart(_checked(seed))


def draw_on_host(kind: str, count: int) -> np.ndarray:
    """Uniform numbers from a host generator of the module's streams, for what is no tensor."""
    with exclusive:
        return _shared.on_host(kind).uniform(count)


uniform = _default.uniform
normal = _default.normal
gamma = _default.gamma
beta = _default.beta
poisson = _default.poisson
permutation = _default.permutation
shuffle = _default.shuffle


def stream() -> RNG:
    """The generator behind the module's functions; dropout draws from a stream of it."""
    return _default
