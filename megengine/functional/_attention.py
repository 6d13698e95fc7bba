"""Multi-head attention, from projected queries, keys and values."""

from __future__ import annotations

from math import prod

import numpy as np

from ..random.rng import stream
from ..tensor import Tensor
from ._linalg import matmul
from ._picking import where
from ._shaping import broadcast_to
from .activation import softmax


def multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim: int,
    num_heads: int,
    attn_drop: float,
    out_drop: float,
    io_weight_bias: Tensor | None,
    qproj_size: int | None = None,
    kproj_size: int | None = None,
    vproj_size: int | None = None,
    oproj_size: int | None = None,
    qbias: bool = False,
    kbias: bool = False,
    vbias: bool = False,
    obias: bool = False,
    bias_k: Tensor | None = None,
    bias_v: Tensor | None = None,
    add_zero_attn: bool = False,
    key_padding_mask: Tensor | None = None,
    attn_mask: Tensor | None = None,
    need_weights: bool = False,
    average_attn_weights: bool = False,
    is_causal: bool = False,
    maybe_cudnn_style_mask: bool = False,
    reslink: bool = False,
    training: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Multi-head attention (Vaswani et al., Attention Is All You Need, 2017).

    Each head is ``softmax(q @ k.T / sqrt(d) + mask) @ v``, of its share of the projected query, key and value; the heads side by
    side are projected once more.

    Args:
        query: ``(N, L, embed_dim)``, or without the batch.
        key: ``(N, S, k)``.
        value: ``(N, S, v)``.
        embed_dim: size of the query; d is ``embed_dim / num_heads``.
        num_heads: how many heads share each projection. What is not projected goes to each head as a whole.
        attn_drop: probability that an attention weight is dropped.
        out_drop: probability that an element of the result is dropped.
        io_weight_bias: the matrices of query, key, value and output, then their biases, flat, one after the other. Matrices are
            (inputs, outputs).
        qproj_size: outputs of the query's projection, 0 for none; default ``embed_dim``.
        kproj_size: the same for the key.
        vproj_size: the same for the value.
        oproj_size: the same for the result.
        qbias: whether the query's projection has a bias.
        kbias: the same for the key.
        vbias: the same for the value.
        obias: the same for the result.
        bias_k: not supported by MegEngine either; leave None.
        bias_v: not supported by MegEngine either; leave None.
        add_zero_attn: not supported by MegEngine either; leave False.
        key_padding_mask: ``(N, S)``: True for keys that nobody attends to, or floats to add.
        attn_mask: ``(L, S)`` or ``(N * num_heads, L, S)``: True where attention is not allowed, or floats to add.
        need_weights: return the attention weights too, as they are after dropout.
        average_attn_weights: their mean over the heads.
        is_causal: without an ``attn_mask``, no attention to later positions; beside one, that mask counts.
        maybe_cudnn_style_mask: the masks are cuDNN's: ``attn_mask`` ``(2, L)``, the first key of each position and the one after
            its last, and ``key_padding_mask`` ``(2, N)``, how many positions and how many keys each example has.
        reslink: not supported by MegEngine either; leave False.
        training: whether anything is dropped.

    Returns:
        ``(N, L, oproj_size)``, and the weights ``(N * num_heads, L, S)``, averaged ``(N, L, S)``, or None.

    Raises:
        AssertionError: a shape or dtype that does not fit, a bias without projection, a probability outside [0, 1), or an option
            that is not supported.
        RuntimeError: ``io_weight_bias`` has another size, or projections that do not fit each other.

    Example:
        >>> x = F.arange(6).reshape(1, 3, 2)
        >>> out, weights = F.nn.multi_head_attention(x, x, x, 2, 1, 0.0, 0.0, F.ones((16,)), need_weights=True, is_causal=True)
        >>> out.shape, weights[0, 0]
        ((1, 3, 2), Tensor([1. 0. 0.], device=xpux:0))
    """
    _refuse_unsupported(add_zero_attn=add_zero_attn, bias_k=bias_k, bias_v=bias_v, reslink=reslink)
    for name, p in (("attn_drop", attn_drop), ("out_drop", out_drop)):
        if not 0 <= p < 1:
            raise AssertionError(f"multi_head_attention: {name} must be in [0, 1), it is {p}")
    batched = _check_inputs(query, key, value)
    if not batched:
        query, key, value = (x.reshape(1, *x.shape) for x in (query, key, value))
        if key_padding_mask is not None and key_padding_mask.ndim == 1:
            key_padding_mask = key_padding_mask.reshape(1, -1)
    sizes = [embed_dim if p is None else p for p in (qproj_size, kproj_size, vproj_size, oproj_size)]
    inner = sizes[2] or value.shape[2] * num_heads
    layers = _unpack(
        io_weight_bias, (embed_dim, key.shape[2], value.shape[2], inner), sizes, (qbias, kbias, vbias, obias)
    )
    q, k, v = (_heads(x, layer, num_heads) for x, layer in zip((query, key, value), layers[:3], strict=True))
    if q.shape[3] != k.shape[3]:
        raise RuntimeError(f"multi_head_attention: a head has {q.shape[3]} numbers a query, but {k.shape[3]} a key")
    scale = (embed_dim if sizes[0] == 0 else embed_dim // num_heads) ** -0.5
    scores = matmul(q, k, transpose_b=True) * scale
    make = _windows if maybe_cudnn_style_mask else _masks
    for mask in make(scores, attn_mask, key_padding_mask, is_causal):
        scores = scores + mask.astype(scores.dtype)
    weights = softmax(scores, -1)
    if training and attn_drop:
        weights = stream()._dropout(weights, attn_drop)
    out = matmul(weights, v).transpose(0, 2, 1, 3).reshape(query.shape[0], query.shape[1], -1)
    out = _project(out, layers[3])
    if training and out_drop:
        out = stream()._dropout(out, out_drop)
    out = out if batched else out[0]
    if not need_weights:
        return out, None
    if average_attn_weights:
        mean = weights.mean(axis=1)
        return out, mean if batched else mean[0]
    return out, weights.reshape(-1, *weights.shape[2:])


def _refuse_unsupported(**options: object) -> None:
    for name, value in options.items():
        if value is not None and value is not False:
            raise AssertionError(
                f"multi_head_attention: {name} is not supported; leave it {None if name[0] == 'b' else False}"
            )


def _check_inputs(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Whether there is a batch."""
    shapes = f"query {query.shape}, key {key.shape} and value {value.shape}"
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise AssertionError(
            f"multi_head_attention: query, key and value have 3 dimensions, or 2 without batch, not {shapes}"
        )
    if key.shape[:-1] != value.shape[:-1] or query.shape[:-2] != key.shape[:-2]:
        raise AssertionError(f"multi_head_attention: batch sizes and lengths do not fit: {shapes}")
    return query.ndim == 3


_Layer = tuple[Tensor | None, Tensor | None]


def _unpack(
    packed: Tensor | None, inputs: tuple[int, ...], outputs: list[int], biased: tuple[bool, ...]
) -> list[_Layer]:
    """Weight and bias of the four projections from the flat tensor; None where there is none."""
    names = ("query", "key", "value", "output")
    for name, size, bias in zip(names, outputs, biased, strict=True):
        if bias and not size:
            raise AssertionError(f"multi_head_attention: a bias of the {name} needs a projection of the {name}")
    shapes = [(i, o) for i, o in zip(inputs, outputs, strict=True)] + [
        (o if b else 0,) for o, b in zip(outputs, biased, strict=True)
    ]
    total = sum(map(prod, shapes))
    given = 0 if packed is None else packed.size
    if given != total:
        raise RuntimeError(
            f"multi_head_attention: io_weight_bias has {given} numbers, but weights {shapes[:4]} and biases "
            f"{[s[0] for s in shapes[4:]]} take {total}"
        )
    parts: list[Tensor | None] = []
    start = 0
    for shape in shapes:
        size = prod(shape)
        parts.append(packed.reshape(-1)[start : start + size].reshape(shape) if size and packed is not None else None)
        start += size
    return list(zip(parts[:4], parts[4:], strict=True))


def _project(x: Tensor, layer: _Layer) -> Tensor:
    weight, bias = layer
    if weight is None:
        return x
    if x.shape[-1] != weight.shape[0]:
        raise RuntimeError(f"multi_head_attention: an input of shape {x.shape} for a weight of shape {weight.shape}")
    y = matmul(x, weight)
    return y if bias is None else y + bias


def _heads(x: Tensor, layer: _Layer, num_heads: int) -> Tensor:
    """``(N, heads, length, size)``: a projection is divided among the heads, anything else goes to each of them."""
    n, length, _ = x.shape
    if layer[0] is None:
        return broadcast_to(x.reshape(n, 1, length, -1), (n, num_heads, length, x.shape[2]))
    y = _project(x, layer)
    if y.shape[2] % num_heads:
        raise RuntimeError(f"multi_head_attention: {y.shape[2]} outputs cannot be divided among {num_heads} heads")
    return y.reshape(n, length, num_heads, -1).transpose(0, 2, 1, 3)


def _masks(scores: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool) -> list[Tensor]:
    """What to add to scores ``(N, heads, L, S)``."""
    n, heads, length, keys = scores.shape
    found = []
    if attn_mask is not None:
        if attn_mask.shape not in ((length, keys), (n * heads, length, keys)):
            raise AssertionError(
                f"multi_head_attention: attn_mask of shape {attn_mask.shape}, not {(length, keys)} or {(n * heads, length, keys)}"
            )
        added = _additive(attn_mask, "attn_mask")
        found.append(added if attn_mask.ndim == 2 else added.reshape(scores.shape))
    elif is_causal:
        found.append(Tensor(np.triu(np.full((length, keys), -np.inf, np.float32), 1), device=scores.device))
    if key_padding_mask is not None:
        if key_padding_mask.shape != (n, keys):
            raise AssertionError(
                f"multi_head_attention: key_padding_mask of shape {key_padding_mask.shape}, not {(n, keys)}"
            )
        found.append(_additive(key_padding_mask, "key_padding_mask").reshape(n, 1, 1, keys))
    return found


def _additive(mask: Tensor, name: str) -> Tensor:
    kind = np.dtype(mask.dtype)
    if kind == np.bool_:
        return where(mask, -np.inf, 0.0)
    if not mask._value.aval.is_float:
        raise AssertionError(f"multi_head_attention: {name} holds bools or floats, not {kind.name}")
    return mask


def _windows(
    scores: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None, is_causal: bool
) -> list[Tensor]:
    """cuDNN's masks as what to add to scores."""
    n, _, length, keys = scores.shape
    if (
        attn_mask is None
        or key_padding_mask is None
        or attn_mask.shape != (2, length)
        or key_padding_mask.shape != (2, n)
    ):
        raise AssertionError(
            f"multi_head_attention: cuDNN's masks are an attn_mask of shape {(2, length)} and a key_padding_mask of shape "
            f"{(2, n)}"
        )
    position = Tensor(np.arange(keys, dtype=np.int32), device=scores.device)
    first, after = (attn_mask[i].reshape(length, 1) for i in range(2))
    outside = (position < first) | (position >= after)
    beyond = position >= key_padding_mask[1].reshape(n, 1, 1, 1)
    return [_additive(outside, "attn_mask"), _additive(beyond, "key_padding_mask")]
