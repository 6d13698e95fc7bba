"""Reaching into modules, under the name that MegEngine has for it."""

from ..module.access import get_expand_structure as get_expand_structure
from ..module.access import set_expand_structure as set_expand_structure
from ..module.access import set_module_mode_safe as set_module_mode_safe
from ..module.module import Module as Module
