"""Graphs as StableHLO, for JAX and other runtimes of XLA."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .._support.files import replacing
from ..graph.exchange.stablehlo import stablehlo
from .models import at_two_sizes, model_of

PLATFORMS = ("cpu", "cuda", "tpu")


def export(
    target: Any,
    file: Any,
    args: Sequence[Any] | None = None,
    *,
    platforms: Sequence[str] = PLATFORMS,
    dynamic_batch: bool | str = False,
    arg_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> bytes:
    """Write what one call computes as StableHLO, with its weights, in the form of ``jax.export``.

    ``jax.export.deserialize`` reads it in a program that has JAX and not this package. The function there takes the
    inputs in their order and returns a tuple.

    Args:
        target, args: what to write, as of :func:`megengine.onnx.export`.
        file: a path, or a file open for writing bytes; None writes none.
        platforms: where it may run.
        dynamic_batch: leave open the size of the first dimension of the inputs; a string names it.
        arg_names, output_names: names of inputs and results, for messages.

    Returns:
        the bytes.

    Raises:
        GraphFileError: the call cannot be kept, or an op does not take a batch that is free.

    Example:
        >>> import jax
        >>> from megengine.jit.stablehlo import export
        >>> net = M.Linear(3, 2)
        >>> data = export(net, None, [np.ones((1, 3), "float32")], dynamic_batch=True)
        >>> function = jax.export.deserialize(bytearray(data))
        >>> function.platforms, function.in_avals
        (('cpu', 'cuda', 'tpu'), (ShapedArray(float32[batch,3]),))
        >>> x = np.float32([[1, 2, 3], [4, 5, 6]])
        >>> np.allclose(function.call(x)[0], net(Tensor(x)).numpy(), atol=1e-6)
        True
    """
    model, other = model_of(target, args, arg_names, output_names), None
    if dynamic_batch:
        model, other = at_two_sizes(target, args, model)
    data = stablehlo(model, other, platforms, dynamic_batch if isinstance(dynamic_batch, str) else "batch")
    if file is None:
        return data
    if isinstance(file, (str, os.PathLike)):
        with replacing(os.fspath(file)) as opened:
            opened.write(data)
    else:
        file.write(data)
    return data
