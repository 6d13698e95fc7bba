"""A deep-learning framework with MegEngine's API, whose imperative programs run as compiled whole steps."""

from . import autodiff, data, device, functional, graph, jit, logger, module, optimizer, random
from .device import (
    get_allocated_memory,
    get_default_device,
    get_device_count,
    get_max_allocated_memory,
    get_mem_status_bytes,
    is_atlas_available,
    is_cambricon_available,
    is_cuda_available,
    is_rocm_available,
    set_default_device,
)
from .logger import enable_debug_log, get_logger, set_log_file, set_log_level
from .serialization import load, save
from .tensor import Parameter, Tensor, tensor
from .version import __version__

__all__ = [
    "Parameter",
    "Tensor",
    "__version__",
    "autodiff",
    "data",
    "device",
    "enable_debug_log",
    "functional",
    "get_allocated_memory",
    "get_default_device",
    "get_device_count",
    "get_logger",
    "get_max_allocated_memory",
    "get_mem_status_bytes",
    "graph",
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
    "save",
    "set_default_device",
    "set_log_file",
    "set_log_level",
    "tensor",
]
