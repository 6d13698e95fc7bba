"""Labelling tensors and modules as NHWC."""

from __future__ import annotations

from copy import deepcopy

from ..functional import copy
from ..module import Module
from ..tensor import Tensor


def convert_tensor_format(x: Tensor, inplace: bool = True) -> Tensor:
    """Label an image or a kernel as NHWC.

    The shape stays ``(N, C, H, W)`` and so do all numbers. In MegEngine the memory is rearranged too; here its layout is XLA's
    to choose, and the label, which results of images and kernels have too, is for programs that ask for it.

    Args:
        x: a tensor; one that does not have four or five dimensions is returned as it is.
        inplace: label ``x`` itself. Default: True; otherwise a copy, through which gradients flow

    Returns:
        The labelled tensor.

    Example:
        >>> image = megengine.amp.convert_tensor_format(F.ones((1, 3, 4, 5)))
        >>> image.format, image.shape
        ('nhwc', (1, 3, 4, 5))
    """
    if x.ndim not in (4, 5) or x.format == "nhwc":
        return x
    labelled = x if inplace else copy(x)
    labelled.format = "nhwc"
    return labelled


def convert_module_format(module: Module, inplace: bool = True) -> Module:
    """Label a module's parameters and buffers of four or five dimensions as NHWC, see :func:`convert_tensor_format`.

    Args:
        module: the module.
        inplace: change ``module`` itself. Default: True; otherwise a deep copy

    Returns:
        The module with labels.

    Example:
        >>> conv = megengine.amp.convert_module_format(M.Conv2d(3, 8, 3))
        >>> conv.weight.format, conv.weight.shape
        ('nhwc', (8, 3, 3, 3))
    """
    labelled = module if inplace else deepcopy(module)
    for _, tensor in labelled.named_tensors():
        convert_tensor_format(tensor)
    return labelled
