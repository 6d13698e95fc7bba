"""The loss of connectionist temporal classification: every option, gradients and what it refuses."""

from __future__ import annotations

from ..spec import Array, Wrong, case, f16, given, i32

OUT = ("IndexError", "ValueError", "RuntimeError", "AssertionError")
CRASH = "a label out of range ends the process"


def ints(*values: int) -> Array:
    return given(list(values), "int32")


def positive(*shape: int) -> Array:
    return Array("float32", shape, 0.02, 0.9)


CASES = [
    case(
        "ctc_reductions",
        [
            f"F.nn.ctc_loss(p, n, y, m{option})"
            for option in ("", ", reduction='mean'", ", reduction='sum'", ", reduction='none'", ", 2", ", blank=3")
        ]
        + ["F.nn.ctc_loss(p, n, y, m, 2, 'none')"],
        p=positive(6, 2, 4),
        n=ints(6, 4),
        y=given([[1, 2], [3, 1]], "int32"),
        m=ints(2, 1),
        grad=True,
        rtol=1e-4,
        atol=1e-5,
    ),
    case(
        "ctc_repeated_labels",
        ["F.nn.ctc_loss(p, n, y, m, reduction='none')", "F.nn.ctc_loss(p, k, y, m, reduction='none')"],
        p=positive(7, 3, 3),
        n=ints(7, 7, 7),
        k=ints(5, 5, 5),
        y=given([[1, 1, 1], [2, 2, 1], [1, 2, 1]], "int32"),
        m=ints(3, 3, 3),
        grad=True,
        rtol=1e-4,
        atol=1e-5,
    ),
    case(
        "ctc_concatenated_labels",
        [
            "F.nn.ctc_loss(p, n, y, m)",
            "F.nn.ctc_loss(p, n, y, m, reduction='none')",
            "F.nn.ctc_loss(p, n, y, m, 4, 'sum')",
        ],
        p=positive(5, 3, 5),
        n=ints(5, 4, 5),
        y=ints(1, 2, 3, 2, 3),
        m=ints(2, 1, 2),
        grad=True,
        rtol=1e-4,
        atol=1e-5,
    ),
    case(
        "ctc_labels_that_do_not_fit",
        [
            "F.nn.ctc_loss(p, n, y, m, reduction='none')",
            "F.nn.ctc_loss(p, n, y, m)",
        ],
        p=positive(4, 3, 4),
        n=ints(1, 2, 3),
        y=given([[1, 2, 3], [1, 1, 2], [2, 2, 2]], "int32"),
        m=ints(3, 2, 3),
        grad=True,
        rtol=1e-4,
        atol=1e-4,
    ),
    case(
        "ctc_one_step",
        ["F.nn.ctc_loss(p, n, y, n, reduction='none')", "F.nn.ctc_loss(p, n, y.reshape(-1), n)"],
        p=positive(1, 2, 3),
        n=ints(1, 1),
        y=given([[1], [2]], "int32"),
        grad=True,
        rtol=1e-4,
    ),
    case(
        "ctc_other_inputs",
        [
            "F.nn.ctc_loss(h, n, y, m)",
            "F.nn.ctc_loss(h, n.astype('float32'), y.astype('float32'), m)",
            "F.nn.ctc_loss(h.astype('float32').numpy(), n.numpy(), y.numpy(), m.numpy())",
            "F.nn.ctc_loss(h, n, y, k, reduction='none')",
        ],
        h=f16(5, 2, 4, low=0, high=1),
        n=ints(5, 4),
        y=given([[1, 0], [3, -1]], "int32"),
        m=ints(2, 1),
        k=ints(1, 1),
        rtol=3e-3,
    ),
    case(
        "ctc_improbable",
        [
            "F.nn.ctc_loss(p, n, y, n, reduction='none')",
            "F.nn.ctc_loss(p * 0, n, y, n, reduction='none')",
            "F.nn.ctc_loss(p * 1e-9, n, y, n, reduction='none')",
        ],
        p=given([[[1.0, 1e-30, 1e-30]]] * 3),
        n=ints(3),
        y=given([[1, 2, 1]], "int32"),
    ),
    case(
        "ctc_errors",
        [
            "F.nn.ctc_loss(p, n, y, m, reduction='nosuch')",
            "F.nn.ctc_loss(p, n, y, m, blank=4)",
            "F.nn.ctc_loss(p, n, y, m, blank=-1)",
            "F.nn.ctc_loss(p, long, y, m)",
            "F.nn.ctc_loss(p, none, y, m)",
            "F.nn.ctc_loss(p, n, y, n)",
            "F.nn.ctc_loss(p, n, y, none)",
            "F.nn.ctc_loss(p, z, y, m)",
            "F.nn.ctc_loss(p, n, y, z)",
            "F.nn.ctc_loss(p, n, y[0], n)",
            "F.nn.ctc_loss(p[0], n, y, m)",
            "F.nn.ctc_loss(p, n, z.reshape(3, 1), m)",
            "F.nn.ctc_loss(p, n, y.reshape(1, 2, 2), m)",
            Wrong("F.nn.ctc_loss(p, n, y + 9, m)", CRASH, raises=OUT),
            Wrong("F.nn.ctc_loss(p, n, y - 9, m)", "a negative label counts from the end", raises=OUT),
        ],
        p=positive(5, 2, 4),
        n=ints(5, 4),
        y=given([[1, 2], [3, 1]], "int32"),
        m=ints(2, 2),
        long=ints(4, 6),
        none=ints(2, 0),
        z=i32(3, low=1, high=2),
    ),
]
