"""What TensorBoard shows, written without TensorBoard: numbers, texts, histograms and graphs.

The messages are those of `summary.proto <https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/summary.proto>`_.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._support.tfevents import FIXED64, VARINT, EventWriter, key, message, varint
from ..graph.pictures.picture import Picture
from ..tensor import Tensor
from .graph_def import encoded

DT_STRING = 7


class SummaryWriter:
    """Writes what a training run wants to show to an event file in a folder; ``tensorboard --logdir`` reads it.

    Args:
        logdir: the folder; it is made if need be.
        purge_step: when a run goes on, the first step to be written again.

    Example:
        >>> import os
        >>> from megengine.utils.tensorboard import SummaryWriter
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with SummaryWriter(folder) as writer:
        ...         for step in range(3):
        ...             writer.add_scalar("loss", 1 / (step + 1), step)
        ...         writer.add_histogram("weight", F.arange(10), 2)
        ...     print(len(os.listdir(folder)))
        1
    """

    def __init__(self, logdir: str | os.PathLike[str], purge_step: int | None = None) -> None:
        Path(logdir).mkdir(parents=True, exist_ok=True)
        self._events = EventWriter(logdir, purge_step)

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int = 0) -> None:
        """Write one number.

        Args:
            tag: its name; a slash makes groups.
            scalar_value: a number or a tensor with one element.
            global_step: step of the training. Default: 0
        """
        self.add_scalars({tag: scalar_value}, global_step)

    def add_scalars(self, values: Mapping[str, Any], global_step: int = 0) -> None:
        """Write several numbers of one step.

        Args:
            values: numbers or tensors with one element, by name.
            global_step: step of the training. Default: 0
        """
        numbers = {tag: value.item() if isinstance(value, Tensor) else float(value) for tag, value in values.items()}
        self._events.add_scalars(numbers, global_step)

    def add_text(self, tag: str, text_string_list: str | Sequence[str], global_step: int = 0) -> None:
        """Write a text, or several as a column.

        Args:
            tag: its name.
            text_string_list: Markdown.
            global_step: step of the training. Default: 0
        """
        texts = [text_string_list] if isinstance(text_string_list, str) else list(text_string_list)
        shape = message(2, message(2, key(1, VARINT) + varint(len(texts))))
        tensor = key(1, VARINT) + varint(DT_STRING) + shape + b"".join(message(8, text.encode()) for text in texts)
        plugin = message(1, message(1, b"text"))
        self._events.add_value(message(1, tag.encode()) + message(9, plugin) + message(8, tensor), global_step)

    def add_histogram(self, tag: str, values: Any, global_step: int = 0, bins: int = 30) -> None:
        """Write how values are distributed.

        Args:
            tag: the name.
            values: a tensor or array of finite numbers.
            global_step: step of the training. Default: 0
            bins: into how many intervals of equal width they are counted. Default: 30

        Raises:
            ValueError: no values, or some are infinite or NaN.
        """
        array = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
        flat = array.astype(np.float64).reshape(-1)
        if not flat.size or not np.isfinite(flat).all():
            raise ValueError(f"add_histogram({tag!r}): {flat.size} values, {np.isfinite(flat).sum()} of them finite")
        counts, edges = np.histogram(flat, bins)
        facts = (flat.min(), flat.max(), flat.size, flat.sum(), (flat**2).sum())
        body = b"".join(key(k, FIXED64) + struct.pack("<d", fact) for k, fact in enumerate(facts, 1))
        for number, packed in ((6, edges[1:]), (7, counts)):
            body += message(number, np.asarray(packed, "<f8").tobytes())
        self._events.add_value(message(1, tag.encode()) + message(5, body), global_step)

    def add_graph(self, what: Any, *inputs: Any, **kwargs: Any) -> None:
        """Write a computing graph for the graph tab, with shapes, lines and costs; a file holds one.

        Args:
            what: a module or traced function, a picture of one, a graph that :func:`megengine.graph.watch` collected, or a
                ``Network``.
            inputs: of the call that is recorded, for a module or a function.
            kwargs: of that call.

        Example:
            >>> import os, tempfile
            >>> from megengine.utils.tensorboard import SummaryWriter
            >>> with tempfile.TemporaryDirectory() as folder, SummaryWriter(folder) as writer:
            ...     writer.add_graph(M.Linear(3, 2), np.ones((1, 3), np.float32))
            ...     writer.flush()
            ...     len(os.listdir(folder))
            1
        """
        picture = what if isinstance(what, Picture) else what.picture(*inputs, **kwargs)
        self._events.add_graph(encoded(picture.nodes))

    def flush(self) -> None:
        """Make what was written visible to readers."""
        self._events.flush()

    def close(self) -> None:
        """End the file."""
        self._events.close()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
