"""Ops as executables of their own: the first tier on GPUs and TPUs, where the host cannot compute.

An executable is made for an op's jaxpr with what costs XLA least, and serves every program that has an op of the same signature;
those used least recently go first. None belongs to a program, so shapes that change throw away nothing that is in use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
from jax.extend.core import jaxpr_as_fun

from .caches import Cache
from .counters import counters, counting
from .ranks import OfRanks
from .spent import spent
from .traced import Traced

LIMIT = 4096
# Options of the compiler by platform; one that does not take them compiles as usual.
_CHEAPEST: dict[str, dict[str, str | bool]] = {
    "cpu": {"xla_backend_optimization_level": "0", "xla_cpu_parallel_codegen_split_count": "1"},
    "gpu": {"xla_backend_optimization_level": "0", "xla_gpu_autotune_level": "0"},
    "tpu": {"xla_backend_optimization_level": "0"},
}
_executables = Cache(LIMIT)


def by_executable(traced: Traced, device: jax.Device) -> Callable[..., Sequence[Any]]:
    """What runs a jaxpr by an executable of its own, which is compiled when first called and again if it had to go meanwhile."""

    if isinstance(traced, OfRanks):
        return traced.interpreted

    def run(*arrays: Any) -> Sequence[Any]:
        executable = _executables.get((traced, device), lambda: _compiled(traced, device, arrays))
        outs: Sequence[Any] = executable(*arrays)
        return outs

    return run


def _compiled(traced: Traced, device: jax.Device, arrays: Sequence[Any]) -> Callable[..., Sequence[Any]]:
    start = time.perf_counter()
    place = jax.sharding.SingleDeviceSharding(device)  # for operands that are bound to it and for others alike
    function, options = jaxpr_as_fun(traced.closed), cheapest(device.platform)
    jitted = jax.jit(function, in_shardings=place, out_shardings=place, compiler_options=options)
    jitted.lower(*arrays).compile()  # calling it then compiles nothing more
    seconds = time.perf_counter() - start
    spent.compiling += seconds
    with counting:
        counters.ops_compiled += 1
        counters.compile_seconds += seconds
    return jitted


@cache
def cheapest(platform: str) -> dict[str, str | bool] | None:
    """The options that compile fastest on a platform; None where its compiler does not take them."""
    options = _CHEAPEST.get(platform)
    try:
        jax.jit(lambda x: x + 1, compiler_options=options).lower(jax.ShapeDtypeStruct((), "int32")).compile()
    except jax.errors.JaxRuntimeError:
        return None
    return options
