"""Function: an operation with a gradient of the user's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..graph.errors import ArgumentError
from ..graph.guards import note_view
from ..graph.recorder import thread
from ..graph.source import warn_once
from ..graph.tape import GradNode, alias
from ..graph.value import Aval, Handle, new_handle


class _FunctionNode(GradNode):
    """The gradient node of a :class:`Function` call."""

    __slots__ = ("avals", "function")

    function: Function
    avals: list[Aval]  # of the inputs

    def pull(self, cots: list[Handle | None], need: tuple[int, ...]) -> Sequence[Handle | None]:
        """Cotangents of the inputs, from the user's ``backward``."""
        grads = self._checked(self.function.backward(*cots))
        return [grads[k] for k in need]

    def _checked(self, returned: Any) -> list[Handle | None]:
        """One gradient for each input, of its dtype; as in MegEngine, missing ones are None and those too many are dropped."""
        name = f"{type(self.function).__name__}.backward"
        single = returned is None or isinstance(returned, Handle) or not isinstance(returned, Iterable)
        grads = [returned] if single else list(returned)
        for grad in grads:
            if grad is not None and not isinstance(grad, Handle):
                raise ArgumentError(f"{name} returned {type(grad).__name__} as a gradient; write a Tensor or None")
        count = len(self.parents)
        if 0 < len(grads) < count and any(g is not None for g in grads):
            warn_once(name, f"{name} returned {len(grads)} gradients for {count} tensors: the last ones have none")
        elif any(g is not None for g in grads[count:]):
            warn_once(name, f"{name} returned {len(grads)} gradients for {count} tensors: the last ones are not used")
        for k, (grad, aval) in enumerate(zip(grads, self.avals, strict=False)):
            if grad is None:
                continue
            found, shape = grad._value.aval.shape, aval.shape
            if found != shape:
                warn_once(name, f"{name} returned a gradient of shape {found} for tensor {k}, which has shape {shape}")
            if aval.is_float and grad._value.aval.dtype != aval.dtype:
                grads[k] = grad.astype(aval.dtype)
        return [*grads[:count], *[None] * (count - len(grads))]


class Function:
    """Base of operations whose gradient the user writes.

    ``forward`` gets the tensors of the call and returns a tensor or a tuple of them. ``backward`` gets the cotangent of each
    result (None for one that the loss does not depend on) and returns one gradient, or None, for each tensor of the call; more
    are not used. Values that backward needs are kept on ``self``.

    Example:
        >>> class Sigmoid(megengine.autodiff.Function):
        ...     def forward(self, x):
        ...         self.y = 1 / (1 + F.exp(-x))
        ...         return self.y
        ...     def backward(self, dy):
        ...         return dy * self.y * (1 - self.y)
        >>> Sigmoid()(megengine.Tensor([0.0]))
        Tensor([0.5], device=xpux:0)
    """

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Compute the results; the subclass writes it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def backward(self, *output_grads: Any) -> Any:
        """Gradients of the tensor arguments from those of the results; the subclass writes it."""
        raise NotImplementedError(f"{type(self).__name__} has no backward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for k, a in enumerate(args):
            if not isinstance(a, Handle):
                name = type(self).__name__
                raise TypeError(f"op {name} expect type Tensor as inputs, got {type(a).__name__} as argument {k}")
        tensors = args
        before = thread.recorder.tapes
        thread.recorder.tapes = ()
        try:
            result = self.forward(*[alias(a) for a in args], **kwargs)
        finally:
            thread.recorder.tapes = before
        single = not isinstance(result, (tuple, list))
        results = [result] if single else result
        outs = tuple(new_handle(r._value) if isinstance(r, Handle) else r for r in results)
        for r, out in zip(results, outs, strict=True):
            if out is not r:
                note_view(r, out)
        parents = tuple(
            (t._node if t._node is not None and t._node.live() else None, t._slot if t._node is not None else 0)
            for t in tensors
        )
        if before and any(p is not None for p, _ in parents):
            node = _FunctionNode(before, parents, len(outs))
            node.function, node.avals = self, [t._value.aval for t in tensors]
            for slot, out in enumerate(outs):
                if isinstance(out, Handle) and out._value.aval.is_float:
                    out._node, out._slot = node, slot
        return outs[0] if single else outs

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
