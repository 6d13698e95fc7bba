"""The graph of one call: recorded and not run, and what the call changed of tensors undone."""

from __future__ import annotations

import inspect
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import value
from .pictures.shown import MODELS, write_model
from .recorder import Recorder, thread
from .transcript import Transcribing, Transcript
from .value import Handle

if TYPE_CHECKING:
    from .pictures.picture import Picture


class ShownCalls:
    """What is called with tensors: ``show``, ``save`` and ``picture`` take example inputs of a call.

    A subclass says by ``_shown_call`` what is called and what it is named.
    """

    def _shown_call(self) -> tuple[Callable[..., Any], str]:
        raise NotImplementedError

    def picture(self, *inputs: Any, **kwargs: Any) -> Picture:
        """The computing graph of a call, as something to see, with shapes, lines and costs.

        The call is recorded and not run, unless its body reads values; what it changes of tensors is undone.

        Args:
            inputs: of the call; arrays become tensors.
            kwargs: of the call.

        Raises:
            RuntimeError: it is called while a traced function is being recorded.

        Example:
            >>> net = M.Linear(3, 2)
            >>> print(net.picture(np.ones((1, 3), np.float32)))  # doctest: +ELLIPSIS
            x: float32[1,3] = input
            weight: float32[2,3] = constant
            bias: float32[2] = constant
            %3: float32[1,2] = linear(x, weight, bias)    # ...
            return %3
        """
        call, title = self._shown_call()
        return picture_of(call, inputs, kwargs, title)

    def show(self, *inputs: Any, **kwargs: Any) -> None:
        """Show the graph of a call: in a notebook below the cell, elsewhere as a page in the browser, whose path is printed.

        Args:
            inputs: of the call; arrays become tensors.
            kwargs: of the call.

        Example:
            >>> M.Linear(3, 2).show(np.ones((1, 3), np.float32))  # doctest: +ELLIPSIS
            written to ...html
        """
        self.picture(*inputs, **kwargs).show()

    def save(self, path: str | os.PathLike[str], *inputs: Any, **kwargs: Any) -> Path:
        """Write the graph of a call: as a picture, ``.html``, ``.svg`` (by Graphviz), ``.dot`` or ``.txt``; or as a model,
        ``.onnx`` (see :func:`megengine.onnx.export`) or ``.stablehlo``.

        Args:
            path: of the file; what it ends in says the kind.
            inputs: of the call; arrays become tensors.
            kwargs: of the call.

        Returns:
            the path.

        Example:
            >>> M.Linear(3, 2).save("linear.dot", np.ones((1, 3), np.float32)).name
            'linear.dot'
        """
        path = Path(path)
        if path.suffix.lower() not in MODELS:
            return self.picture(*inputs, **kwargs).save(path)
        if kwargs:
            raise TypeError(f"save({path.name!r}) takes inputs by position, not {', '.join(kwargs)} by keyword")
        write_model(self._shown_call()[0], path, inputs)
        return path


class _Undoing(Transcribing):
    """Keeps what a call records, and what tensors held before it changed them."""

    def __init__(self, transcript: Transcript) -> None:
        super().__init__(transcript)
        self.before: list[tuple[Handle, str, Any]] = []
        self.changed: dict[int, Handle] = {}

    def wrote(self, handle: Handle) -> None:
        """The tensor comes to hold another value."""
        self.before += (handle, "_node", handle._node), (handle, "_value", handle._value)
        self.changed[id(handle)] = handle

    def wrote_grad(self, handle: Any) -> None:
        """The tensor gets another gradient."""
        self.before.append((handle, "_grad", handle._grad))

    def undo(self) -> None:
        """Give every tensor what it held."""
        deque(starmap(setattr, reversed(self.before)), 0)


def picture_of(call: Callable[..., Any], inputs: Sequence[Any], kwargs: Mapping[str, Any], title: str) -> Picture:
    """A picture of the graph that a call records; see :meth:`ShownCalls.picture`."""
    from .pictures.picture import Picture

    if thread.recorder.capture is not None:
        raise RuntimeError("a graph cannot be shown while a traced function is being recorded: show it outside")
    args, keywords = _as_tensors(tuple(inputs)), _as_tensors(dict(kwargs))
    tensors = list(_tensors((args, keywords)))
    tapes = thread.recorder.tapes
    transcript = Transcript(tensors)
    listener = _Undoing(transcript)
    try:
        transcript.begin()
        thread.recorder.capture = listener
        result = call(*args, **keywords)
        outside = [handle for handle in listener.changed.values() if id(handle) not in map(id, tensors)]
        transcript.finish([*_tensors(result), *outside])
    finally:
        thread.recorder.capture = None
        try:
            listener.undo()
        finally:
            listener.undo()  # an interrupt may have come before the first began
        transcript.end()
        thread.recorder = Recorder(thread.recorder.device, tapes)
    function, _, _ = transcript.function(_names(call, args, keywords))
    return Picture(function, title)


def _as_tensors(nested: Any) -> Any:
    if isinstance(nested, (np.ndarray, np.generic)):
        return value.handle_type(nested)  # type: ignore[call-arg]
    if isinstance(nested, Mapping):
        return {key: _as_tensors(item) for key, item in nested.items()}
    if isinstance(nested, (list, tuple)) and not hasattr(nested, "_fields"):
        return type(nested)(map(_as_tensors, nested))
    return nested


def _tensors(nested: Any) -> Iterator[Handle]:
    """The tensors in arguments or results, in order, each once."""
    if isinstance(nested, value.handle_type):
        yield nested
    elif isinstance(nested, Mapping):
        for item in nested.values():
            yield from _tensors(item)
    elif isinstance(nested, (list, tuple)):
        for item in nested:
            yield from _tensors(item)


def _names(call: Callable[..., Any], args: tuple[Any, ...], keywords: Mapping[str, Any]) -> list[str]:
    """The names of the arguments that the tensors are in, numbered where one holds several."""
    try:
        parameters = list(inspect.signature(getattr(call, "forward", call)).parameters.values())
    except (TypeError, ValueError):  # a function of C
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind == p.VAR_POSITIONAL), "input")
    named += [f"{rest}.{k}" for k in range(len(args) - len(named))]
    names = []
    for name, argument in (*zip(named, args, strict=False), *keywords.items()):
        inside = list(_tensors(argument))
        names += [name] if len(inside) == 1 else [f"{name}.{k}" for k in range(len(inside))]
    return names
