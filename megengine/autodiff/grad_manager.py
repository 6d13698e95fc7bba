"""GradManager: which tensors to differentiate with respect to, and when to record."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from inspect import CO_GENERATOR
from opcode import opmap
from types import FrameType
from typing import TYPE_CHECKING, Any

from .._help.describe import plural
from .._help.names import no_attribute
from .._help.spellings import MANAGER
from ..graph.apply import apply
from ..graph.backward import backward
from ..graph.host_data import host_value, to_array
from ..graph.shared import claim, exclusive, publish
from ..graph.tape import GradNode, Tape, alias, attach
from ..graph.together import together
from ..graph.value import new_handle
from ..ops import shape
from ..tensor import Tensor
from .idle import clock, managers, warn_of_no_gradient

_WITH = opmap.get("BEFORE_WITH")
Callback = Callable[[Tensor, Tensor], Tensor]
Taker = Callable[[Tensor, Tensor], Callable[[], Tensor]]


class _Waiting:
    """A gradient that waits for those of other tensors, and the callbacks that come after."""

    __slots__ = ("tensor", "give", "rest")

    def __init__(self, tensor: Tensor, give: Callable[[], Tensor], rest: Iterator[Callback]) -> None:
        self.tensor = tensor
        self.give = give
        self.rest = rest

    def go_on(self, takers: dict[int, Taker]) -> Any:
        """What the other callbacks make of it."""
        return _called(self.tensor, self.give(), self.rest, takers)


class _Thread(threading.local):
    backwarding: GradManager | None = None


_thread = _Thread()


def get_backwarding_grad_manager() -> GradManager | None:
    """The manager whose :meth:`GradManager.backward` is running, for callbacks that ask."""
    return _thread.backwarding


class _Attached:
    """A tensor to differentiate with respect to, held weakly, and what to call with its gradient."""

    __slots__ = ("tensor", "callbacks")

    def __init__(self, tensor: weakref.ref[Tensor]) -> None:
        self.tensor = tensor
        self.callbacks: list[Callback] = []


class GradManager:
    r"""Computes vector-Jacobian products of what is recorded with respect to attached tensors.

    For outputs :math:`y_i` with cotangents :math:`dy_i`, each attached :math:`x_j` gets
    :math:`\sum_i dy_i\,\partial y_i/\partial x_j`, added to its ``grad``.

    Example:
        >>> w = megengine.Parameter([1.0, 2.0])
        >>> gm = megengine.autodiff.GradManager().attach(w)
        >>> with gm:
        ...     gm.backward((w * w).sum())
        >>> w.grad
        Tensor([2. 4.], device=xpux:0)
    """

    def __init__(self) -> None:
        self._attach_specs: dict[int, _Attached] = {}
        self._leaves: dict[GradNode, int] = {}
        self._tape: Tape | None = None
        self._block: tuple[int, FrameType, int] | None = None  # the thread, the frame and the place of `with`
        self._after_backward_callback: list[Callable[[], Any]] = []
        self._has_attached = False
        self._given: tuple[int, ...] = ()  # of the last backward pass that gave gradients: whose they are
        self._gave = self._told = 0  # when, and when it was said that there are none
        managers.add(self)

    def __repr__(self) -> str:
        attached = plural(len(self.attached_tensors()), "tensor")
        return f"{type(self).__name__}({attached} attached{', recording' if self._recording else ''})"

    def __del__(self) -> None:
        # One that is dropped while it records must not go on recording unseen.
        tape = self.__dict__.get("_tape")
        if tape is not None:
            tape.release()

    if not TYPE_CHECKING:  # type checkers shall see that a name is not there

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):
                return object.__getattribute__(self, name)  # a property failed: its own error
            raise no_attribute(self, name, MANAGER)

    @property
    def _recording(self) -> bool:
        return self._tape is not None

    def attached_tensors(self) -> list[Tensor]:
        """The tensors attached and still alive."""
        return [t for spec in list(self._attach_specs.values()) if (t := spec.tensor()) is not None]

    def attach(
        self, tensors: Tensor | Iterable[Tensor], callbacks: Callback | Iterable[Callback] | None = None
    ) -> GradManager:
        """Name tensors to differentiate with respect to, from now on and in every later recording.

        Args:
            tensors: a floating-point tensor or several; held weakly.
            callbacks: called with tensor and gradient in backward, returning the gradient to use; those of several calls add up.

        Returns:
            This manager.

        Raises:
            TypeError: nothing to go through, such as a module itself.
            AssertionError: not a tensor, or not of a floating-point dtype.
        """
        if callbacks is None:
            callbacks = []
        elif callable(callbacks):
            callbacks = [callbacks]
        callbacks = list(callbacks)
        if not isinstance(tensors, Iterable):
            hint = "; give its parameters: gm.attach(net.parameters())" if hasattr(tensors, "parameters") else ""
            hint = "; call it, as in gm.attach(net.parameters())" if callable(tensors) and not hint else hint
            raise TypeError(f"attach() takes tensors, not {type(tensors).__name__}{hint}")
        for tensor in [tensors] if isinstance(tensors, Tensor) else tensors:
            if not isinstance(tensor, Tensor):
                hint = "; give parameters: gm.attach(net.parameters())" if hasattr(tensor, "parameters") else ""
                raise AssertionError(f"attach() takes tensors, not {type(tensor).__name__}{hint}")
            if not tensor._value.aval.is_float:
                raise AssertionError(
                    f"only floating-point tensors have gradients; this one has dtype {tensor._value.aval.dtype.name}"
                )
            spec = self._attach_specs.get(id(tensor))
            if spec is None:
                self._has_attached = True
                spec = self._attach_specs[id(tensor)] = _Attached(self._weak(tensor))
                if self._tape is not None:
                    with exclusive:
                        self._leaves[attach(tensor, self._tape)] = id(tensor)
            spec.callbacks.extend(callbacks)
            for callback in callbacks:
                if (tell := getattr(callback, "attached", None)) is not None:
                    tell(tensor)
        return self

    def _weak(self, tensor: Tensor) -> weakref.ref[Tensor]:
        manager, key = weakref.ref(self), id(tensor)

        def forget(_: Any) -> None:
            alive = manager()
            if alive is not None:
                alive._attach_specs.pop(key, None)

        return weakref.ref(tensor, forget)

    def record(self) -> None:
        """Start recording; ``with gm:`` does so too.

        Raises:
            RuntimeError: it is recording already.
        """
        self._record_as(Tape())

    def _record_as(self, tape: Tape) -> None:
        if self._tape is not None:
            raise RuntimeError("this GradManager is recording already")
        try:
            self._tape = tape
            tape.start()
            with exclusive:
                for key, spec in list(self._attach_specs.items()):
                    tensor = spec.tensor()
                    if tensor is not None:
                        self._leaves[attach(tensor, self._tape)] = key
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Stop recording and forget what was recorded."""
        try:
            self._release()
        finally:
            self._release()  # an interrupt may have come amid the first

    def _release(self) -> None:
        if self._tape is not None:
            self._tape.release()
        self._tape = self._block = None
        self._leaves = {}

    def backward(self, y: Tensor | list[Tensor] | None = None, dy: Tensor | list[Tensor] | None = None) -> None:
        """Add the gradients of ``y`` to the ``grad`` of each attached tensor, and release what was recorded.

        Args:
            y: a tensor or several, recorded by this manager.
            dy: their cotangents, of the same shapes or single numbers; default ones.

        Raises:
            RuntimeError: nothing is being recorded, a cotangent has another shape, or there is another number of them.
            TypeError: an output is not a tensor.
        """
        if self._tape is None:
            raise RuntimeError(
                "backward() without a recording: call it inside `with gm:`, once, after the forward pass"
            )
        ys = [] if y is None else list(y) if isinstance(y, (tuple, list)) else [y]
        for output in ys:
            if not isinstance(output, Tensor):
                raise TypeError(f"backward() takes tensors, not {type(output).__name__}")
        before, _thread.backwarding = _thread.backwarding, self
        try:
            grads = self._gradients(ys, cotangents_of(ys, dy))
            if grads:
                self._gave, self._given = next(clock), tuple([key for key, _ in grads])
            elif ys and not self._gave:
                warn_of_no_gradient(self, ys)
            for callback in self._after_backward_callback:
                callback()
            with exclusive:
                claim(self._gradients_there([key for key, _ in grads]))
                together(self._add_to_tensors, grads)
                publish()
        finally:
            _thread.backwarding = before  # first: the call that follows may be interrupted before it begins
            self.release()

    def _gradients(self, ys: list[Tensor], dys: list[Tensor]) -> list[tuple[int, Tensor]]:
        assert self._tape is not None
        found: list[tuple[int, Any]] = []
        takers: dict[int, Taker] = {}
        for node, grad in backward(self._tape, list(zip(ys, dys, strict=True))).items():
            key = self._leaves.get(node)
            spec = self._attach_specs.get(key) if key is not None else None
            tensor = spec.tensor() if spec is not None else None
            if spec is None or tensor is None or key is None:
                continue
            found.append((key, _called(tensor, alias(grad), iter(spec.callbacks), takers)))
        while takers:
            takers = {}
            found = [(key, g.go_on(takers) if isinstance(g, _Waiting) else g) for key, g in found]
        return found

    def _gradients_there(self, keys: list[int]) -> list[Tensor]:
        """Gradients that tensors have already."""
        specs = [self._attach_specs.get(key) for key in keys]
        tensors = [spec.tensor() for spec in specs if spec is not None]
        return [t._grad for t in tensors if t is not None and t._grad is not None]

    def _add_to_tensors(self, grads: list[tuple[int, Tensor]]) -> None:
        for key, grad in grads:
            spec = self._attach_specs.get(key)
            tensor = spec.tensor() if spec is not None else None
            if tensor is None:
                continue
            if tensor.grad is None:
                tensor.grad = grad
            else:
                tensor.grad += grad

    def _register_after_backward_callback(self, callback: Callable[[], Any]) -> GradManager:
        self._after_backward_callback.append(callback)
        return self

    def __enter__(self) -> GradManager:
        frame = sys._getframe(1)
        if self._tape is not None and self._block_is_over(frame):
            self.release()
        if self._tape is None:
            self._block = threading.get_ident(), frame, frame.f_lasti
        self.record()
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()

    def _block_is_over(self, frame: FrameType | None) -> bool:
        """Whether the block that began last has ended without its end: an interrupt may come just before that begins."""
        if self._block is None or self._block[0] != threading.get_ident():
            return False
        _, block, place = self._block
        code = block.f_code
        if code.co_code[place] != _WITH or code.co_flags & CO_GENERATOR:  # which may wait in the midst of the block
            return False
        while frame is not None:
            if frame is block:
                return frame.f_lasti == place  # it begins again, which it cannot do within itself
            frame = frame.f_back
        return True

    def __or__(self, other: Any) -> GradManagerGroup:
        return GradManagerGroup([self]) | other


class GradManagerGroup:
    """Several managers that record and stop together, ``with gm1 | gm2:``, without recording each other's backward pass."""

    def __init__(self, gms: Iterable[GradManager]) -> None:
        self._gms = list(gms)

    def __repr__(self) -> str:
        return " | ".join(map(repr, self._gms))

    def merge_with(self, other: Any) -> GradManagerGroup:
        """A group of these managers and another, or those of another group: ``self | other``."""
        if isinstance(other, GradManager):
            return GradManagerGroup([*self._gms, other])
        if isinstance(other, GradManagerGroup):
            return GradManagerGroup([*self._gms, *other._gms])
        return NotImplemented

    __or__ = merge_with

    def __enter__(self) -> GradManagerGroup:
        together = Tape().level
        for gm in self._gms:
            gm._record_as(Tape(together))
        return self

    def __exit__(self, *exc: object) -> None:
        for gm in reversed(self._gms):
            gm.release()


def _called(tensor: Tensor, grad: Any, callbacks: Iterator[Callback], takers: dict[int, Taker]) -> Any:
    """What callbacks make of a gradient, up to the first that wants to see all gradients before it gives one.

    Args:
        tensor, grad: the tensor and its gradient.
        callbacks: those that come now; one that wants to see all has ``collect_gradients()``, which gives what takes them: each
            call of that says how to get what the gradient becomes.
        takers: what takes gradients in this pass, by the id of its callback.
    """
    for callback in callbacks:
        collect = getattr(callback, "collect_gradients", None)
        if collect is not None:
            taker = takers.get(id(callback)) or takers.setdefault(id(callback), collect())
            return _Waiting(tensor, taker(tensor, grad), callbacks)
        grad = callback(tensor, grad)
    return grad


def cotangents_of(ys: list[Tensor], dy: Any) -> list[Tensor]:
    if dy is None:
        return [_ones_like(y) for y in ys]
    dys = list(dy) if isinstance(dy, (tuple, list)) else [dy]
    if len(dys) != len(ys):
        raise RuntimeError(f"backward() got {len(ys)} outputs and {len(dys)} cotangents")
    checked = []
    for y, d in zip(ys, dys, strict=True):
        d = d if isinstance(d, Tensor) else new_handle(host_value(to_array(d, y.dtype), y.device))
        if d.shape != y.shape:
            if d.size != 1:
                raise RuntimeError(f"backward(): the cotangent has shape {d.shape}, its output {y.shape}")
            d = d.reshape(())._broadcast(y.shape)
        checked.append(d if d.dtype == y.dtype or not y._value.aval.is_float else d.astype(y.dtype))
    return checked


def _ones_like(y: Tensor) -> Tensor:
    ones: Tensor = apply(shape.full_like, y.detach(), 1.0)
    return ones
