"""jit.trace: a function whose later calls run one compiled program and skip its Python body."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..graph.capture import Replay, capture_call
from ..graph.notes import not_replayable
from ..graph.options import options
from ..graph.precision import current as precision
from ..graph.record import thread
from ..tensor import Tensor

ATTEMPTS = 3  # calls whose body could not be replayed, after which it just runs
REPLAYS = 4  # programs kept for one kind of arguments: gradients there or not, other learning rates, other modes


class trace:
    """Run a function as one compiled program, found by recording its first calls.

    The first two calls with arguments of given shapes and dtypes run the body and record it. Later ones run the program
    directly and rebind what the body rebound: parameters, optimizer state, gradients, running statistics, random streams. What
    the body does besides tensors (printing, appending to lists) happens only while it is recorded. A body whose Python code
    reads tensor values runs each time instead, with the same results, unless ``symbolic=True``. Numbers in the parameter groups
    of optimizers that step inside, and modules' ``training`` flags, may change: the body is then recorded again, which compiles
    nothing new unless the graph differs.

    Args:
        function: the function; without it, ``trace(...)`` is a decorator.
        symbolic: refuse to read tensor values inside the body.
        capture_as_const: accepted; tensors from outside are always read at each call.
        record_only, sublinear_memory_config, dtr_config, profiling, opt_level: accepted for compatibility; XLA plans memory and
            optimises by itself.
        graph_opt_config, symbolic_shape, without_host, imperative: accepted likewise; shapes inside are plain tuples.

    Raises:
        TraceError: the body reads a tensor's value although ``symbolic=True``.

    Example:
        >>> @megengine.jit.trace(symbolic=True)
        ... def double(x):
        ...     return x * 2
        >>> for _ in range(3):
        ...     y = double(megengine.Tensor([1.0, 2.0]))
        >>> y
        Tensor([2. 4.], device=xpux:0)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if not args:
            return functools.partial(cls, **kwargs)
        return super().__new__(cls)

    def __init__(
        self,
        function: Callable[..., Any],
        symbolic: bool = False,
        capture_as_const: bool = False,
        record_only: bool = False,
        sublinear_memory_config: Any = None,
        dtr_config: Any = None,
        profiling: bool = False,
        opt_level: int = 2,
        graph_opt_config: Any = None,
        symbolic_shape: bool = True,
        without_host: bool = False,
        imperative: bool = False,
    ) -> None:
        if not callable(function):
            raise TypeError(f"trace() takes a function, not {type(function).__name__}")
        self.__wrapped__ = function
        functools.update_wrapper(self, function)
        self._symbolic = symbolic
        self._calls: dict[Any, _Signature] = {}

    def __repr__(self) -> str:
        name = getattr(self.__wrapped__, "__qualname__", None) or repr(self.__wrapped__)
        return f"trace({name}{', symbolic=True' if self._symbolic else ''})"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, running its compiled program where there is one."""
        if _run_plainly():
            return self.__wrapped__(*args, **kwargs)
        tensors: list[Any] = []
        key: Any = precision(), _flatten((args, kwargs) if kwargs else args, tensors)
        if len(tensors) > 1 and len({*map(id, tensors)}) < len(tensors):
            ids = [*map(id, tensors)]
            key = key, tuple(map(ids.index, ids))
        try:
            signature = self._calls.get(key)
        except TypeError:
            return self.__wrapped__(*args, **kwargs)
        if signature is None:
            signature = self._calls[key] = _Signature()
        if any(t._node is not None and t._node.live() for t in tensors):
            return self.__wrapped__(*args, **kwargs)
        doubted = None
        for replay in signature.replays:
            if replay.holds(tensors):
                if replay.has_as_its_own(tensors):
                    return self.__wrapped__(*args, **kwargs)
                if not replay.may_confuse(tensors):
                    return _unflatten(replay.structure, iter(replay(tensors)))
                doubted = replay
                break
        if signature.attempts >= ATTEMPTS and not signature.replays:
            return self.__wrapped__(*args, **kwargs)
        result, capture = capture_call(lambda: self.__wrapped__(*args, **kwargs), tensors, self._symbolic)
        signature.attempts += 1
        # The first call may differ: it creates state and holds what its caller made, so its program is not yet the settled one.
        if capture.valid() and signature.attempts > 1:
            results: list[Tensor] = []
            structure = _structure(result, results)
            signature.add(Replay(capture, results, structure), doubted)
        return result


class _Signature:
    """What is known about calls with arguments of one structure: the programs found, the newest first."""

    __slots__ = ("replays", "attempts")

    def __init__(self) -> None:
        self.replays: list[Replay] = []
        self.attempts = 0

    def add(self, replay: Replay, doubted: Replay | None) -> None:
        """Keep what a call gave; ``doubted`` would have served, were it sure that its arguments are nothing else besides."""
        self.attempts = 1
        if doubted is not None:
            replay.replaces(doubted)
            self.replays.remove(doubted)
        self.replays.insert(0, replay)
        del self.replays[REPLAYS:]


def _run_plainly() -> bool:
    graph = thread.graph
    return graph.capture is not None or bool(graph.tapes) or options.eager or options.check_nan


def _flatten(args: Any, tensors: list[Any]) -> Any:
    """A hashable key of nested arguments; tensors, by shape and dtype, are collected in order."""
    if isinstance(args, Tensor):
        tensors.append(args)
        return args._value.aval
    if isinstance(args, (tuple, list)):
        return type(args), tuple([_flatten(a, tensors) for a in args])
    if isinstance(args, dict):
        return dict, tuple([(k, _flatten(v, tensors)) for k, v in args.items()])
    return type(args), args


def _structure(result: Any, tensors: list[Tensor]) -> Any:
    """The result with its tensors taken out."""
    if isinstance(result, Tensor):
        tensors.append(result)
        return _SLOT
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*(_structure(r, tensors) for r in result))
    if isinstance(result, (tuple, list)):
        return type(result)(_structure(r, tensors) for r in result)
    if isinstance(result, dict):
        return type(result)((k, _structure(v, tensors)) for k, v in result.items())
    return result


def _unflatten(structure: Any, tensors: Iterator[Any]) -> Any:
    if structure is _SLOT:
        return next(tensors)
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*(_unflatten(s, tensors) for s in structure))
    if isinstance(structure, (tuple, list)):
        return type(structure)(_unflatten(s, tensors) for s in structure)
    if isinstance(structure, dict):
        return type(structure)((k, _unflatten(v, tensors)) for k, v in structure.items())
    return structure


class _Slot:
    """Stands for a tensor in the structure of a result."""


_SLOT = _Slot()


_symbolic_shape = False


def set_symbolic_shape(option: bool) -> bool:
    """Kept for old programs: shapes are always tuples of ints. Returns the setting before."""
    global _symbolic_shape
    before, _symbolic_shape = _symbolic_shape, bool(option)
    return before


@contextmanager
def exclude_from_trace() -> Iterator[None]:
    """Inside a traced function: code that must run at every call, so the whole body does.

    Example:
        >>> calls = []
        >>> @megengine.jit.trace
        ... def f(x):
        ...     with megengine.jit.exclude_from_trace():
        ...         calls.append(x.shape)
        ...     return x + 1
        >>> for _ in range(5):
        ...     y = f(megengine.Tensor([1.0]))
        >>> len(calls)
        5
    """
    not_replayable("exclude_from_trace")
    yield
