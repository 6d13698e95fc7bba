"""Switches of execution that programs set. Three of them do something here; XLA has taken over what the others decide.

======================================  =========================================================================
``async_level``                         0 runs op by op, 1 and 2 compile whole steps; errors name your line at each
``deterministic_kernel``                on a GPU, kernels that give the same bits each time; on a CPU all do
``benchmark_kernel``                    on a CPU, convolutions by what is measured to be fastest; GPUs measure always
``benchmark_with_subprocess``           kept: nothing is tried out in processes
``disable_memory_forwarding``           kept: the compiled program decides which results share memory
======================================  =========================================================================
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .graph.device import resolve
from .graph.flushing import flush
from .graph.options import options
from .graph.recorder import thread
from .logger import get_logger

__all__ = [
    "async_level", "benchmark_kernel", "benchmark_with_subprocess", "deterministic_kernel", "disable_memory_forwarding",
]  # fmt: skip

if TYPE_CHECKING:  # what the class below gives the module
    async_level: int
    benchmark_kernel: bool
    benchmark_with_subprocess: bool
    deterministic_kernel: bool
    disable_memory_forwarding: bool

logger = get_logger(__name__)

_DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


def _flag(value: Any, name: str) -> bool:
    if value not in (True, False):
        raise TypeError(f"config.{name} takes True or False, not {value!r}")
    return bool(value)


def _run_op_by_op(enabled: bool) -> None:
    flush("option")
    options.eager = enabled
    thread.recorder.reset_limit()


def _demand_same_bits(enabled: bool) -> None:
    """Tell XLA, which reads its flags when it opens the first device."""
    flags = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if flag != _DETERMINISTIC]
    os.environ["XLA_FLAGS"] = " ".join([*flags, *([_DETERMINISTIC] if enabled else [])])
    device = resolve("xpux")
    if device._jax_device is not None and device.platform == "gpu":
        logger.warning(
            "config.deterministic_kernel was set after the first computation, too late for this process: set it before, "
            "or start with the environment variable XLA_FLAGS=%s",
            _DETERMINISTIC,
        )


class _Config(ModuleType):
    """The module, with names that can be assigned to."""

    _async_level = 2
    _benchmark_kernel = False
    _benchmark_with_subprocess = False
    _deterministic_kernel = False
    _disable_memory_forwarding = False
    _mode = "default"
    _converts = True
    _eager_before = False

    @property
    def async_level(self) -> int:
        """How much runs behind the program: 0 nothing, each op runs when it is called; 1 and 2 whole steps. Default: 2

        Whatever the level, a wrong shape, dtype or argument raises at the line of the call.
        """
        return self._async_level

    @async_level.setter
    def async_level(self, level: int) -> None:
        if not isinstance(level, int):
            raise TypeError(f"config.async_level takes 0, 1 or 2, not {level!r}")
        if level not in (0, 1, 2):
            raise AssertionError(f"async_level should be 0, 1 or 2, not {level}")
        if (level == 0) != (self._async_level == 0):
            if level == 0:
                self._eager_before = options.eager
            _run_op_by_op(level == 0 or self._eager_before)
        self._async_level = level

    @property
    def deterministic_kernel(self) -> bool:
        """Whether a GPU is to use only kernels that give the same bits each time. Default: False

        To be set before the first computation. On a CPU all kernels do.
        """
        return self._deterministic_kernel

    @deterministic_kernel.setter
    def deterministic_kernel(self, option: bool) -> None:
        option = _flag(option, "deterministic_kernel")
        if option != self._deterministic_kernel:
            _demand_same_bits(option)
        self._deterministic_kernel = option
        self._choose_kernels(self._benchmark_kernel, option)

    @property
    def benchmark_kernel(self) -> bool:
        """Whether convolutions on a CPU are computed by what is measured to be fastest, and not by a rule. Default: False

        Each shape is measured once on a machine, when it is first met, for each of the two tiers: oneDNN and NumPy's
        products in the interpreter, oneDNN and XLA's algorithms in what is compiled. What was chosen is kept on disk beside the
        compiled programs, for this model of CPU, number of threads and these versions. It may be set at any time; programs
        that were made before come back when it is unset. Together with ``deterministic_kernel`` nothing is measured: results
        would differ in rounding as times do. On a GPU, XLA measures by itself when it compiles.
        """
        return self._benchmark_kernel

    @benchmark_kernel.setter
    def benchmark_kernel(self, option: bool) -> None:
        self._choose_kernels(_flag(option, "benchmark_kernel"), self._deterministic_kernel)

    def _choose_kernels(self, benchmark: bool, deterministic: bool) -> None:
        measured = benchmark and not deterministic
        if measured is not options.measured:
            flush("option")
        self._benchmark_kernel, options.measured = benchmark, measured

    @property
    def benchmark_with_subprocess(self) -> bool:
        """Kept. Nothing is tried out in processes of its own. Default: False"""
        return self._benchmark_with_subprocess

    @benchmark_with_subprocess.setter
    def benchmark_with_subprocess(self, option: bool) -> None:
        self._benchmark_with_subprocess = _flag(option, "benchmark_with_subprocess")

    @property
    def disable_memory_forwarding(self) -> bool:
        """Kept. The compiled program decides which results share memory. Default: False"""
        return self._disable_memory_forwarding

    @disable_memory_forwarding.setter
    def disable_memory_forwarding(self, disable: bool) -> None:
        self._disable_memory_forwarding = _flag(disable, "disable_memory_forwarding")

    @property
    def _compute_mode(self) -> str:
        """Kept: ``"default"`` or ``"float32"``."""
        return self._mode

    @_compute_mode.setter
    def _compute_mode(self, mode: str) -> None:
        if mode not in ("default", "float32"):
            raise ValueError(f"config._compute_mode={mode!r}: write default or float32")
        self._mode = mode

    @property
    def _auto_format_convert(self) -> bool:
        """Kept. Memory layouts are XLA's; a tensor's format is a label."""
        return self._converts

    @_auto_format_convert.setter
    def _auto_format_convert(self, option: bool) -> None:
        self._converts = _flag(option, "_auto_format_convert")

    @contextmanager
    def _override(
        self,
        benchmark_kernel: bool | None = None,
        deterministic_kernel: bool | None = None,
        async_level: int | None = None,
        compute_mode: str | None = None,
    ) -> Iterator[None]:
        """Other settings inside the ``with`` block, or in a function that this decorates.

        Example:
            >>> with megengine.config._override(async_level=0):
            ...     y = Tensor([1.0]) + 1
            >>> megengine.config.async_level
            2
        """
        wanted = {
            "benchmark_kernel": benchmark_kernel,
            "deterministic_kernel": deterministic_kernel,
            "async_level": async_level,
            "_compute_mode": compute_mode,
        }
        before = {name: getattr(self, name) for name, value in wanted.items() if value is not None}
        try:
            for name in before:
                setattr(self, name, wanted[name])
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)


sys.modules[__name__].__class__ = _Config
