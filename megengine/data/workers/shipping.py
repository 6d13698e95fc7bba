"""How a data set, its transform and its collator get to the workers, which are not forks of the program.

They are pickled, once a pass, so that workers see them as they are when the pass begins. What a fork would have taken along is
pickled by value: classes, functions and lambdas of the main program, of notebooks and of modules that a worker could not import.
Arrays lie beside the pickle in memory that all workers map, each with its own private changes, as after a fork; memory-mapped
files are mapped again.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import numpy as np

from .by_value import value_pickler
from .shared_memory import anonymous_file, layout
from .stand_ins import absent

__all__ = ["culprit", "foreign_modules", "pack", "unpack"]

Spans = list[tuple[int, int]]


def pack(value: Any) -> tuple[int, Spans]:
    """Pickles a value into memory that other processes can map.

    Args:
        value: anything.

    Returns:
        The memory's descriptor, and where in it the pickle and the arrays are.

    Raises:
        Exception: as pickling raises, if the value holds what belongs to this process: open files, locks, connections.

    Example:
        >>> import os
        >>> memory, spans = pack((np.arange(3), lambda x: x + 1))
        >>> array, increment = unpack(memory, spans)
        >>> os.close(memory)
        >>> increment(array)
        array([1, 2, 3])
    """
    pickled, buffers = _dump(value)
    parts = [memoryview(pickled), *(buffer.raw() for buffer in buffers)]
    spans, size = layout([len(part) for part in parts])
    memory = anonymous_file(size)
    try:
        for (start, _), part in zip(spans, parts, strict=True):
            while part:
                written = os.pwrite(memory, part, start)
                start, part = start + written, part[written:]
    except BaseException:
        os.close(memory)
        raise
    return memory, spans


def unpack(memory: int, spans: Spans) -> Any:
    """The value that :func:`pack` put there; its arrays are views of the memory, and writing to them stays in this process.

    Args:
        memory: the descriptor, which stays the caller's.
        spans: what :func:`pack` returned.
    """
    mapped = memoryview(mmap.mmap(memory, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE))
    pickled, *buffers = [mapped[start:end] for start, end in spans]
    return pickle.loads(pickled, buffers=buffers)


def culprit(value: Any, name: str) -> str:
    """Which attribute of an object cannot be pickled, as an expression for a message.

    Args:
        value: an object that cannot be.
        name: what the message calls it.

    Example:
        >>> import threading
        >>> class Guarded:
        ...     def __init__(self):
        ...         self.files, self.lock = ["a", "b"], threading.Lock()
        >>> culprit(Guarded(), "dataset")
        'dataset.lock'
    """
    for _ in range(8):
        for attribute, part in _parts(value):
            if not _is_packable(part):
                value, name = part, name + attribute
                break
        else:
            break
    return name


def _parts(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"[{key!r}]", part) for key, part in list(value.items())[:100]]
    if isinstance(value, list | tuple):
        return [(f"[{position}]", part) for position, part in enumerate(value[:100])]
    return [(f".{key}", part) for key, part in getattr(value, "__dict__", {}).items()]


def _is_packable(value: Any) -> bool:
    try:
        _dump(value)
    except Exception:
        return False
    return True


def _dump(value: Any) -> tuple[bytes, list[pickle.PickleBuffer]]:
    file, buffers = io.BytesIO(), list[pickle.PickleBuffer]()
    with foreign_modules() as by_value:

        class Pickler(value_pickler()):  # type: ignore[misc]
            def reducer_override(self, obj: Any) -> Any:
                kind = type(obj)
                if kind in (np.memmap, np.ndarray) and (reduced := _mapped_again(obj)) is not None:
                    return reduced
                if (tensor := sys.modules.get("megengine.tensor")) is not None and isinstance(obj, tensor.Tensor):
                    return absent, (f"a {kind.__name__} of shape {tuple(obj._tuple_shape)}",)
                by_value(obj)
                return super().reducer_override(obj)

        Pickler(file, 5, buffer_callback=buffers.append).dump(value)
    return file.getvalue(), buffers


@contextmanager
def foreign_modules() -> Iterator[Callable[[Any], None]]:
    """Gives what is told of each object that is pickled; modules of functions and classes that another process could not import
    are pickled by value inside the block."""
    import cloudpickle  # type: ignore[import-untyped]  # needed by few programs

    found: set[str] = set()

    def note(obj: Any) -> None:
        if isinstance(obj, FunctionType | type):
            module = getattr(obj, "__module__", None)
            if module in sys.modules and module not in found and not _importable(module):
                found.add(module)
                cloudpickle.register_pickle_by_value(sys.modules[module])

    try:
        yield note
    finally:
        for module in found:
            cloudpickle.unregister_pickle_by_value(sys.modules[module])


def _importable(name: str) -> bool:
    """Whether importing the module in another process gives the one that is loaded here."""
    module, (parent, _, _) = sys.modules.get(name), name.rpartition(".")
    if name == "__main__" or module is None or name in sys.builtin_module_names:
        return True  # nothing to find out: the pickler knows the first, and the others need no file
    path = None
    if parent:
        if not _importable(parent):
            return False
        path = getattr(sys.modules[parent], "__path__", None)
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = None if find is None else find(name, path)
        if spec is not None:
            file = getattr(module, "__file__", None)
            return file is None or spec.origin in (file, "frozen", "built-in")
    return False


def _mapped_again(array: np.ndarray) -> Any:
    """How another process gets at the same file, or None where the contents are not those of a file."""
    root: Any = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not isinstance(root, np.memmap) or root.mode == "c" or not isinstance(root.base, mmap.mmap):
        return None
    name = getattr(root, "filename", None)
    if name is None or not os.path.exists(name):
        return None
    start = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    where = (str(name), "r" if root.mode == "r" else "r+", root.offset, root.nbytes)
    return _map_file, (where, start, array.shape, array.dtype, array.strides)


def _map_file(where: tuple[str, Any, int, int], start: int, shape: Any, dtype: np.dtype, strides: Any) -> np.ndarray:
    name, mode, offset, size = where
    whole = np.memmap(name, np.uint8, mode, offset, (size,))
    return np.ndarray(shape, dtype, whole, start, strides)
