"""Reading pickles that hold data and nothing else: no file of a data set can run code."""

from __future__ import annotations

import os
import pickle
from typing import Any

__all__ = ["load_plain_pickle"]

_ALLOWED = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it holds a {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def load_plain_pickle(path: str | os.PathLike[str]) -> Any:
    """Reads a pickle of dicts, lists, tuples, strings, bytes, numbers and NumPy arrays.

    Args:
        path: the file; strings of Python 2 in it are read as bytes.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or holds anything else.

    Example:
        >>> from megengine.data.dataset.vision.plain_pickle import load_plain_pickle
        >>> load_plain_pickle("/dev/null")
        Traceback (most recent call last):
        ValueError: /dev/null is damaged, or not a plain pickle: Ran out of input
    """
    try:
        with open(path, "rb") as file:
            return _PlainUnpickler(file, encoding="bytes").load()
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {os.fspath(path)}") from None
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, ImportError, IndexError) as error:
        raise ValueError(f"{os.fspath(path)} is damaged, or not a plain pickle: {error}") from error
