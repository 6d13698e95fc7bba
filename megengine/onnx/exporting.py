"""``export``: the graph of one call as an ONNX file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .._support.files import replacing
from ..jit.models import at_two_sizes, model_of
from .module import OnnxModule
from .package import OnnxError, onnx
from .writing import write
from .writing.model import DEFAULT, OLDEST

LIMIT = 2**31 - 1  # bytes that a file in protobuf holds


def export(
    target: Any,
    file: Any,
    args: Sequence[Any] | None = None,
    *,
    opset: int = DEFAULT,
    dynamic_batch: bool | str = False,
    arg_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> Any:
    """Write what one call computes as an ONNX model.

    Parameters and buffers become initializers under their names in the module; those that ONNX wants in another shape, such
    as the bias ``(1, C, 1, 1)`` of a convolution, have it. ``onnx.checker`` checks the model before it is written.

    Args:
        target: a module, in evaluation mode, or a function; a function traced with ``capture_as_const=True``, whose last call is
            taken where ``args`` is None; the path of a dump, or one open for reading; a ``Network``. What :func:`load` gave is
            written as it was read where ``args`` is None, with the weights as they are now, and the other options have no effect.
        file: a path, or a file open for writing bytes; None writes none. Of a model of more than 2 GiB the weights are in a file
            beside it, whose name has ``.data`` at the end.
        args: what to call it with: tensors and arrays, in lists and dictionaries too, become inputs.
        opset: the version of ONNX's operators, from 13.
        dynamic_batch: leave open the size of the first dimension of the inputs, those where it is as large as the first one's; a
            string names it. The call is then recorded at two batch sizes, and where a size differs it depends on the batch.
        arg_names: names of the inputs; default those of the parameters of ``forward`` or the function.
        output_names: names of the results; default the keys of a dictionary, else ``output``, or ``output_0`` and so on.

    Returns:
        the model, an ``onnx.ModelProto``.

    Raises:
        ModuleNotFoundError: the package ``onnx`` is not installed.
        OnnxError: an op has no form in ONNX; the message names it and its line.
        GraphFileError: the call cannot be kept: it reads values that it computes, or trains a batch norm.
        ValueError: an opset that is not supported.

    Example:
        >>> import io
        >>> from megengine import onnx
        >>> net = M.Sequential(M.Linear(3, 4), M.ReLU(), M.Linear(4, 2))
        >>> file = io.BytesIO()
        >>> model = onnx.export(net, file, [np.ones((2, 3), "float32")], arg_names=["x"], dynamic_batch=True)
        >>> [node.op_type for node in model.graph.node]
        ['Gemm', 'Relu', 'Gemm']
        >>> sorted(tensor.name for tensor in model.graph.initializer)
        ['0.bias', '0.weight', '2.bias', '2.weight']
    """
    newest = onnx().defs.onnx_opset_version()
    if not OLDEST <= opset <= newest:
        raise ValueError(f"opset is from {OLDEST} to {newest} with onnx {onnx().__version__}, not {opset}")
    if isinstance(target, OnnxModule) and args is None:
        return _checked(target.to_model(), file)
    first, other = model_of(target, args, arg_names, output_names), None
    if dynamic_batch:
        first, other = at_two_sizes(target, args, first)
    free = dynamic_batch if isinstance(dynamic_batch, str) else "batch"
    return _checked(write(first, opset, other, free), file)


def _checked(model: Any, file: Any) -> Any:
    """Check a model and write it; one of more than 2 GiB has its weights in a file beside it."""
    package, large = onnx(), model.ByteSize() > LIMIT
    if not large:
        package.checker.check_model(model, full_check=True)
        data = model.SerializeToString()
    if isinstance(file, (str, os.PathLike)):
        path = os.fspath(file)
        if large:
            copy = type(model)()
            copy.CopyFrom(model)
            package.save_model(copy, path, save_as_external_data=True, location=f"{os.path.basename(path)}.data")
            package.checker.check_model(path, full_check=True)
        else:
            with replacing(path) as opened:
                opened.write(data)
    elif file is not None:
        if large:
            raise OnnxError("a model of more than 2 GiB is written to a path, with its weights in a file beside it")
        file.write(data)
    return model
