"""What arrays themselves did in NumPy 1.23: one element as a number, wrapping around, the printed form of scalars."""

from __future__ import annotations

import sys

from .graft import use_python_slot
from .names_of_numpy import NUMPY, np
from .own import caller
from .table import ENTRIES, Library
from .types_of_numpy import understand_strings
from .uses import note

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

ARRAY = Library("numpy._core._multiarray_umath", "NumPy", "")
AS_NUMBER = {"__int__": int, "__float__": float, "__complex__": complex}


def _entry(name: str) -> Any:
    return ENTRIES[f"{ARRAY.module}.{name}"]


def _number(name: str, kind: type) -> Any:
    """``int(array)`` of one element in any number of dimensions."""

    def make(present: Any, used: Any) -> Any:
        def convert(self: Any) -> Any:
            if self.ndim and self.size == 1:
                frame = caller()
                if frame is not None:
                    note(_entry(f"ndarray.{name}"), frame, f"{kind.__name__}(array of one element)")
                    return kind(self.item())
            return present(self)

        return convert

    return make


for _name, _kind in AS_NUMBER.items():
    ARRAY.call(f"ndarray.{_name}", "2.4", "array.item()")(_number(_name, _kind))


@ARRAY.call("ndarray.__bool__", "2.2", "array.size > 0")
def _truth(present: Any, used: Any) -> Any:
    def truth(self: Any) -> bool:
        if self.size == 0:
            frame = caller()
            if frame is not None:
                note(_entry("ndarray.__bool__"), frame, "bool(empty array)")
                return False
        return bool(present(self))

    return truth


@ARRAY.call("ndarray.__setitem__", "2.4", "array.item(), or astype where numbers wrap around")
def _setitem(present: Any, used: Any) -> Any:
    def setitem(self: Any, key: Any, value: Any) -> None:
        try:
            present(self, key, value)
        except (ValueError, OverflowError):
            frame = caller()
            again = None if frame is None else _as_then(self, value)
            if again is None:
                raise
            what = (
                "array[i] = array of one element"
                if isinstance(value, np().ndarray)
                else "array[i] = number out of range"
            )
            note(_entry("ndarray.__setitem__"), frame, what)
            present(self, key, again)

    return setitem


def _as_then(array: Any, value: Any) -> Any:
    """What was assigned for a value that is refused today, or None."""
    if isinstance(value, np().ndarray):
        return value.reshape(()) if value.size == 1 and value.ndim else None
    if isinstance(value, int | list | tuple) and array.dtype.kind in "iu":
        return np().asarray(value).astype(array.dtype)
    return None


@ARRAY.after
def settle(module: ModuleType) -> None:
    """After the arrays' methods are in place: has NumPy's C code use them."""
    kind = sys.modules["numpy._core._multiarray_umath"].ndarray
    for name in ("__int__", "__float__", "__bool__"):
        use_python_slot(kind, name, "number", 36)
    use_python_slot(kind, "__setitem__", "mapping", 3)


@NUMPY.after
def as_printed(module: ModuleType) -> None:
    """``print([np.float32(0.5)])`` gives ``[0.5]`` in every thread, and dtype strings mean what they did."""
    of_all_threads = sys.modules.get("numpy._core.printoptions")
    if of_all_threads is not None:
        of_all_threads.default_format_options_dict["legacy"] = 125
    module.set_printoptions(legacy="1.25")
    understand_strings()
