"""Embedding layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._help.ranges import integer
from ..functional.nn import embedding
from ..tensor import Parameter, Tensor
from . import init
from .module import Module


class Embedding(Module):
    """Embedding layer: vectors looked up by index, see :func:`~megengine.functional.nn.embedding`.

    The weight, of shape ``(num_embeddings, embedding_dim)``, starts with draws from the standard normal distribution.

    Args:
        num_embeddings: how many vectors.
        embedding_dim: their length.
        padding_idx: not supported by MegEngine either; leave None.
        max_norm: not supported by MegEngine either; leave None.
        norm_type: not supported by MegEngine either; leave None.
        initial_weight: start value of the weight. Default: drawn
        freeze: let no gradient flow to the weight. Default: False

    Raises:
        ValueError: one of the three is given, or ``initial_weight`` has another shape.

    Example:
        >>> layer = M.Embedding(3, 2, initial_weight=Tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
        >>> layer(Tensor([2, 0]))
        Tensor([[4. 5.]
         [0. 1.]], device=xpux:0)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float | None = None,
        initial_weight: Parameter | None = None,
        freeze: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("padding_idx", padding_idx), ("max_norm", max_norm), ("norm_type", norm_type)):
            if value is not None:
                raise ValueError(f"Embedding: {name}={value!r} is not supported, leave it None")
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.num_embeddings = integer("num_embeddings", num_embeddings, 0)
        self.embedding_dim = integer("embedding_dim", embedding_dim, 0)
        self.freeze = freeze
        shape = (self.num_embeddings, self.embedding_dim)
        if initial_weight is None:
            self.weight = Parameter(np.zeros(shape, np.float32))
            self.reset_parameters()
        elif tuple(initial_weight.shape) != shape:
            raise ValueError(f"Embedding: initial_weight has shape {tuple(initial_weight.shape)} instead of {shape}")
        else:
            self.weight = Parameter(initial_weight.numpy())

    def reset_parameters(self) -> None:
        """Draw the weight anew."""
        init.normal_(self.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        return embedding(inputs, self.weight.detach() if self.freeze else self.weight)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Parameter,
        freeze: bool | None = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float | None = None,
    ) -> Embedding:
        """An Embedding with the vectors of a table.

        Args:
            embeddings: the table ``(num_embeddings, embedding_dim)``.
            freeze: let no gradient flow to it. Default: True
            padding_idx: not supported by MegEngine either; leave None.
            max_norm: not supported by MegEngine either; leave None.
            norm_type: not supported by MegEngine either; leave None.

        Raises:
            ValueError: ``embeddings`` has another number of dimensions.

        Example:
            >>> layer = M.Embedding.from_pretrained(mge.Parameter([[0.0, 1.0], [2.0, 3.0]]))
            >>> layer(Tensor([1]))
            Tensor([[2. 3.]], device=xpux:0)
        """
        if len(embeddings.shape) != 2:
            raise ValueError(f"from_pretrained: embeddings must have 2 dimensions, not shape {tuple(embeddings.shape)}")
        rows, columns = embeddings.shape
        return cls(rows, columns, padding_idx, max_norm, norm_type, initial_weight=embeddings, freeze=bool(freeze))
