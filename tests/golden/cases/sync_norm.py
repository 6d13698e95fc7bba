"""Batch normalisation over processes, here one: both modes, and running statistics."""

from __future__ import annotations

from ..spec import Wrong, case, f32

SYNC = "F.nn.sync_batch_norm("
BAD_SHAPE = "statistics of shape (C,) are spread over the width"

CASES = [
    case(
        "sync_norm_training",
        [
            SYNC + "x, None, None, training=True)",
            SYNC + "x, None, None, w, b, training=True, eps=0.5)",
            SYNC + "x, None, None, w, b, True, eps_mode='ADDITIVE')",
            SYNC + "x, None, None, training=True, eps_mode='max')",
            SYNC + "x, None, None, w, b, training=True, eps=1.3, eps_mode='max')",
        ],
        x=f32(2, 3, 2, 2),
        w=f32(3),
        b=f32(3),
        grad=True,
        rtol=1e-4,
        atol=1e-5,
    ),
    case(
        "sync_norm_statistics",
        [
            "y = " + SYNC + "x, m, v, training=True, momentum=0.75); (y, m, v)",
            "y = " + SYNC + "x, m, v, training=True, momentum=0.75, eps_mode='max'); (y, m, v)",
            SYNC + "x, m, v)",
            SYNC + "x, m, v, eps_mode='max')",
            SYNC + "x, m, v, eps=0.75, eps_mode='max')",
        ],
        x=f32(2, 3, 2, 2),
        m=f32(1, 3, 1, 1),
        v=f32(1, 3, 1, 1, low=0.5, high=1),
        rtol=1e-4,
        atol=1e-5,
    ),
    case(
        "sync_norm_flat_statistics",
        [
            Wrong(
                SYNC + "x, m, v, training=True, momentum=0.75, eps_mode='max'); m",
                BAD_SHAPE,
                right="m * 0.75 + x.mean((0, 2, 3)) * 0.25",
            ),
            Wrong(
                SYNC + "x, m, v, eps=0.75, eps_mode='max')",
                BAD_SHAPE,
                right="(x - m.reshape(1, 3, 1, 1)) / np.sqrt(np.maximum(v, 0.75)).reshape(1, 3, 1, 1)",
            ),
        ],
        x=f32(2, 3, 2, 2),
        m=f32(3),
        v=f32(3, low=0.5, high=1),
        rtol=1e-4,
        atol=1e-5,
    ),
    case(
        "sync_norm_errors",
        [
            SYNC + "x, m, v, eps_mode='nosuch')",
            SYNC + "x, None, None)",
            SYNC + "x, None, None, eps_mode='max')",
            SYNC + "x[0], None, None, training=True, eps_mode='max')",
        ],
        x=f32(2, 3, 2, 2),
        m=f32(3),
        v=f32(3),
    ),
]
