"""Attention as a module."""

from __future__ import annotations

import math

import numpy as np

import megengine.functional as F
import megengine.module as M


def test_dropout_of_attention_is_what_it_was_made_with() -> None:
    x = F.ones((2, 3, 4))
    attention = M.MultiHeadAttention(4, 2, attn_dropout=0.5, out_dropout=0.25)
    attention.reset_parameters()
    assert (attention.attn_dropout, attention.out_dropout) == (0.5, 0.25)
    _, weights = attention(x, x, x, need_weights=True)
    assert set(np.round(weights.numpy().reshape(-1) * 3, 4)) == {0, 2}
    attention.eval()
    assert math.isclose(attention(x, x, x, need_weights=True)[1].sum().item(), 12, rel_tol=1e-5)
