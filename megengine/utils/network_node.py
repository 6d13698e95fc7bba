"""The nodes of graphs in files, under MegEngine's names; see :mod:`megengine.network.nodes`."""

from typing import Any

from ..network.building import BY_TYPE
from ..network.nodes import ConstOpBase, Host2DeviceCopy, ImmutableTensor, OpNode, ReadOnlyOpNode, SharedDeviceTensor
from ..network.variables import NetworkNode, VarNode

__all__ = [
    "ConstOpBase", "Host2DeviceCopy", "ImmutableTensor", "NetworkNode", "OpNode", "ReadOnlyOpNode", "SharedDeviceTensor",
    "VarNode", "str_to_mge_class", *sorted({cls.__name__ for cls in BY_TYPE.values()}),
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in BY_TYPE:
        return BY_TYPE[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def str_to_mge_class(classname: str) -> Any:
    """The class of operators of this name; one for all without a class of their own.

    Example:
        >>> from megengine.utils.network_node import str_to_mge_class
        >>> str_to_mge_class("Elemwise").type
        'Elemwise'
    """
    if classname == "RNGOpr<MegDNNOpr>":
        classname = "RNGOpr"
    own = {c.__name__: c for c in (Host2DeviceCopy, ImmutableTensor, SharedDeviceTensor)}
    found: Any = own.get(classname) or BY_TYPE.get(classname, ReadOnlyOpNode)
    return found
