"""oneDNN's shared library: where it is found, how it is loaded, and its functions with the types of their arguments."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from ctypes import POINTER, c_char_p, c_float, c_int, c_int64, c_size_t, c_uint, c_void_p
from importlib import metadata
from pathlib import Path
from typing import Any

WHEEL = "onednn-cpu-gomp"
FILE = "libdnnl.so.3"
MAJOR = 3
OUT_OF_MEMORY, UNIMPLEMENTED = 1, 3
STATUS = {1: "out of memory", 2: "invalid arguments", 3: "not implemented", 5: "runtime error", 6: "not required"}
MOST_DIMENSIONS = 12
Dims = c_int64 * MOST_DIMENSIONS
# Threads of oneDNN that wait for work sleep soon: XLA's and NumPy's have the cores then. Each thread of XLA's that calls it has
# threads of its own, and once there are more than cores they would not wait at all, for each other within a call: "active"
# gives them half as long.
WAITING = {"GOMP_SPINCOUNT": "2000", "OMP_WAIT_POLICY": "active"}
# By threads of its own, or none; other builds need a thread pool or a SYCL queue of the caller.
RUNTIMES = {1: "one thread", 2: "OpenMP", 4: "TBB"}


class OneDNNError(RuntimeError):
    """A call of oneDNN failed."""


class ExecArg(ctypes.Structure):
    """``dnnl_exec_arg_t``."""

    _fields_ = [("arg", c_int), ("memory", c_void_p)]


class _Version(ctypes.Structure):
    _fields_ = [
        ("major", c_int),
        ("minor", c_int),
        ("patch", c_int),
        ("hash", c_char_p),
        ("cpu_runtime", c_uint),
        ("gpu_runtime", c_uint),
    ]


# ``dnnl_cpu_isa_t``: what AVX2-VNNI and AVX512-VNNI have and others do not.
_VNNI = 0x8 | 0x40
_OUT, _DIMS = POINTER(c_void_p), POINTER(c_int64)
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "engine_create": (_OUT, c_int, c_size_t),
    "stream_create": (_OUT, c_void_p, c_uint),
    "stream_destroy": (c_void_p,),
    "memory_desc_create_with_strides": (_OUT, c_int, _DIMS, c_int, _DIMS),
    "memory_desc_create_with_tag": (_OUT, c_int, _DIMS, c_int, c_int),
    "memory_desc_clone": (_OUT, c_void_p),
    "memory_desc_destroy": (c_void_p,),
    "memory_create": (_OUT, c_void_p, c_void_p, c_void_p),
    "memory_destroy": (c_void_p,),
    "memory_set_data_handle": (c_void_p, c_void_p),
    "primitive_attr_create": (_OUT,),
    "primitive_attr_destroy": (c_void_p,),
    "primitive_attr_set_scratchpad_mode": (c_void_p, c_int),
    "primitive_attr_set_post_ops": (c_void_p, c_void_p),
    "post_ops_create": (_OUT,),
    "post_ops_destroy": (c_void_p,),
    "post_ops_append_eltwise": (c_void_p, c_int, c_float, c_float),
    "post_ops_append_binary": (c_void_p, c_int, c_void_p),
    "primitive_desc_query": (c_void_p, c_int, c_int, c_void_p),
    "primitive_desc_destroy": (c_void_p,),
    "primitive_create": (_OUT, c_void_p),
    "primitive_destroy": (c_void_p,),
    "primitive_execute": (c_void_p, c_void_p, c_int, POINTER(ExecArg)),
    "reorder_primitive_desc_create": (_OUT, *[c_void_p] * 5),
    "convolution_forward_primitive_desc_create": (
        _OUT,
        c_void_p,
        c_int,
        c_int,
        *[c_void_p] * 4,
        *[_DIMS] * 4,
        c_void_p,
    ),
    "convolution_backward_data_primitive_desc_create": (
        *(_OUT, c_void_p, c_int),
        *[c_void_p] * 3,
        *[_DIMS] * 4,
        *[c_void_p] * 2,
    ),
    "convolution_backward_weights_primitive_desc_create": (
        *(_OUT, c_void_p, c_int),
        *[c_void_p] * 4,
        *[_DIMS] * 4,
        *[c_void_p] * 2,
    ),
    "lstm_forward_primitive_desc_create": (*(_OUT, c_void_p, c_int, c_int), *[c_void_p] * 11, c_uint, c_void_p),
    "lstm_backward_primitive_desc_create": (
        *(_OUT, c_void_p, c_int, c_int),
        *[c_void_p] * 22,
        c_uint,
        *[c_void_p] * 2,
    ),
    "pooling_forward_primitive_desc_create": (_OUT, c_void_p, c_int, c_int, *[c_void_p] * 2, *[_DIMS] * 5, c_void_p),
    "eltwise_forward_primitive_desc_create": (
        *(_OUT, c_void_p, c_int, c_int),
        *[c_void_p] * 2,
        *[c_float] * 2,
        c_void_p,
    ),
    "eltwise_backward_primitive_desc_create": (
        *(_OUT, c_void_p, c_int),
        *[c_void_p] * 3,
        *[c_float] * 2,
        *[c_void_p] * 2,
    ),
    "layer_normalization_forward_primitive_desc_create": (
        *(_OUT, c_void_p, c_int),
        *[c_void_p] * 3,
        *(c_float, c_uint, c_void_p),
    ),
    "layer_normalization_backward_primitive_desc_create": (
        *(_OUT, c_void_p, c_int),
        *[c_void_p] * 4,
        *(c_float, c_uint),
        *[c_void_p] * 2,
    ),
    "softmax_forward_primitive_desc_create": (_OUT, c_void_p, c_int, c_int, *[c_void_p] * 2, c_int, c_void_p),
}


class _SingleThread:
    """Entered for each call of a small primitive: a generator would take several times as long."""

    __slots__ = ("_limit", "_usual")

    def __init__(self, limit: Callable[[int], Any], usual: int) -> None:
        self._limit = limit
        self._usual = usual

    def __enter__(self) -> None:
        self._limit(1)

    def __exit__(self, *error: object) -> None:
        self._limit(self._usual)


_ALONE: AbstractContextManager[Any] = nullcontext()


class Library:
    """oneDNN's functions, without ``dnnl_`` in front of their names; a status that is no success raises.

    Attributes:
        version: such as ``"3.2.0"``.
        path: the file.
        engine: its CPU engine.
        exact_integers: whether sums of products of 8-bit integers are exact: without the processor's VNNI, pairs are saturated
            to 16 bits.
        one_at_a_time: held while primitives run that take several threads.
        attributes: of primitives: their scratchpads are the caller's, so that several threads may run one at a time.
    """

    def __init__(self, path: str) -> None:
        with _sleeping_soon():
            self._library = ctypes.CDLL(path)
        self.path = path
        self._library.dnnl_version.restype = POINTER(_Version)
        found = self._library.dnnl_version().contents
        self.version = f"{found.major}.{found.minor}.{found.patch}"
        if found.major != MAJOR or found.cpu_runtime not in RUNTIMES:
            raise OneDNNError(f"{path}: oneDNN {self.version} with runtime {found.cpu_runtime} cannot be used")
        for name, types in _SIGNATURES.items():
            function = getattr(self._library, f"dnnl_{name}")
            function.argtypes, function.restype = types, c_int
        self._library.dnnl_memory_desc_get_size.argtypes = (c_void_p,)
        self._library.dnnl_memory_desc_get_size.restype = c_size_t
        self._library.dnnl_memory_desc_equal.argtypes = (c_void_p, c_void_p)
        threads = getattr(self._library, "omp_get_max_threads", None)
        self._threads = 1 if threads is None else threads()
        # Two at a time would have twice the threads that there are cores, each waiting for others of its own.
        self.one_at_a_time: Any = threading.Lock() if self._threads > 1 else nullcontext()
        self.execute = self._library.dnnl_primitive_execute
        self.set_data_handle = self._library.dnnl_memory_set_data_handle
        self.exact_integers = bool(self._library.dnnl_get_effective_cpu_isa() & _VNNI)
        self.engine = self.made("engine_create", 1, 0)
        self.attributes = self.made("primitive_attr_create")
        self.call("primitive_attr_set_scratchpad_mode", self.attributes, 1)

    def single_thread(self) -> AbstractContextManager[Any]:
        """What this thread calls inside is done by it alone."""
        return _ALONE if self._threads == 1 else _SingleThread(self._library.omp_set_num_threads, self._threads)

    def call(self, name: str, *args: Any) -> None:
        """Call a function.

        Raises:
            MemoryError: there is none.
            OneDNNError: for any other status.
        """
        check(getattr(self._library, f"dnnl_{name}")(*args), name)

    def made(self, name: str, *args: Any) -> int:
        """What a function gives through its first argument."""
        made = c_void_p()
        self.call(name, ctypes.byref(made), *args)
        assert made.value
        return made.value

    def supported(self, name: str, *args: Any) -> int | None:
        """The same for a primitive descriptor; None where the library has no implementation."""
        made = c_void_p()
        status = getattr(self._library, f"dnnl_{name}")(ctypes.byref(made), *args)
        if status == UNIMPLEMENTED:
            return None
        check(status, name)
        return made.value

    def size(self, descriptor: int) -> int:
        """Bytes of what a memory descriptor describes."""
        return int(self._library.dnnl_memory_desc_get_size(descriptor))

    def equal(self, one: int, other: int) -> bool:
        """Whether two memory descriptors describe the same."""
        return bool(self._library.dnnl_memory_desc_equal(one, other))

    def destroyer(self, kind: str) -> Any:
        """The function that destroys handles of a kind."""
        return getattr(self._library, f"dnnl_{kind}_destroy")


def check(status: int, what: str) -> None:
    """Raise what a status means.

    Raises:
        MemoryError: out of memory.
        OneDNNError: any other status that is not success.
    """
    if status == OUT_OF_MEMORY:
        raise MemoryError(f"oneDNN: out of memory in {what}")
    if status:
        raise OneDNNError(f"oneDNN: {STATUS.get(status, f'status {status}')} in {what}")


@contextmanager
def _sleeping_soon() -> Iterator[None]:
    """OpenMP reads its settings from the environment when it is loaded; what the user set stays."""
    if not WAITING.keys().isdisjoint(os.environ):
        yield
        return
    os.environ.update(WAITING)
    try:
        yield
    finally:
        for name in WAITING:
            del os.environ[name]


def _candidates(setting: str) -> Iterator[str]:
    """Paths and names of the library, in the order in which they are tried."""
    if setting not in ("", "1", "on", "true"):
        yield setting
        return
    try:
        files = metadata.files(WHEEL) or []
    except metadata.PackageNotFoundError:
        files = []
    yield from (str(Path(str(f.locate())).resolve()) for f in files if f.name == FILE)
    yield str(Path(sys.prefix) / "lib" / FILE)
    yield FILE


_loading = threading.Lock()
_loaded: list[Library | None] = []


def library() -> Library | None:
    """oneDNN; None without it.

    ``MEGENGINE_ONEDNN=0`` does without, and any other value is the path of the library to use. Otherwise it is that of the
    wheel ``onednn-cpu-gomp`` or the system's.

    Raises:
        OneDNNError: ``MEGENGINE_ONEDNN`` names a library that cannot be used.
    """
    if not _loaded:
        with _loading:
            if not _loaded:
                _loaded.append(_load(os.environ.get("MEGENGINE_ONEDNN", "")))
    return _loaded[0]


def _load(setting: str) -> Library | None:
    if setting.lower() in ("0", "off", "false") or not sys.platform.startswith("linux"):
        return None
    failures = []
    for path in _candidates(setting):
        try:
            return Library(path)
        except (OSError, AttributeError, OneDNNError) as error:
            failures.append(str(error))
    if setting not in ("", "1"):
        raise OneDNNError(f"MEGENGINE_ONEDNN={setting}: {'; '.join(failures)}")
    return None


def identity() -> str:
    """What programs are compiled for: the version of oneDNN, or nothing without it."""
    found = library()
    return "" if found is None else f"oneDNN {found.version}"
