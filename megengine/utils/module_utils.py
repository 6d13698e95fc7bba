"""Reaching into modules, under the name that MegEngine has for it."""

from ..module.access import get_expand_structure, set_expand_structure, set_module_mode_safe
from ..module.module import Module as Module

__all__ = ["get_expand_structure", "set_expand_structure", "set_module_mode_safe"]
