"""``load``: an ONNX file as a module."""

from __future__ import annotations

import os
from typing import Any

from .module import OnnxModule
from .package import OnnxError, onnx


def load(file: Any) -> OnnxModule:
    """Read an ONNX model as a module, which is called with tensors or arrays.

    Weights are its parameters, running statistics its buffers, both under their names in the file. It comes in evaluation mode;
    after ``train()`` batch norms use and move their statistics and dropouts drop, where the file still has them.

    Args:
        file: a path, a file open for reading bytes, or an ``onnx.ModelProto``.

    Returns:
        the module; its results are one tensor, or a tuple.

    Raises:
        ModuleNotFoundError: the package ``onnx`` is not installed.
        OnnxError: the file is no model, or uses operators that are not supported; the message names them.

    Example:
        >>> import io
        >>> from megengine import onnx
        >>> net = M.Linear(3, 2)
        >>> file = io.BytesIO()
        >>> model = onnx.export(net, file, [np.ones((1, 3), "float32")])
        >>> _ = file.seek(0)
        >>> loaded = onnx.load(file)
        >>> sorted(name for name, _ in loaded.named_parameters())
        ['bias', 'weight']
        >>> loaded(np.ones((1, 3), "float32")).shape
        (1, 2)
    """
    package = onnx()
    if isinstance(file, package.ModelProto):
        return OnnxModule(file)
    try:
        model = package.load(os.fspath(file) if isinstance(file, os.PathLike) else file)
    except OSError:
        raise
    except Exception as error:  # what protobuf raises is of its own
        raise OnnxError(f"this is no ONNX model: {error}") from error
    if not model.HasField("graph"):
        raise OnnxError("this is no ONNX model: it has no graph")
    return OnnxModule(model)
