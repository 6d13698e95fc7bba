"""Recording: every call of an op becomes one step in the trie, and a pending value."""

from __future__ import annotations

from typing import Any
from weakref import ref

import numpy as np

from ..ops.op import Op
from . import precision, scopes
from . import value as _value_module
from .device import Device, resolve
from .flushing import evaluate, flush, flush_at_limit
from .host_data import as_operand
from .options import options
from .recorder import Recorder, thread
from .scalars import KIND, Shared, fitted, kind_of
from .source import Source, here
from .tape import track
from .trie import ROOT, Node, VjpCall, extend, extend_vjp
from .value import Aval, Handle, Symbol, Value, aval

_new = object.__new__


def apply(op: Op, /, *operands: Any, **named: Any) -> Any:
    """Record ``op(*operands)`` and return handles on its pending results.

    Args:
        op: an operator of the table.
        operands: handles, Python scalars, or what converts to a constant (arrays, lists).
        named: the op's static attributes, hashable.

    Raises:
        TypeError: an attribute is missing or unknown.
        RuntimeError: shapes, dtypes or devices do not fit; nothing is recorded then.
    """
    if op.autocast is not None and precision.ever_on:
        op = precision.cast(op)
    attrs = op.attrs
    if attrs or named:
        try:
            attrs = op.pick(named) if len(named) == len(attrs) else op.in_order(named)
        except KeyError:
            attrs = op.in_order(named)
    recorder = thread.recorder
    index = recorder.index
    key: list[Any] = [op, attrs]
    tracked = False
    device = recorder.device
    try:
        for x in operands:
            if isinstance(x, Handle):
                value = x._value
                device = value.device
                position: Any = index.get(value)
                if position is None:
                    if op.on_host is not None and type(value.array) is np.ndarray:
                        folded = _on_host(recorder, op, attrs, x)
                        if folded is not None:
                            return folded
                    position = _bind(recorder, value, x)
                    if position is None:
                        return _switch_device(recorder, op, operands, named)
                key.append(position)
                if x._node is not None:
                    tracked = True
            else:
                kind = KIND.get(type(x))
                if kind == "f":
                    if type(x) is Shared:
                        kind = recorder.source_of(x)
                    else:
                        recorder.floats.append(x)
                elif kind is not None:
                    if 0 <= x <= 127 or (-0x80000000 <= x <= 0x7FFFFFFF and not op.strict):
                        recorder.ints.append(x)
                    else:
                        number = fitted(op, attrs, operands, len(key) - 2)
                        if type(number) is float:
                            kind = "f"
                            recorder.floats.append(number)
                        else:
                            recorder.ints.append(number)  # type: ignore[arg-type]
                else:
                    recorder.rollback()
                    return apply(
                        op,
                        *[
                            y if isinstance(y, Handle) or kind_of(y) is not None else as_operand(y, operands)
                            for y in operands
                        ],
                        **named,
                    )
                key.append(kind)
        full = tuple(key)
        node = recorder.node.next.get(full)
        if node is None:
            if attrs and _held(attrs):
                recorder.rollback()
                return apply(op, *operands, **_as_numbers(op, attrs))
            node = extend(recorder.node, full, _tracked(operands) if tracked and recorder.tapes else ())
        recorder.sources.append(here(2))
        if recorder.scopes is not None:
            recorder.scopes.append(scopes.current())
        known = node.aval
        if known is not None:
            value = _new(Value)  # as Value(recorder, known, None, device), without the call
            value.recorder, value.aval, value.array, value.device = recorder, known, None, device
            index[value] = len(index)
            out: Any = _new(_value_module.handle_type)
            out._value = value
            out._node = None
        else:
            out = _results(recorder, node, device)
        recorder.node = node  # last: what was written down before an exception is none of the graph's
    except BaseException as error:
        recorder.rollback()
        if isinstance(error, TypeError) and _held(attrs):  # an array has no hash
            return apply(op, *operands, **_as_numbers(op, attrs))
        raise
    if tracked and recorder.tapes:
        track(recorder, op, node, operands, (out,) if known is not None else out)
    if node.depth >= recorder.limit:
        flush_at_limit(recorder)
    return out


def _held(attrs: tuple[Any, ...]) -> bool:
    """Whether there are tensors or arrays among attributes."""
    return any(isinstance(a, (Handle, np.ndarray)) for a in attrs)


def _as_numbers(op: Op, attrs: tuple[Any, ...]) -> dict[str, Any]:
    """Attributes by name, those that are tensors or arrays as the number or the numbers that they hold."""
    named = op.named(attrs)
    for name, attr in named.items():
        if isinstance(attr, (Handle, np.ndarray)):
            array = attr if isinstance(attr, np.ndarray) else attr.numpy()  # type: ignore[attr-defined]
            named[name] = array.item() if array.size == 1 else tuple(array.tolist())
    return named


def _tracked(operands: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple([k for k, x in enumerate(operands) if isinstance(x, Handle) and x._node is not None])


def _bind(recorder: Recorder, value: Value, handle: Handle) -> Aval | None:
    """Make a value from outside an input; returns its key, or None if it lives on another device or is symbolic."""
    if value.array is None:
        if isinstance(value, Symbol):
            return None
        evaluate(value)
    if value.device is not recorder.device and value.device.physical != recorder.device.physical:
        return None
    recorder.index[value] = len(recorder.index)
    if recorder.capture is not None:
        recorder.capture.bound(handle, value)
    return value.aval


def _on_host(recorder: Recorder, op: Op, attrs: tuple[Any, ...], x: Handle) -> Any:
    """The result for data that have not left the host, computed there at once; None where it has to be recorded."""
    if x._node is not None or recorder.capture is not None or options.eager or options.check_nan:
        return None
    assert op.on_host is not None
    value = x._value
    if not value.aval.is_plain:
        return None
    array = op.on_host(value.array, *attrs)
    if array is None:
        return None
    return _value_module.new_handle(Value(None, aval(array.shape, array.dtype), array, value.device))


def _results(recorder: Recorder, node: Node, device: Device) -> tuple[Any, ...]:
    outs = []
    index, cls = recorder.index, _value_module.handle_type
    for known in node.avals:
        value = Value(recorder, known, None, device)
        index[value] = len(index)
        out = _new(cls)
        out._value = value
        out._node = None
        outs.append(out)
    return tuple(outs)


def apply_vjp(
    number: int,
    linearised: tuple[int, ...],
    wrt: tuple[int, ...],
    cotangents: list[Handle | None],
    avals: tuple[Aval, ...],
    source: Source,
) -> tuple[Any, ...]:
    """Record the VJP of call ``number`` of the current graph."""
    recorder = thread.recorder
    key: list[Any] = [VjpCall, number, linearised, wrt]
    try:
        for cotangent in cotangents:
            if cotangent is None:
                key.append(None)
            else:
                position: Any = recorder.index.get(cotangent._value)
                key.append(_bind(recorder, cotangent._value, cotangent) if position is None else position)
        full = tuple(key)
        node = recorder.node.next.get(full)
        if node is None:
            node = extend_vjp(recorder.node, full, avals)
        recorder.sources.append(source)
        if recorder.scopes is not None:
            recorder.scopes.append(recorder.scopes[number])
        out = _results(recorder, node, recorder.device)
        recorder.node = node
    except BaseException:
        recorder.rollback()
        raise
    return out


def apply_on(device: str | Device | None, op: Op, /, *operands: Any, **named: Any) -> Any:
    """Record an op without tensor operands on a device of choice (None: the default device)."""
    wanted = resolve(device)
    if thread.recorder.device is not wanted and thread.recorder.device.physical != wanted.physical:
        _leave_for(wanted)
    out = apply(op, *operands, **named)
    for made in out if isinstance(out, tuple) else (out,):
        made._value.device = wanted
    return out


def _leave_for(device: Device) -> None:
    recorder = thread.recorder
    if recorder.node is not ROOT and recorder.device.physical != device.physical:
        flush("device")
    thread.recorder.device = device


def _switch_device(recorder: Recorder, op: Op, operands: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """An operand lives elsewhere: run what is pending here and go on there."""
    recorder.rollback()
    for x in operands:
        if isinstance(x, Handle) and isinstance(x._value, Symbol):
            return x._value.applies(op, operands, named)
    devices = {x._value.device.physical: x._value.device for x in operands if isinstance(x, Handle)}
    if len(devices) > 1:
        names = ", ".join(sorted(d.name for d in devices.values()))
        raise RuntimeError(f"{op.name}: operands are on different devices ({names}); move them with .to() or F.copy()")
    _leave_for(next(iter(devices.values())))
    return apply(op, *operands, **named)


def rebind(handle: Handle, other: Handle) -> None:
    """Make a handle hold the value of another, with its gradient history; undone if the graph that computes it fails."""
    old, recorder, undo = handle._value, thread.recorder, thread.undo
    if old.recorder is not recorder:
        entry = recorder.rebound.get(id(handle))
        if entry is None or entry[0]() is not handle:
            before = recorder.index.get(old, old)
            recorder.rebound[id(handle)] = ref(handle), before, handle._node, getattr(handle, "_slot", 0)
    if undo is not None:
        undo.append((handle, old, handle._node, handle._slot if handle._node is not None else 0))
    node = other._node
    handle._node = None
    handle._value = other._value
    if node is not None:
        handle._slot = other._slot
        handle._node = node
