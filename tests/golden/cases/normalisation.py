"""Dropout, and a small first look at layer_norm, batch_norm, convolution and pooling."""

from __future__ import annotations

from ..spec import Refused, case, f16, f32, given

CASES = [
    case(
        "dropout",
        [
            "F.nn.dropout(x, 0.5, training=False)",
            "F.nn.dropout(x, 0.0)",
            "F.nn.dropout(x, 0)",
            "F.dropout(x, 0.3, False)",
            "F.nn.dropout(x, 0.5, False) is x",
            "F.nn.dropout(x, 0.0) is x",
            "F.nn.dropout(x, 0.5).shape",
            "F.nn.dropout(x, 0.5).dtype",
            "F.nn.dropout(h, 0.25).dtype",
        ],
        x=f32(2, 3),
        h=f16(3),
        grad=True,
    ),
    case(
        "dropout_errors",
        [
            "F.nn.dropout(x, 1.0)",
            "F.nn.dropout(x, -0.1)",
            "F.nn.dropout(x, 1.5)",
            "F.nn.dropout(x)",
            "F.nn.dropout(x, 'a')",
            "F.nn.dropout(x, -0.1, training=False)",
            "F.nn.dropout(2.0, 0.5)",
        ],
        x=f32(2, 3),
    ),
    case(
        "dropout_values",
        [
            "d = F.nn.dropout(x, 0.5).numpy(); bool(((d == 0) | (d == 2)).all())",
            "d = F.nn.dropout(x, 0.75).numpy(); bool(((d == 0) | (d == 4)).all())",
            "d = F.nn.dropout(x, 0.5).numpy(); bool(0.3 < (d == 0).mean() < 0.7)",
        ],
        x=given([1.0] * 200),
    ),
    case(
        "layer_norm",
        [
            "F.nn.layer_norm(x, (3,), True, w, b)",
            "F.nn.layer_norm(x, (3,), False)",
            Refused("F.nn.layer_norm(x, (2, 3), False)", "(x - x.mean()) / np.sqrt(x.var() + 1e-5)"),
            "F.nn.layer_norm(x, (3,), True, w, b, eps=0.1)",
        ],
        x=f32(2, 3),
        w=f32(3),
        b=f32(3),
        grad=True,
        rtol=1e-4,
        atol=1e-5,
    ),
]
