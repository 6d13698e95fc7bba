"""The VJP of an equation whose residuals are kept, in a later graph: an op of these arrays and of cotangents."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import jaxpr_as_fun

from ..ops.op import Op
from .caches import Cache
from .equations import Equation
from .identity import identity_of
from .symbols import is_symbolic
from .template import AtSizes
from .traced import Linearised, SharedForward, Traced, zero_cotangent
from .value import Aval

_changing = threading.Lock()
_ops = Cache(4096)
_gradients = Cache(4096)


class Pullback:
    """The VJP of an equation whose residuals are kept.

    Attributes:
        op: what its ops are derived from; one for all programs that keep residuals of such an equation, so that what uses it
            is the same too.
        sizes: the values of the symbols, where the op was traced with some.
    """

    __slots__ = ("op", "sizes", "_shared", "_outs")

    def __init__(self, equation: Equation, mask: tuple[int, ...], forward: Linearised) -> None:
        source = forward.source
        self._outs = equation.signature.avals
        self._shared: SharedForward | None = None
        self.sizes: tuple[tuple[int, ...], ...] = ()
        if isinstance(source, AtSizes) and isinstance(forward.forward, SharedForward):
            self._shared = forward.forward
            self.sizes = (source.values,)
            self.op = _op_of_shared(equation.op, self._shared)
        else:
            self.op = _op_of(equation, mask, forward)

    def gradient(self, need: tuple[int, ...], present: tuple[bool, ...]) -> Op:
        """The op of the residuals and the cotangents present, with ``sizes`` as attributes, that gives those of operands.

        Args:
            need: which of the operands differentiated.
            present: whether each result has a cotangent.
        """

        def make() -> Op:
            identity = identity_of(self.op.identity, (need, present))
            if self._shared is None:
                return _gradient(self.op, self._outs, need, present, identity)
            return _gradient_of_shared(self._shared, need, present, identity)

        found: Op = _gradients.get((self.op, need, present), make)
        return found


def _op_of(equation: Equation, mask: tuple[int, ...], forward: Linearised) -> Op:
    signature = equation.signature
    same = tuple(equation.inputs.index(v) for v in equation.inputs)
    leaves = tuple((a.shape, a.dtype) for a in forward.residuals)
    key = (signature.op, signature.attrs, signature.specs, same, mask, leaves)

    def make() -> Op:
        identity = identity_of(signature.op.identity, "pullback", *key[1:])
        return Op(f"{signature.op.name}.grad", _of_arrays(forward.forward.tree, signature.multi), identity=identity)

    found: Op = _ops.get(key, make)
    return found


def _of_arrays(tree: Any, multi: bool) -> Callable[..., Any]:
    def apply_pullback(arrays: Sequence[Any], cots: tuple[Any, ...]) -> Any:
        return jax.tree_util.tree_unflatten(tree, arrays)(cots if multi else cots[0])

    return apply_pullback


def _gradient(op: Op, outs: tuple[Aval, ...], need: tuple[int, ...], present: tuple[bool, ...], identity: str) -> Op:
    cotangents = sum(present)

    def gradient(*xs: Any) -> Any:
        count = len(xs) - cotangents
        given = iter(xs[count:])
        cts = tuple(next(given) if p else zero_cotangent(a) for p, a in zip(present, outs, strict=True))
        grads = op.lower(xs[:count], cts)
        return tuple(grads[k] for k in need)

    return Op(op.name, gradient, identity=identity)


def _op_of_shared(op: Op, shared: SharedForward) -> Op:
    with _changing:
        if shared.pullback is None:
            identity = identity_of(op.identity, "pullback", shared.identity) if shared.identity else ""
            shared.pullback = Op(f"{op.name}.grad", _refuse, identity=identity)
        return shared.pullback


def _refuse(*_: Any) -> Any:
    raise NotImplementedError("a pullback of symbolic sizes is not called itself")


def _gradient_of_shared(shared: SharedForward, need: tuple[int, ...], present: tuple[bool, ...], identity: str) -> Op:
    assert shared.pullback is not None

    def jaxpr(sizes: tuple[int, ...]) -> Traced:
        return shared.pulled_at(shared.template.at(sizes), need, tuple(not p for p in present))

    def gradient(*xs: Any, sizes: tuple[int, ...]) -> Any:
        if any(map(is_symbolic, sizes)):
            raise NotImplementedError("symbols of other symbols")
        return tuple(jaxpr_as_fun(jaxpr(sizes).closed)(*xs))

    return Op(shared.pullback.name, gradient, ("sizes",), jaxpr=jaxpr, identity=identity)
