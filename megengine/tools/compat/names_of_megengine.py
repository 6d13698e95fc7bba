"""Names that earlier MegEngine versions had and MegEngine 1.13 has not."""

from __future__ import annotations

import sys
from importlib import import_module

from .calls_of_numpy import has
from .own import nearest_own
from .table import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Used = Callable[..., None]


def mge(module: str, short: str) -> Library:
    """The entries of one module of the package."""
    return Library(f"megengine.{module}".rstrip("."), "MegEngine", short)


def _pad(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def pad(*args: Any, **kwargs: Any) -> Any:
        if "pad_witdth" in kwargs:
            used("(pad_witdth=)")
            kwargs["pad_width"] = kwargs.pop("pad_witdth")
        return present(*args, **kwargs)

    return pad


for _module, _short in (("functional", "F."), ("functional.nn", "F.nn."), ("functional.tensor", "F.")):
    mge(_module, _short).call("pad", "1.8", "pad_width=", has("pad_witdth"))(_pad)


@mge("data.dataloader", "").call("DataLoader.__init__", "1.11", "the call without divide=")
def _without_divide(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if "divide" in kwargs and nearest_own(sys._getframe(1)) is not None:
            used("(divide=)")
            del kwargs["divide"]
        present(self, *args, **kwargs)

    return __init__


def _free_ports(num: int) -> list[int]:
    sockets = []
    try:
        for _ in range(num):
            one = import_module("socket").socket()
            sockets.append(one)
            one.bind(("", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


mge("distributed", "dist.").add("get_free_ports", "1.2", "port 0, which takes a free one", lambda *_: _free_ports)
mge("distributed.helper", "").add("get_free_ports", "1.2", "port 0, which takes a free one", lambda *_: _free_ports)
for _module in ("data.dataset", "data.dataset.meta_dataset"):
    mge(_module, "").add("MapDataset", "1.2", "Dataset", lambda *_: sys.modules["megengine.data.dataset"].Dataset)

# What went with MegEngine 1.0 went with the way in which programs were written before it: there is advice alone.
F = mge("functional", "F.")
_BEFORE_ONE = {
    "add_axis": "write F.expand_dims", "remove_axis": "write F.squeeze", "dimshuffle": "write F.transpose",
    "power": "write F.pow", "cross_entropy": "write F.nn.cross_entropy", "cross_entropy_with_softmax": "write F.nn.cross_entropy",
    "binary_cross_entropy": "write F.nn.binary_cross_entropy", "accuracy": "write F.metric.topk_accuracy",
    "grad": "write autodiff.GradManager", "add_update": "assign to the tensor", "zero_grad": "write optimizer.clear_grad()",
    "batched_matrix_mul": "write F.matmul", "top_k": "write F.topk",
}  # fmt: skip
for _name, _instead in _BEFORE_ONE.items():
    F.lost("1.0", _instead, _name)
mge("functional.utils", "").lost("1.0", "write x.detach()", "zero_grad")
mge("core.tensor_nn", "").lost("1.0", "write megengine.Parameter", "Parameter")
mge("core.tensor_nn", "").lost("1.0", "write megengine.Tensor", "Buffer")
mge("core.tensor_factory", "").lost(
    "1.0", "write the same of megengine.functional", "zeros", "ones", "arange", "linspace"
)
TOP = mge("", "mge.")
TOP.lost("1.0", "write isinstance(x, mge.Tensor)", "is_tensor")
TOP.lost("1.0", "there is no graph to get or to make", "Graph", "get_default_graph")
mge("random", "random.").lost("1.0", "write random.normal", "gaussian")
mge("random", "random.").lost("1.0", "write random.seed", "manual_seed", "set_rng_seed")
