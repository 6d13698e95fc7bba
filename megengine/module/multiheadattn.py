"""Multi-head attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._help.ranges import integer, within
from ..functional.nn import multi_head_attention
from ..tensor import Parameter, Tensor
from .init import xavier_uniform_
from .module import Module


class MultiHeadAttention(Module):
    """Multi-head attention (Vaswani et al., 2017), see :func:`~megengine.functional.nn.multi_head_attention`.

    Query, key and value are projected, each head attends with its share of them, and the heads side by side are projected once
    more. All weights and biases stand in one parameter, ``io_weight_bias`` of shape ``(1, ...)``: the matrices of query, key,
    value and output, then their biases. The matrices start with Xavier's uniform draws, the biases with zeros.

    Args:
        embed_dim: size of the query and the result.
        num_heads: how many heads share it.
        attn_dropout: probability that an attention weight is dropped. Default: 0
        out_dropout: probability that an element of the result is dropped. Default: 0
        bias: whether the projections have biases. Default: True
        add_bias_kv: not supported by MegEngine either; leave False.
        add_zero_attn: not supported by MegEngine either; leave False.
        kdim: size of the key. Default: ``embed_dim``
        vdim: size of the value. Default: ``embed_dim``

    Raises:
        AssertionError: the heads do not divide ``embed_dim``, or an option that is not supported.

    Example:
        >>> attention = M.MultiHeadAttention(4, 2)
        >>> x = Tensor(np.ones((1, 3, 4), "float32"))
        >>> out, weights = attention(x, x, x, need_weights=True)
        >>> out.shape, weights.shape
        ((1, 3, 4), (2, 3, 3))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        attn_dropout: float = 0.0,
        out_dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.embed_dim = integer("embed_dim", embed_dim, 1)
        self.kdim = self.embed_dim if kdim is None else integer("kdim", kdim, 1)
        self.vdim = self.embed_dim if vdim is None else integer("vdim", vdim, 1)
        self.num_heads = integer("num_heads", num_heads, 1)
        self.head_dim = self.embed_dim // self.num_heads
        if self.head_dim * self.num_heads != self.embed_dim:
            raise AssertionError(f"embed_dim must be divisible by num_heads, {embed_dim} is not by {num_heads}")
        for name, value in (("add_bias_kv", add_bias_kv), ("add_zero_attn", add_zero_attn)):
            if value:
                raise AssertionError(f"MultiHeadAttention: {name} is not supported, leave it False")
        self.add_bias_kv = add_bias_kv
        self.add_zero_attn = add_zero_attn
        self.attn_dropout = within("attn_dropout", attn_dropout, 0, 1)
        self.out_dropout = within("out_dropout", out_dropout, 0, 1)
        self.bias = bias
        self.weight_bias_len = self._weight_len() + (4 * self.embed_dim if bias else 0)
        self.io_weight_bias = Parameter(np.zeros((1, self.weight_bias_len), np.float32))
        self.bias_k: Parameter | None = None
        self.bias_v: Parameter | None = None
        self.reset_parameters()

    def _weight_len(self) -> int:
        return (2 * self.embed_dim + self.kdim + self.vdim) * self.embed_dim

    def reset_parameters(self) -> None:
        """Draw the weights anew and set the biases to zero."""
        xavier_uniform_(self.io_weight_bias)
        if self.bias:
            self.io_weight_bias[0, self._weight_len() :] = 0

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        attn_mask: Tensor | None = None,
        need_weights: bool = False,
        average_attn_weights: bool = False,
        is_causal: bool = False,
        maybe_cudnn_style_mask: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Compute the attention of queries to keys.

        Args:
            query: ``(N, L, embed_dim)``, or without the batch.
            key: ``(N, S, kdim)``.
            value: ``(N, S, vdim)``.
            key_padding_mask: ``(N, S)``: True for keys that nobody attends to, or floats to add.
            attn_mask: ``(L, S)`` or ``(N * num_heads, L, S)``: True where attention is not allowed, or floats to add.
            need_weights: return the attention weights too. Default: False
            average_attn_weights: their mean over the heads. Default: False
            is_causal: without an ``attn_mask``, no attention to later positions. Default: False
            maybe_cudnn_style_mask: the masks are cuDNN's. Default: False

        Returns:
            ``(N, L, embed_dim)``, and the weights ``(N * num_heads, L, S)``, averaged ``(N, L, S)``, or None.
        """
        return multi_head_attention(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.attn_dropout,
            self.out_dropout,
            self.io_weight_bias,
            qproj_size=self.embed_dim,
            kproj_size=self.embed_dim,
            vproj_size=self.embed_dim,
            oproj_size=self.embed_dim,
            qbias=self.bias,
            kbias=self.bias,
            vbias=self.bias,
            obias=self.bias,
            bias_k=self.bias_k,
            bias_v=self.bias_v,
            add_zero_attn=self.add_zero_attn,
            key_padding_mask=key_padding_mask,
            attn_mask=attn_mask,
            need_weights=need_weights,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
            maybe_cudnn_style_mask=maybe_cudnn_style_mask,
            training=self.training,
        )

    def _module_info_string(self) -> str:
        return (
            f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, attn_dropout={self.attn_dropout}, "
            f"out_dropout={self.out_dropout}, bias={self.bias}, kdim={self.kdim}, vdim={self.vdim}"
        )
