"""Pickling by value: functions and classes that another process cannot import, which stay where they were written.

cloudpickle sends their code. Since its release 3.1.3 it forgets which file that is from; a traceback names the file and shows its
line all the same here, also where there is no file: the cells of notebooks and what is typed at a prompt are sent along.
"""

from __future__ import annotations

import io
import linecache
import os
import pickle
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import CodeType, ModuleType
from typing import Any

__all__ = ["dump_by_value", "value_pickler"]


@cache
def value_pickler() -> type[pickle.Pickler]:
    """cloudpickle's pickler, with code that keeps its file."""
    import cloudpickle  # type: ignore[import-untyped]  # needed by few programs

    class ValuePickler(cloudpickle.Pickler):  # type: ignore[name-defined,misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._sources: dict[str, list[str] | None] = {}

        def reducer_override(self, obj: Any) -> Any:
            if isinstance(obj, ModuleType) and type(obj) is not ModuleType and sys.modules.get(obj.__name__) is obj:
                return import_module, (obj.__name__,)  # cloudpickle knows modules by their very class
            if type(obj) is not CodeType:
                return super().reducer_override(obj)
            name = obj.co_filename
            if name not in self._sources:
                self._sources[name] = None if os.path.exists(name) else linecache.getlines(name) or None
            return _load_code, (*self.dispatch_table[CodeType](obj)[:2], name, self._sources[name])

    return ValuePickler


def dump_by_value(value: Any, keep_inside: Callable[[pickle.PickleBuffer], bool | None]) -> bytes:
    """A pickle that a process can load which lacks the modules of the value's functions and classes.

    Args:
        value: anything.
        keep_inside: is given each buffer, and says whether it stays inside of the pickle.

    Raises:
        Exception: as pickling raises, if the value holds what belongs to this process.

    Example:
        >>> pickle.loads(dump_by_value(lambda x: x + 1, lambda buffer: True))(2)
        3
    """
    file = io.BytesIO()
    value_pickler()(file, 5, buffer_callback=keep_inside).dump(value)
    return file.getvalue()


def _load_code(make: Callable[..., CodeType], parts: Any, name: str, lines: list[str] | None) -> CodeType:
    if lines is not None and not os.path.exists(name):
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
    return make(*parts).replace(co_filename=name)
