"""Reductions over every axis, arg-reductions, norms."""

from __future__ import annotations

from ..spec import Wrong, bools, case, f16, f32, given, i8, i32, u8

PLAIN = ["sum", "mean", "max", "min", "prod", "var", "std"]
AXES = [
    "",
    ", 0",
    ", 1",
    ", -1",
    ", axis=(0, 1)",
    ", axis=[1]",
    ", 0, True",
    ", axis=-1, keepdims=True",
    ", axis=(0, 1), keepdims=True",
]
CUBE_AXES = [
    ", 0",
    ", 1",
    ", 2",
    ", -2",
    ", axis=(0, 2)",
    ", axis=(0, 2), keepdims=True",
    ", axis=(-1, 0)",
    ", axis=(2, 1, 0)",
    ", axis=[0, 1]",
]

CASES = [
    *[case(f, ["F.%s(x%s)" % (f, a) for a in AXES], x=f32(2, 3), grad=True) for f in PLAIN],
    *[
        case(f + "_cube", ["F.%s(x%s)" % (f, a) for a in CUBE_AXES], x=f32(2, 1, 4), grad=True)
        for f in ("sum", "mean", "max")
    ],
    *[
        case(
            f + "_others",
            ["F.%s(%s%s)" % (f, t, a) for t in ("v", "s", "h", "n", "i", "u", "b") for a in ("", ", 0")],
            v=f32(3),
            s=f32(),
            h=f16(2, 3),
            n=i32(2, 3),
            i=i8(2, 3),
            u=u8(2, 3),
            b=bools(2, 3),
        )
        for f in PLAIN
    ],
    case("half_gradient", ["F.%s(h%s)" % (f, a) for f in PLAIN for a in ("", ", 1")], h=f16(2, 3), grad=True),
    case(
        "scalar_gradient",
        ["F.%s(s)" % f for f in ("sum", "max", "prod")]
        + [Wrong("F.mean(s)", "the gradient has shape (1,)", right="s", grads={"s": "np.float32(-0.625)"})],
        s=f32(),
        grad=True,
    ),
    case(
        "ties",
        [
            "F.max(x)",
            "F.min(x)",
            "F.max(x, 1)",
            "F.min(x, 1)",
            "F.max(x, 0)",
            "F.min(x, 0)",
            "x.max()",
            "F.max(x, axis=(0, 1))",
            "F.argmax(x)",
            "F.argmin(x)",
            "F.argmax(x, 1)",
            "F.argmin(x, 1)",
            "F.argmax(x, 0)",
        ],
        x=given([[1.0, 3.0, 3.0], [1.0, 3.0, 1.0]]),
        grad=True,
    ),
    case(
        "special",
        ["F.%s(x)" % f for f in PLAIN] + ["F.%s(x, 1)" % f for f in PLAIN] + ["F.argmax(x, 1)", "F.argmin(x, 1)"],
        x=given([[1.0, float("inf"), 2.0], [float("-inf"), 0.0, 1.0]]),
    ),
    case("nan", ["F.sum(x)", "F.mean(x)", "F.prod(x)"], x=given([1.0, float("nan"), 2.0])),
    case(
        "prod_zero",
        ["F.prod(x)", "F.prod(x, 1)", "F.prod(x, 0)"],
        x=given([[1.0, 2.0, -3.0], [0.5, 1.5, 2.0]]),
        grad=True,
    ),
    case("empty", ["F.sum(e)", "F.sum(z, 1)", "F.prod(e)"], e=given([]), z=given([[], []])),
    case(
        "errors",
        [
            "F.sum(x, 2)",
            "F.sum(x, -3)",
            "F.max(x, 5)",
            "F.sum(x, axis=(0, 0))",
            "F.sum(x, axis=(0, 2))",
            "F.sum(x, keepdims=True)",
            "F.mean(x, keepdims=True)",
            "F.max(x, keepdims=True)",
            "F.argmax(x, keepdims=True)",
            "F.argmax(x, 2)",
            "F.argmin(x, -3)",
            "F.sum(x, 'a')",
            "F.sum(x, 1.5)",
            "F.argmax(x, axis=(0, 0))",
            "F.var(x, 2)",
            "F.sum()",
            "F.sum(2.0)",
            "F.sum(x, axis=0, dtype='float32')",
        ],
        x=f32(2, 3),
    ),
    case(
        "arg",
        [
            "F.%s(x%s)" % (f, a)
            for f in ("argmax", "argmin")
            for a in (
                "",
                ", 0",
                ", 1",
                ", -1",
                ", axis=1, keepdims=True",
                ", axis=0, keepdims=True",
                ", axis=(0, 1)",
                ", axis=[0]",
                ", axis=(0, 1), keepdims=True",
            )
        ],
        x=f32(2, 3),
        grad=True,
    ),
    case(
        "arg_others",
        [
            "F.%s(%s%s)" % (f, t, a)
            for f in ("argmax", "argmin")
            for t in ("c", "h", "n", "i", "u")
            for a in ("", ", 1", ", -1")
        ]
        + ["F.argmax(v)", "F.argmax(v, 0)", "F.argmin(s)"]
        + [
            Wrong("F.%s(b%s)" % (f, a), "bools compare wrongly", right="np.%s(b%s)" % (f, a))
            for f in ("argmax", "argmin")
            for a in ("", ", 1", ", -1")
        ],
        c=f32(2, 1, 4),
        h=f16(2, 3),
        n=i32(2, 3),
        i=i8(2, 3),
        u=u8(2, 3),
        b=bools(2, 3),
        v=f32(3),
        s=f32(),
    ),
    case(
        "norm",
        [
            "F.norm(v)",
            "F.norm(v, 1)",
            "F.norm(v, 2)",
            "F.norm(v, 3)",
            "F.norm(v, 0.5)",
            "F.norm(v, inf)",
            "F.norm(v, -inf)",
            "F.norm(v, 0)",
            "F.norm(x, axis=0)",
            "F.norm(x, axis=1)",
            "F.norm(x, 1, axis=1)",
            "F.norm(x, 2, axis=-1, keepdims=True)",
            "F.norm(x, 3, 0)",
        ],
        v=f32(3),
        x=f32(2, 3),
        grad=True,
    ),
    case(
        "norm_others",
        ["F.norm(x)", "F.norm(h)", "F.norm(s)", "F.norm(n)", "F.norm(z)", "F.norm(x, 0, axis=1)"],
        x=f32(2, 3),
        h=f16(3),
        s=f32(),
        n=i32(3),
        z=given([0.0, 0.0]),
    ),
    case(
        "norm_infinity_axis",
        [
            Wrong("F.norm(x, inf, axis=1)", "axis is ignored", right="np.abs(x).max(axis=1)"),
            Wrong("F.norm(x, -inf, axis=1)", "axis is ignored", right="np.abs(x).min(axis=1)"),
        ],
        x=f32(2, 3),
    ),
    case(
        "normalize",
        [
            "F.normalize(v)",
            "F.normalize(v, 1)",
            "F.normalize(x, axis=0)",
            "F.normalize(x, axis=1)",
            "F.normalize(x, 1, axis=1)",
            "F.normalize(x, axis=-1)",
            "F.normalize(x, 3, 1)",
            "F.normalize(x, axis=1, eps=3.0)",
            "F.normalize(v, eps=10.0)",
        ],
        v=f32(3),
        x=f32(2, 3),
        grad=True,
    ),
    case(
        "normalize_others",
        ["F.normalize(x)", "F.normalize(z)", "F.normalize(h)"],
        x=f32(2, 3),
        z=given([0.0, 0.0]),
        h=f16(3),
    ),
    case(
        "chained",
        [
            "F.sum(F.square(x), 1)",
            "F.mean(x, 0, True) - x",
            "F.max(x, 1, True) * x",
            "(x - F.mean(x)) / F.std(x)",
            "F.sum(x) * F.max(x)",
            "F.var(x * 2) + F.mean(x)",
            "F.sum(F.sum(x, 1), 0)",
            "F.min(F.max(x, 1))",
            "F.mean(x > 0)",
            "F.sum(x > 0, 1)",
        ],
        x=f32(2, 3),
        grad=True,
    ),
    case("var_constant", ["F.var(x)", "F.var(x, 0)"], x=given([[2.0, 2.0], [2.0, 2.0]]), grad=True),
]
