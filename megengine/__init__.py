"""A deep-learning framework with MegEngine's API, whose imperative programs run as compiled whole steps."""

import os as _os
import sys as _sys
from collections.abc import Mapping as _Mapping
from typing import TYPE_CHECKING as _TYPE_CHECKING

# Complaints of XLA's compiler are nothing that a user can act on; what fails is raised. It is read when jaxlib is loaded.
_os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from ._support.allocator import keep_memory as _keep_memory
from ._support.collecting import settle as _settle
from ._support.collecting import uncollected as _uncollected

_keep_memory()

with _uncollected():  # a collection would go through all that JAX holds, 50 ms, and find nothing
    from . import (
        amp,
        autodiff,
        config,
        core,
        device,
        dtr,
        functional,
        graph,
        logger,
        module,
        optimizer,
        random,
        serialization,
        utils,
    )
    from ._help.keywords import explain_constructors as _explain_constructors
    from ._help.keywords import explain_keywords as _explain_keywords
    from ._help.names import explain_names as _explain_names
    from ._help.paths import install as _install
    from ._help.public import present as _present
    from ._help.tracebacks import install as _shorten_tracebacks
    from .device import (
        coalesce_free_memory,
        get_allocated_memory,
        get_cuda_compute_capability,
        get_cuda_device_property,
        get_cuda_driver_version,
        get_cuda_version,
        get_cudnn_version,
        get_default_device,
        get_device_count,
        get_max_allocated_memory,
        get_max_reserved_memory,
        get_mem_status_bytes,
        get_reserved_memory,
        get_tensorrt_version,
        is_atlas_available,
        is_cambricon_available,
        is_cuda_available,
        is_rocm_available,
        reset_max_memory_stats,
        set_default_device,
        set_prealloc_config,
    )
    from .graph.flushing import full_sync as _full_sync  # private in MegEngine too, but public programs time with these
    from .graph.flushing import full_sync as _sync
    from .graph.pictures.shown import MODELS as _MODELS
    from .logger import enable_debug_log, get_logger, set_log_file, set_log_level
    from .serialization import load, save
    from .tensor import Parameter, Tensor, tensor
    from .version import __version__

    if _TYPE_CHECKING:  # imported when they are first asked for
        from . import data, distributed, hub, jit

_MODELS.update({".onnx": "megengine.onnx", ".stablehlo": "megengine.jit.stablehlo"})

__all__ = [
    "Parameter",
    "Tensor",
    "__version__",
    "_full_sync",
    "_sync",
    "amp",
    "autodiff",
    "coalesce_free_memory",
    "config",
    "data",
    "device",
    "distributed",
    "enable_debug_log",
    "dtr",
    "functional",
    "get_allocated_memory",
    "get_cuda_compute_capability",
    "get_cuda_device_property",
    "get_cuda_driver_version",
    "get_cuda_version",
    "get_cudnn_version",
    "get_default_device",
    "get_device_count",
    "get_logger",
    "get_max_allocated_memory",
    "get_max_reserved_memory",
    "get_mem_status_bytes",
    "get_reserved_memory",
    "get_tensorrt_version",
    "graph",
    "hub",
    "is_atlas_available",
    "is_cambricon_available",
    "is_cuda_available",
    "is_rocm_available",
    "jit",
    "load",
    "logger",
    "module",
    "optimizer",
    "random",
    "reset_max_memory_stats",
    "save",
    "serialization",
    "set_default_device",
    "set_log_file",
    "set_log_level",
    "set_prealloc_config",
    "tensor",
    "utils",
]


def _explain(modules: _Mapping[str, object]) -> None:
    """What errors of these modules say, and their second names."""
    _explain_names(modules)
    _install(modules)
    _explain_constructors(modules)


with _uncollected():
    _explain(_sys.modules)
    _present(_sys.modules, hidden=_shorten_tracebacks(), arrived=_explain)
    _explain_keywords(_sys.modules, Tensor)
    _settle()
