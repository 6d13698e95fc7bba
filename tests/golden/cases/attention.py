"""Attention with several heads: projections, biases, masks and weights."""

from __future__ import annotations

from ..spec import Refused, Wrong, case, f16, f32, given

MHA = "F.nn.multi_head_attention(q, k, v, 4, 2, 0.0, 0.0, "
NONE = ", qproj_size=0, kproj_size=0, vproj_size=0"
INF = float("inf")
CUDNN_ONLY = "only cuDNN has it"

# Softmax of the scores of one head without projections, times the values; m is what is added to the scores.
PLAIN = (
    "(lambda m: (lambda a: (a / a.sum(-1, keepdims=True)) @ x)(np.exp(x @ x.transpose(0, 2, 1) / 2 + m)))"
    "(np.triu(np.full((3, 3), -np.inf), 1))"
)

CASES = [
    case(
        "attention",
        [
            MHA + "w)",
            MHA + "w, average_attn_weights=True)",
            MHA + "w, need_weights=True)[0]",
            MHA + "w.reshape(1, -1))",
            "F.nn.multi_head_attention(q, k, v, 4, 1, 0.0, 0.0, w)",
        ],
        q=f32(2, 3, 4),
        k=f32(2, 5, 3),
        v=f32(2, 5, 2),
        w=f32(52, low=-0.5, high=0.5),
        grad=True,
        rtol=1e-4,
        atol=1e-5,
    ),
    # Without gradients: in the reference none flow through the weights, and there are none when not training.
    case(
        "attention_weights",
        [
            MHA + "w, need_weights=True)",
            MHA + "w, need_weights=True, average_attn_weights=True)",
            MHA + "w, training=False)",
            MHA + "w[:36], oproj_size=0, training=False, need_weights=True)",
            "F.nn.multi_head_attention(q, k, v, 4, 4, 0.5, 0.25, w, training=False, need_weights=True)",
        ],
        q=f32(2, 3, 4),
        k=f32(2, 5, 3),
        v=f32(2, 5, 2),
        w=f32(52, low=-0.5, high=0.5),
        rtol=1e-4,
        atol=1e-5,
    ),
    case(
        "attention_biases",
        [
            MHA + "F.concat([w, b]), qbias=True, kbias=True, vbias=True, obias=True)",
            MHA + "F.concat([w, b[:4]]), obias=True)",
            MHA + "F.concat([w, b[:8]]), qbias=True, vbias=True)",
            MHA + "F.concat([w, b[:4]]), kbias=True)",
        ],
        q=f32(1, 2, 4),
        k=f32(1, 3, 4),
        v=f32(1, 3, 4),
        w=f32(64, low=-0.5, high=0.5),
        b=f32(16),
        grad=True,
        rtol=1e-4,
        atol=1e-5,
    ),
    case(
        "attention_projections",
        [
            MHA + "w[:128], qproj_size=8, kproj_size=8, vproj_size=8)",
            MHA + "w[:106], qproj_size=8, kproj_size=8, vproj_size=6, oproj_size=3)",
            MHA + "w[:48], oproj_size=0)",
            MHA + "w[:32]" + NONE + ")",
            MHA + "w[:64], vproj_size=0)",
            "F.nn.multi_head_attention(q, k, v, 4, 1, 0.0, 0.0, w[:16]" + NONE + ")",
        ],
        q=f32(2, 3, 4),
        k=f32(2, 2, 4),
        v=f32(2, 2, 4),
        w=f32(200, low=-0.5, high=0.5),
        grad=True,
        rtol=1e-4,
        atol=1e-5,
    ),
    case(
        "attention_masks",
        [
            MHA + "w, attn_mask=m, need_weights=True)",
            MHA + "w, attn_mask=m, need_weights=True, is_causal=True)",
            MHA + "w, attn_mask=e)",
            MHA + "w, key_padding_mask=p)",
            MHA + "w, key_padding_mask=p, attn_mask=m)",
            MHA + "w, key_padding_mask=p, attn_mask=e, need_weights=True)",
        ],
        q=f32(2, 3, 4),
        k=f32(2, 2, 4),
        v=f32(2, 2, 4),
        w=f32(64, low=-0.5, high=0.5),
        m=given([[0.0, -INF], [0.5, 0.0], [-INF, 0.0]]),
        e=f32(4, 3, 2),
        p=f32(2, 2),
        rtol=1e-4,
        atol=1e-5,
    ),
    case(
        "attention_causal_errors",
        [
            Refused(
                "F.nn.multi_head_attention(x, x, x, 4, 1, 0.0, 0.0, F.zeros((0,)), 0, 0, 0, 0, is_causal=True)[0]",
                PLAIN,
                why=CUDNN_ONLY,
            )
        ],
        x=f32(2, 3, 4),
        rtol=1e-4,
    ),
    case(
        "attention_float16",
        [MHA + "w)", MHA + "w, need_weights=True)"],
        q=f16(2, 3, 4),
        k=f16(2, 2, 4),
        v=f16(2, 2, 4),
        w=f16(64, low=-0.5, high=0.5),
        rtol=1e-2,
        atol=1e-2,
    ),
    case(
        "attention_errors",
        [
            MHA + "w[:63])",
            MHA + "w, qbias=True)",
            MHA + "w, qproj_size=0, qbias=True)",
            MHA + "w, oproj_size=0, obias=True)",
            MHA + "w, reslink=True)",
            MHA + "w, add_zero_attn=True)",
            MHA + "w, bias_k=w)",
            MHA + "w, bias_v=w)",
            MHA + "w, attn_mask=w)",
            MHA + "w, attn_mask=m)",
            MHA + "w, attn_mask=F.zeros((3, 2), dtype='int32'))",
            MHA + "w, key_padding_mask=m)",
            MHA + "w, maybe_cudnn_style_mask=True)",
            "F.nn.multi_head_attention(q, k, v, 4, 3, 0.0, 0.0, w)",
            "F.nn.multi_head_attention(q, k, v[:1], 4, 2, 0.0, 0.0, w)",
            "F.nn.multi_head_attention(q, k, v[:, :1], 4, 2, 0.0, 0.0, w)",
            "F.nn.multi_head_attention(q, k[:1], v[:1], 4, 2, 0.0, 0.0, w)",
            *[
                Wrong(
                    f"F.nn.multi_head_attention({x}, 4, 2, 0.0, 0.0, w)",
                    "IndexError before it checks",
                    raises=("AssertionError",),
                )
                for x in ("q, k[0], v", "w, w, w")
            ],
            Wrong(
                "F.nn.multi_head_attention(q, k, v, 4, 2, 1.5, 0.0, w)",
                "a probability over 1",
                raises=("AssertionError",),
            ),
        ],
        q=f32(2, 3, 4),
        k=f32(2, 2, 4),
        v=f32(2, 2, 4),
        w=f32(64),
        m=f32(3, 3),
    ),
]
