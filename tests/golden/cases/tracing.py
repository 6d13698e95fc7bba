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

# The body runs at every call: what it reads of Python may change as long as the graph does not.
PYTHON_STATE = [
    """
class Box: pass
box = Box(); box.h = v * 0
@trace(%s)
def f(x):
    box.h = box.h * 0.5 + x
    return box.h
[f(v) for i in range(4)]
""",
    """
net = M.Linear(3, 1, bias=False)
f = trace(lambda x: net(x), %s)
out = []
for i in range(4):
    net.weight = Parameter(np.full((1, 3), i, "float32"))
    out.append(f(v.reshape(1, 3)))
out
""",
    """
net = M.Sequential(M.Linear(3, 1, bias=False), M.Linear(1, 1, bias=False))
net[0].weight[...] = np.ones((1, 3), "float32"); net[1].weight[...] = np.full((1, 1), 2, "float32")
f = trace(lambda x: net(x), %s)
out = []
for i in range(4):
    if i == 2:
        net[1] = M.Linear(1, 1, bias=False); net[1].weight[...] = np.full((1, 1), 7, "float32")
    out.append(f(v.reshape(1, 3)))
out
""",
    """
scale = 0
f = trace(lambda x: x * Tensor(float(scale)), %s)
out = []
for scale in range(4):
    out.append(f(v))
out
""",
    """
rng = np.random.RandomState(0)
f = trace(lambda x: x + Tensor(rng.randint(0, 9, (3,)).astype("float32")), %s)
[f(v) for i in range(4)]
""",
    """
seen = []
@trace(%s)
def f(x):
    seen.append(len(seen))
    return x + 1
[f(v) for i in range(4)], len(seen)
""",
    """
p = Parameter(v); p.grad = v * 0; gm = GradManager().attach([p])
@trace(%s)
def f(x):
    with gm:
        loss = (p * x).sum()
        gm.backward(loss)
    return loss
out = []
for i in range(4):
    f(v)
    out.append(p.grad * 1)
out
""",
    """
p = Parameter(v); gm = GradManager().attach([p]); opt = optim.SGD([p], lr=0.5, momentum=0.5)
@trace(%s)
def f(x):
    with gm:
        loss = (p * x).sum()
        gm.backward(loss)
    opt.step().clear_grad()
    return loss
out = []
for i in range(4):
    opt.param_groups[0]["lr"] = 0.5 / (i + 1)
    f(v)
    out.append(p * 1)
out
""",
    """
from collections import deque, namedtuple
Pair = namedtuple("Pair", "a b")
f = trace(lambda x: (Pair(x * 2, [x + 1]), deque([x * 3])), %s)
out = [f(v) for i in range(3)]
[type(o[0]).__name__ + type(o[1]).__name__ for o in out], [o[0].a for o in out], [o[1][0] for o in out]
""",
]
# Graphs that change: MegEngine raises TraceError under both modes.
CHANGES = {
    """
scale = 0
f = trace(lambda x: x * scale, %s)
out = []
for scale in range(4):
    out.append(f(v))
out
""": "[v * i for i in range(4)]",
    """
f = trace(lambda x, k: x * k, %s)
[f(v, i) for i in range(4)]
""": "[v * i for i in range(4)]",
}
OPERATIONS_CHANGE = [
    ("x + y", "x - y"),
    ("x + y", "x + y + x"),
    ("x + y + x", "x + y"),
    ("(x + y) * x", "x * (x + y)"),
    ("F.exp(x) + F.exp(y) * y", "F.exp(x) + F.exp(x) * F.exp(y)"),
]
CHANGED = """
flag = False
@trace(%s)
def f(x, y):
    return (%s) if flag else (%s)
f(v, w); f(v, w)
flag = True
f(v, w)
"""

CASES = [
    case("python_state", [HEAD + e % mode for e in PYTHON_STATE for mode in MODES], v=f32(3)),
    case(
        "numbers_change", [Refused(HEAD + e % mode, right) for e, right in CHANGES.items() for mode in MODES], v=f32(3)
    ),
    case(
        "operations_change",
        [HEAD + CHANGED % ("symbolic=True", now, first) for first, now in OPERATIONS_CHANGE],
        v=f32(3),
        w=f32(3),
    ),
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
