"""MegEngine's compiled module. Here: devices, the operators' base, the log."""

from ...graph.device import Device as CompNode
from ..ops.opdef import OpDef
from . import common, core2, ops, utils
from .utils import Logger

__all__ = ["CompNode", "Logger", "OpDef", "common", "core2", "ops", "utils"]
