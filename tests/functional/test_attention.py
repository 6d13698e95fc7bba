"""Attention: what MegEngine answers only with cuDNN, or not at all, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor, random
from megengine.autodiff import GradManager

N, L, S, E, H = 2, 3, 5, 4, 2
_rng = np.random.default_rng(0)
Q, K, V = (_rng.normal(size=(N, n, E)).astype(np.float32) for n in (L, S, S))
W = _rng.normal(size=4 * E * E).astype(np.float32) / 2


def expected(mask: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Output and weights ``(N, H, L, S)`` with ``mask`` added to the scores."""
    wq, wk, wv, wo = W.reshape(4, E, E)
    q, k, v = ((x @ w).reshape(N, -1, H, E // H).transpose(0, 2, 1, 3) for x, w in ((Q, wq), (K, wk), (V, wv)))
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(E // H) + mask
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return (weights @ v).transpose(0, 2, 1, 3).reshape(N, L, E) @ wo, weights


def attend(**options: object) -> tuple[np.ndarray, np.ndarray]:
    out, weights = F.nn.multi_head_attention(
        Tensor(Q), Tensor(K), Tensor(V), E, H, 0.0, 0.0, Tensor(W), need_weights=True, **options
    )
    return out.numpy(), weights.numpy().reshape(N, H, L, S)


def assert_as_expected(mask: np.ndarray | float, **options: object) -> None:
    for ours, right in zip(attend(**options), expected(mask), strict=True):
        np.testing.assert_allclose(ours, right, rtol=1e-4, atol=1e-5)


FORBIDDEN = np.array([[0, 1, 0, 0, 1], [1, 0, 0, 0, 0], [0, 0, 0, 1, 1]], bool)
PADDING = np.array([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]], bool)
CAUSAL = np.triu(np.ones((L, S), bool), 1)


def added(*forbidden: np.ndarray) -> np.ndarray:
    return sum((np.where(f, -np.inf, 0) for f in forbidden), np.zeros(()))


def test_bool_masks() -> None:
    padding = PADDING[:, None, None]
    assert_as_expected(added(FORBIDDEN), attn_mask=Tensor(FORBIDDEN))
    assert_as_expected(added(padding), key_padding_mask=Tensor(PADDING))
    each = np.stack([FORBIDDEN, FORBIDDEN[:, ::-1]] * N)
    assert_as_expected(
        added(each.reshape(N, H, L, S), padding), attn_mask=Tensor(each), key_padding_mask=Tensor(PADDING)
    )


def test_causal() -> None:
    assert_as_expected(added(CAUSAL), is_causal=True)
    assert_as_expected(added(CAUSAL, PADDING[:, None, None]), is_causal=True, key_padding_mask=Tensor(PADDING))
    assert_as_expected(added(FORBIDDEN), is_causal=True, attn_mask=Tensor(FORBIDDEN))


def test_cudnn_style_masks() -> None:
    first, after, keys = np.array([0, 1, 2]), np.array([3, 5, 4]), np.array([3, 5])
    position = np.arange(S)
    outside = (position < first[:, None]) | (position >= after[:, None])
    beyond = (position >= keys[:, None])[:, None, None]
    assert_as_expected(
        added(outside, beyond),
        maybe_cudnn_style_mask=True,
        attn_mask=Tensor(np.stack([first, after]), dtype="int32"),
        key_padding_mask=Tensor(np.stack([[L, L], keys]), dtype="int32"),
    )


def test_without_batch() -> None:
    out, weights = expected(added(FORBIDDEN))
    ours = F.nn.multi_head_attention(
        Tensor(Q[1]), Tensor(K[1]), Tensor(V[1]), E, H, 0.0, 0.0, Tensor(W),
        attn_mask=Tensor(FORBIDDEN), need_weights=True, average_attn_weights=True,
    )  # fmt: skip
    np.testing.assert_allclose(ours[0].numpy(), out[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours[1].numpy(), weights[1].mean(0), rtol=1e-4, atol=1e-5)


def test_dropout_of_weights_and_result() -> None:
    random.seed(3)
    x = F.ones((8, 16, 1))
    one = F.ones((4,))
    out, weights = F.nn.multi_head_attention(x, x, x, 1, 1, 0.25, 0.5, one, need_weights=True)
    assert set(np.unique(weights.numpy() * 16).round(3)) == {0.0, np.float32(1.333)}
    assert 0.2 < (weights.numpy() == 0).mean() < 0.3
    assert 0.3 < (out.numpy() == 0).mean() < 0.7
    kept, _ = F.nn.multi_head_attention(x, x, x, 1, 1, 0.25, 0.5, one, training=False)
    np.testing.assert_allclose(kept.numpy(), 1, rtol=1e-6)


def test_gradient_flows_through_the_weights() -> None:
    q = Tensor(Q)
    manager = GradManager().attach([q])
    with manager:
        weights = F.nn.multi_head_attention(q, Tensor(K), Tensor(V), E, H, 0.0, 0.0, Tensor(W), need_weights=True)[1]
        manager.backward((weights * weights).sum())
    step = 1e-2
    index = (1, 2, 3)

    def loss(shift: float) -> float:
        moved = Q.copy()
        moved[index] += shift
        y = F.nn.multi_head_attention(
            Tensor(moved), Tensor(K), Tensor(V), E, H, 0.0, 0.0, Tensor(W), need_weights=True
        )[1]
        return float((y.numpy().astype(float) ** 2).sum())

    assert q.grad.numpy()[index] == pytest.approx((loss(step) - loss(-step)) / (2 * step), rel=1e-2)


def test_errors_name_what_is_wrong() -> None:
    q, k, v, w = map(Tensor, (Q, K, V, W))
    with pytest.raises(RuntimeError, match=r"has 63 numbers.*take 64"):
        F.nn.multi_head_attention(q, k, v, E, H, 0.0, 0.0, w[:63])
    with pytest.raises(RuntimeError, match="4 outputs cannot be divided among 3 heads"):
        F.nn.multi_head_attention(q, k, v, E, 3, 0.0, 0.0, w)
    with pytest.raises(AssertionError, match="cuDNN"):
        F.nn.multi_head_attention(q, k, v, E, H, 0.0, 0.0, w, maybe_cudnn_style_mask=True, attn_mask=Tensor(FORBIDDEN))
    with pytest.raises(AssertionError, match="bools or floats, not int32"):
        F.nn.multi_head_attention(q, k, v, E, H, 0.0, 0.0, w, attn_mask=Tensor(FORBIDDEN.astype("int32")))
