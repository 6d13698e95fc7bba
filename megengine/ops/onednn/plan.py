"""Primitives of oneDNN in a row, ready to run on arrays of known shapes and layouts, and the cache of what was made ready."""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import nullcontext
from ctypes import c_void_p
from math import prod
from typing import Any

import numpy as np

from .library import Dims, ExecArg, Library, check, library
from .scratch import ALIGNMENT, scratch

BFLOAT16, FLOAT32, INT32, INT8, ANY = 2, 3, 4, 5, 1
SCRATCHPAD = 80
FROM, TO = 1, 17
_QUERY_SCRATCHPAD, _QUERY_NAME = 136, 8
# A plan of a large convolution has about a megabyte of code.
LIMIT = 512
# Multiplications from which on a second thread saves more than it takes to wake it and to wait for it. Threads of XLA's
# that call have helpers of their own, more than there are cores, which sleep between any two primitives.
WORTH_THREADS = 1 << 25


_NO_SCRATCH = nullcontext(0)


class Handle:
    """What the library made, destroyed with this object."""

    __slots__ = ("value", "_destroy")

    def __init__(self, kind: str, value: int, lib: Library) -> None:
        self.value = value
        self._destroy = lib.destroyer(kind)

    def __del__(self) -> None:
        self._destroy(self.value)


def dims(values: Sequence[int]) -> Any:
    """Numbers as oneDNN takes them."""
    return Dims(*values)


class Plan:
    """What computes an op: its primitives, with the memory that each reads and writes.

    Made by calling :meth:`argument`, :meth:`primitive` and so on in the order in which things happen; then run, by any
    number of threads at a time.

    Args:
        what: the op, for messages.
        arguments: how many arrays it is called with, operands and then results.
        products: about how many multiplications it takes; without it, many.
    """

    def __init__(self, what: str, arguments: int, products: int = WORTH_THREADS) -> None:
        lib = library()
        assert lib is not None
        self.what = what
        self.lib = lib
        self._alone = lib.single_thread if products < WORTH_THREADS else nullcontext
        self._turn = lib.single_thread if products < WORTH_THREADS else lambda: lib.one_at_a_time
        self.bytes = 0
        self.implementations: list[str] = []
        self._count = arguments
        self._descriptors: list[Handle] = []  # of each piece of memory, arguments first
        self._offsets: list[int] = []  # of those that are not arguments
        self._steps: list[tuple[Handle, list[tuple[int, int]]]] = []
        self._idle: list[_Instance] = []

    def described(self, shape: Sequence[int], strides: Sequence[int], dtype: int = FLOAT32) -> Handle:
        """The memory descriptor of an array with strides in elements."""
        made = self.lib.made("memory_desc_create_with_strides", len(shape), dims(shape), dtype, dims(strides))
        return Handle("memory_desc", made, self.lib)

    def undecided(self, shape: Sequence[int], dtype: int = FLOAT32) -> Handle:
        """A memory descriptor whose layout the library chooses."""
        made = self.lib.made("memory_desc_create_with_tag", len(shape), dims(shape), dtype, ANY)
        return Handle("memory_desc", made, self.lib)

    def queried(self, descriptor: Handle, query: int) -> Handle:
        """A memory descriptor that a primitive descriptor holds."""
        return self.queried_at(descriptor, query + 128, 0)

    def queried_at(self, descriptor: Handle, query: int, index: int) -> Handle:
        """One of several memory descriptors of a kind, by the library's number of the kind."""
        found = c_void_p()
        self.lib.call("primitive_desc_query", descriptor.value, query, index, ctypes.byref(found))
        return Handle("memory_desc", self.lib.made("memory_desc_clone", found), self.lib)

    def supported(self, name: str, *args: Any) -> Handle | None:
        """A primitive descriptor; None where the library has no implementation."""
        given = [a.value if isinstance(a, Handle) else a for a in args]
        with self._alone():
            made = self.lib.supported(f"{name}_primitive_desc_create", *given)
        return None if made is None else Handle("primitive_desc", made, self.lib)

    def required(self, name: str, *args: Any) -> Handle:
        """A primitive descriptor of an op that the library computes, or nothing does.

        Raises:
            NotImplementedError: the library has no implementation.
        """
        made = self.supported(name, *args)
        if made is None:
            raise NotImplementedError
        return made

    def argument(self, descriptor: Handle) -> int:
        """The next of the arrays that it is called with."""
        assert len(self._descriptors) < self._count
        self._descriptors.append(descriptor)
        return len(self._descriptors) - 1

    def layout_of(self, argument: int) -> Handle:
        """The memory descriptor of one of the arrays."""
        return self._descriptors[argument]

    def temporary(self, descriptor: Handle) -> int:
        """Memory that it has while it runs."""
        assert len(self._descriptors) >= self._count
        self._descriptors.append(descriptor)
        self._offsets.append(self.bytes)
        self.bytes += -(-self.lib.size(descriptor.value) // ALIGNMENT) * ALIGNMENT
        return len(self._descriptors) - 1

    def primitive(self, descriptor: Handle, memory: Mapping[int, int]) -> None:
        """Run a primitive on these pieces of memory."""
        with self._alone():
            made = Handle("primitive", self.lib.made("primitive_create", descriptor.value), self.lib)
        scratchpad = self.queried(descriptor, _QUERY_SCRATCHPAD - 128)
        arguments = list(memory.items())
        if self.lib.size(scratchpad.value):
            arguments.append((SCRATCHPAD, self.temporary(scratchpad)))
        self.implementations.append(self.implementation(descriptor))
        self._steps.append((made, arguments))

    def implementation(self, descriptor: Handle) -> str:
        """The library's name for how it computes a primitive."""
        name = ctypes.c_char_p()
        self.lib.call("primitive_desc_query", descriptor.value, _QUERY_NAME, 0, ctypes.byref(name))
        return (name.value or b"").decode()

    def reorder(self, source: int, target: int) -> None:
        """Copy one piece of memory to another of another layout."""
        engine = self.lib.engine
        one, other = self._descriptors[source], self._descriptors[target]
        descriptor = self.required("reorder", one, engine, other, engine, self.lib.attributes)
        self.primitive(descriptor, {FROM: source, TO: target})

    def read_as(self, memory: int, wanted: Handle) -> int:
        """The same values in the layout of a descriptor, for an operand."""
        if self.lib.equal(self._descriptors[memory].value, wanted.value):
            return memory
        copy = self.temporary(wanted)
        self.reorder(memory, copy)
        return copy

    def written_as(self, memory: int, wanted: Handle) -> tuple[int, Callable[[], None]]:
        """Memory in the layout of a descriptor, for a result, and what to call when that has been computed."""
        if self.lib.equal(self._descriptors[memory].value, wanted.value):
            return memory, lambda: None
        copy = self.temporary(wanted)
        return copy, lambda: self.reorder(copy, memory)

    def run(self, *pointers: int) -> None:
        """Compute.

        Args:
            pointers: where the arrays are.

        Raises:
            MemoryError, OneDNNError: it could not be computed.
        """
        try:
            instance = self._idle.pop()
        except IndexError:
            instance = _Instance(self)
        set_handle = self.lib.set_data_handle
        for memory, pointer in zip(instance.arguments, pointers, strict=True):
            set_handle(memory, pointer)
        execute, stream = self.lib.execute, instance.stream.value
        with self._turn(), scratch(self.bytes) if self.bytes else _NO_SCRATCH as base:
            for memory, offset in instance.temporaries:
                set_handle(memory, base + offset)
            for primitive, count, arguments in instance.steps:
                status = execute(primitive, stream, count, arguments)
                if status:
                    check(status, self.what)
        self._idle.append(instance)

    def __repr__(self) -> str:
        return f"<{self.what}: {', '.join(self.implementations)}>"


class _Instance:
    """What one thread at a time needs to run a plan."""

    def __init__(self, plan: Plan) -> None:
        lib = plan.lib
        self.stream = Handle("stream", lib.made("stream_create", lib.engine, 1), lib)
        memories = [lib.made("memory_create", d.value, lib.engine, None) for d in plan._descriptors]
        self._memories = [Handle("memory", m, lib) for m in memories]
        self.arguments = memories[: plan._count]
        self.temporaries = list(zip(memories[plan._count :], plan._offsets, strict=True))
        self.steps = [
            (
                primitive.value,
                len(arguments),
                (ExecArg * len(arguments))(*(ExecArg(a, memories[k]) for a, k in arguments)),
            )
            for primitive, arguments in plan._steps
        ]


_changing = threading.Lock()
_plans: OrderedDict[Hashable, Plan | None] = OrderedDict()
_asked_for: OrderedDict[Hashable, int] = OrderedDict()  # elements so far, where there is no plan


def cached(key: Hashable, make: Callable[[], Plan | None]) -> Plan | None:
    """The plan of a key, made when it is first asked for; None where the library cannot compute it."""
    with _changing:
        if key in _plans:
            _plans.move_to_end(key)
            return _plans[key]
    try:
        made = make()
    except NotImplementedError:
        made = None
    with _changing:
        made = _plans.setdefault(key, made)
        while len(_plans) > LIMIT:
            _plans.popitem(last=False)
    return made


def earned(key: Hashable, elements: int, price: int, make: Callable[[], Plan]) -> Plan | None:
    """As :func:`cached`, but None as long as there is no plan and it would not have paid: sizes may never come again.

    Args:
        key, make: as there.
        elements: how many elements it is asked for.
        price: how many elements a plan spares as much time on as it takes to make.
    """
    with _changing:
        if key in _plans:
            _plans.move_to_end(key)
            return _plans[key]
        asked = _asked_for.pop(key, 0) + elements
        if asked < price:
            _asked_for[key] = asked
            while len(_asked_for) > LIMIT:
                _asked_for.popitem(last=False)
            return None
    return cached(key, make)


def aligned(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An array that begins where a cache line does."""
    size = prod(shape) * np.dtype(dtype).itemsize
    block = np.empty(size + ALIGNMENT, np.uint8)
    start = -block.ctypes.data % ALIGNMENT
    return block[start : start + size].view(dtype).reshape(shape)


def strides_of(shape: Sequence[int], last: bool) -> tuple[int, ...]:
    """Strides, in elements, of a dense array ``(N, C, *sizes)`` whose channels lie behind the sizes, or in front of them."""
    if not last:
        return tuple(prod(shape[k + 1 :]) for k in range(len(shape)))
    channels, sizes = shape[1], shape[2:]
    return channels * prod(sizes), 1, *(channels * prod(sizes[k + 1 :]) for k in range(len(sizes)))
