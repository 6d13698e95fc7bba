"""Modules as graphs of the calls that they make: traced, searched, changed, saved and loaded without their source."""

from . import compat
from ._passes import optimize
from .builtins import register_all as _register_all
from .pytree import register_supported_type
from .tm_config import disable_default_checker, enable_expr_checker
from .traced_module import TracedModule, register_as_builtin, trace_module, wrap

_register_all()

__all__ = [
    "TracedModule", "compat", "disable_default_checker", "enable_expr_checker", "optimize", "register_as_builtin",
    "register_supported_type", "trace_module", "wrap",
]  # fmt: skip
