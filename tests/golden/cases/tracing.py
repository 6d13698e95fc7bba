"""jit.trace: the same results as without it, and what it refuses."""

from __future__ import annotations

from ..spec import Refused, Wrong, case, f32, given

HEAD = "from megengine.jit import trace\n"
MODES = ("symbolic=True", "symbolic=False")


def traced(body: str, then: str) -> list[str]:
    """The same program under both modes; ``{}`` is the decorator's arguments."""
    return [HEAD + "@trace(%s)\n" % mode + body + then for mode in MODES]


STEP = """
p = Parameter(ramp((2, 3))); gm = GradManager().attach([p]); opt = optim.SGD([p], lr=0.01, momentum=0.5)
@trace(%s)
def step(x):
    with gm:
        loss = ((p * x).sum(axis=1) ** 2).mean()
        gm.backward(loss)
    opt.step().clear_grad()
    return loss
losses = [step(x * (i + 1)).item() for i in range(6)]
p, np.array(losses, "float32")
"""

CASES = [
    case(
        "calls",
        [
            *traced("def f(a, b):\n    return F.exp(a) * b + 1\n", "[f(x, y), f(y, x), f(x, x), f(x * 2, y)]"),
            *traced("def f(a):\n    return a + 1, a * 2\n", "[f(x), f(y)]"),
            *traced(
                "def f(a):\n    return {'sum': a.sum(), 'rest': [a * 2]}\n",
                "[f(x)['sum'], f(y)['rest'][0], f(x)['rest'][0]]",
            ),
            *traced("def f(a, *, b):\n    return a - b\n", "[f(x, b=y), f(y, b=x), f(x, b=x)]"),
            *traced("def f(a):\n    b = a * 1\n    b[0] = 0\n    b += 1\n    return b\n", "[f(x), f(y), x]"),
            *traced("def f(a):\n    return a.reshape(-1).sum() / a.shape[0]\n", "[f(x), f(y)]"),
            *traced("def f(a, w=F.ones((3,))):\n    return (a * w).max(axis=1)\n", "[f(x), f(y), f(x, y[0])]"),
            *traced("def f():\n    return F.ones((2,)) * 3\n", "[f(), f()]"),
        ],
        x=f32(2, 3),
        y=f32(2, 3),
    ),
    case(
        "refused",
        [
            *[Refused(e, "[x, y]") for e in traced("def f(a):\n    return a\n", "[f(x), f(y)]")],
            *[Refused(e, "[None, None]") for e in traced("def f(a):\n    return None\n", "[f(x), f(y)]")],
        ],
        x=f32(2, 3),
        y=f32(2, 3),
    ),
    case("training", [HEAD + STEP % mode for mode in MODES], x=f32(2, 3), rtol=2e-5),
    case(
        "state",
        [
            HEAD
            + (
                "w = Parameter(ramp((3,)))\n"
                "@trace(%s)\n"
                "def f(a):\n"
                "    w[...] = w + a\n"
                "    return w * 2\n"
                "[f(v), f(v), f(v), w]"
            )
            % mode
            for mode in MODES
        ],
        v=f32(3),
    ),
    case(
        "shape_is_tensor",
        [
            Wrong(
                HEAD
                + (
                    "seen = []\n"
                    "@trace(symbolic=True)\n"
                    "def f(a):\n"
                    "    seen.append(type(a.shape).__name__)\n"
                    "    return a + 1\n"
                    "f(x)\n"
                    "seen[0]"
                ),
                "shapes are plain tuples inside a trace, too: the structure knows them",
            ),
            HEAD
            + (
                "seen = []\n"
                "@trace(symbolic=True, symbolic_shape=False)\n"
                "def f(a):\n"
                "    seen.append(type(a.shape).__name__)\n"
                "    return a + 1\n"
                "f(x)\n"
                "seen[0]"
            ),
        ],
        x=f32(2, 3),
    ),
    case(
        "options",
        [
            HEAD + "f = trace(lambda a: a * 2, symbolic=True); [f(x), f(x)]",
            HEAD + "f = trace(symbolic=True, capture_as_const=True)(lambda a: a * w); [f(x), f(x)]",
            HEAD + "f = trace(lambda a: a * 2); [f(x), f(x)]",
        ],
        x=f32(2, 3),
        w=given([1.0, 2.0, 3.0]),
    ),
]
