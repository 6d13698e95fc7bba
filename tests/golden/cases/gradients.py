"""GradManager and Function: what gets which gradient, callbacks, several backwards, higher order, misuse."""

from __future__ import annotations

from ..spec import Refused, Wrong, case, f16, f32, given

START = "gm = GradManager().attach([x, y])\n"


def within(body: str, then: str, before: str = START) -> str:
    """A recorded computation and what to look at afterwards."""
    return before + "with gm:\n" + "".join("    %s\n" % line for line in body.split("\n")) + then


CASES = [
    case(
        "backward",
        [
            within("gm.backward((x * y).sum())", "(x.grad, y.grad)"),
            within("gm.backward(x * y)", "(x.grad, y.grad)"),
            within("gm.backward(x * y, dy=Tensor(ramp((2, 3))))", "(x.grad, y.grad)"),
            within("gm.backward([x * y, x + y])", "(x.grad, y.grad)"),
            within(
                "gm.backward([x * y, x + y], [Tensor(ramp((2, 3))), Tensor(ramp((2, 3), 0.5))])", "(x.grad, y.grad)"
            ),
            Refused(within("gm.backward((x * y, (x + y).sum()))", "(x.grad, y.grad)"), "(y + 1, x + 1)"),
            within("gm.backward((x ** 2).sum())", "(x.grad, y.grad)"),
            within("gm.backward(x)", "(x.grad, y.grad)"),
            within("gm.backward(x * 1)", "(x.grad, y.grad)"),
            within("gm.backward(z.sum())", "(x.grad, y.grad)"),
            within("gm.backward([])", "(x.grad, y.grad)"),
            within("gm.backward()", "(x.grad, y.grad)"),
            within("gm.backward(None)", "(x.grad, y.grad)"),
            within("gm.backward((x.detach() * y).sum())", "(x.grad, y.grad)"),
            within("gm.backward((x * y).detach().sum())", "(x.grad, y.grad)"),
            within("w = x * y\nv = w * w\ngm.backward(v.sum() + w.sum())", "(x.grad, y.grad)"),
            within("loss = (x * y).sum()\ngm.backward(loss)", "(loss, x.grad.dtype, type(x.grad).__name__)"),
            within("gm.backward((x * y).mean() * 3)", "x.grad + y.grad"),
            within("gm.backward((x > 0).sum())", "(x.grad, y.grad)"),
            within("gm.backward(F.floor(x).sum())", "(x.grad, y.grad)"),
            within("gm.backward((x * y).sum(), dy=Tensor(3.0))", "(x.grad, y.grad)"),
            Refused(within("gm.backward((x * y).sum(), dy=2.5)", "(x.grad, y.grad)"), "(2.5 * y, 2.5 * x)"),
            within("gm.backward(x * y, dy=Tensor(1.0))", "(x.grad, y.grad)"),
            within("gm.backward((x[0] * y[1]).sum())", "(x.grad, y.grad)"),
            within("gm.backward([(x * y).sum(), z.sum()])", "(x.grad, y.grad)"),
        ],
        x=f32(2, 3),
        y=f32(2, 3),
        z=f32(2, 3),
    ),
    case(
        "an_attached_tensor_among_the_outputs",
        [
            within("gm.backward([x])", "(x.grad, y.grad)"),
            within("gm.backward([x, x])", "(x.grad, y.grad)"),
            within("gm.backward([x, x * y])", "(x.grad, y.grad)"),
            within("gm.backward([x * y, y, x])", "(x.grad, y.grad)"),
            within("gm.backward([x, x * 2, x.sum()], [z, z, Tensor(3.0)])", "(x.grad, y.grad)"),
            within("z = x * y\ngm.attach(z)\nw = z * 3\ngm.backward(z)", "(x.grad, y.grad, z.grad)"),
            Wrong(
                within("z = x * y\ngm.attach(z)\ngm.backward(z)", "(x.grad, y.grad, z.grad)"),
                "an output that was computed has its cotangent as gradient only where something uses it",
                right="(y, x, np.ones((2, 3), np.float32))",
            ),
            within("z = x * y\ngm.attach(z)\ngm.backward([z, z * 3, x])", "(x.grad, y.grad, z.grad)"),
        ],
        x=f32(2, 3),
        y=f32(2, 3),
        z=f32(2, 3),
    ),
    case(
        "accumulate",
        [
            within("gm.backward((x * y).sum())", "with gm:\n    gm.backward((x * 2).sum())\n(x.grad, y.grad)"),
            within(
                "gm.backward((x * y).sum())",
                "x.grad = None\nwith gm:\n    gm.backward((x * 2).sum())\n(x.grad, y.grad)",
            ),
            within(
                "gm.backward((x * y).sum())", ("g = x.grad\nwith gm:\n    gm.backward((x * 2).sum())\n(g is x.grad, g)")
            ),
            "x.grad = Tensor(np.ones((2, 3), 'float32'))\n" + within("gm.backward((x * y).sum())", "x.grad"),
            (
                "for i in range(3):\n"
                "    gm = GradManager().attach([x])\n"
                "    with gm:\n"
                "        gm.backward((x * y).sum())\n"
                "x.grad"
            ),
            (
                "gm = GradManager().attach(x)\n"
                "for i in range(3):\n"
                "    with gm:\n"
                "        gm.backward((x * i).sum())\n"
                "x.grad"
            ),
            within("gm.backward((x * y).sum())", "x.grad *= 0\nx.grad"),
            within("gm.backward((x * y).sum())\nx.grad = None", "(x.grad, y.grad)"),
        ],
        x=f32(2, 3),
        y=f32(2, 3),
    ),
    case(
        "attach",
        [
            "gm = GradManager(); gm.attach(x) is gm",
            "gm = GradManager().attach(x); [t is x for t in gm.attached_tensors()]",
            "gm = GradManager().attach([x, y]); len(gm.attached_tensors())",
            "gm = GradManager().attach([x, x]); len(gm.attached_tensors())",
            "gm = GradManager().attach(t for t in (x, y)); len(gm.attached_tensors())",
            "GradManager().attach(n)",
            "GradManager().attach(3)",
            "GradManager().attach([x, None])",
            "GradManager().attach('ab')",
            "GradManager().attach(np.ones(3))",
            "GradManager().attach(h)",
            "gm = GradManager().attach([]); gm.attached_tensors()",
            (
                "gm = GradManager()\n"
                "with gm:\n"
                "    a = x * 2\n"
                "    gm.attach(x)\n"
                "    b = x * 3\n"
                "    gm.backward((a + b).sum())\n"
                "x.grad"
            ),
            "gm = GradManager()\nwith gm:\n    gm.attach(x)\n    gm.backward((x * y).sum())\nx.grad",
            (
                "gm = GradManager().attach([x])\n"
                "with gm:\n"
                "    a = x * y\n"
                "    gm.attach(a)\n"
                "    gm.backward((a * 3).sum())\n"
                "(x.grad, a.grad)"
            ),
            (
                "gm = GradManager()\n"
                "with gm:\n"
                "    a = x * y\n"
                "    gm.attach(a)\n"
                "    gm.backward((a * 3).sum())\n"
                "(x.grad, a.grad)"
            ),
            (
                "gm = GradManager()\n"
                "t = Tensor([1.0]); gm.attach(t); del t; __import__('gc').collect(); "
                "len(gm.attached_tensors())"
            ),
            "gm = GradManager().attach([h])\nwith gm:\n    gm.backward((h * h).sum())\n(h.grad, h.grad.dtype)",
            (
                "gm = GradManager().attach([p])\n"
                "with gm:\n"
                "    gm.backward((p * p).sum())\n"
                "(p.grad, type(p.grad).__name__)"
            ),
            (
                "p = Parameter([1.0, 2.0]); gm = GradManager().attach([p]); opt = optim.SGD([p], lr=0.1)\n"
                "for i in range(3):\n"
                "    with gm:\n"
                "        gm.backward((p * p).sum())\n"
                "    opt.step().clear_grad()\n"
                "p"
            ),
        ],
        x=f32(2, 3),
        y=f32(2, 3),
        n=given([1, 2], "int32"),
        h=f16(3),
        p=f32(3),
    ),
    case(
        "callbacks",
        [
            (
                "gm = GradManager().attach([x], callbacks=lambda t, g: g * 2)\n"
                "with gm:\n"
                "    gm.backward((x * y).sum())\n"
                "x.grad"
            ),
            (
                "gm = GradManager().attach([x, y], callbacks=[lambda t, g: g * 2, lambda t, g: g + 1])\n"
                "with gm:\n"
                "    gm.backward((x * y).sum())\n"
                "(x.grad, y.grad)"
            ),
            (
                "calls = []\n"
                "gm = GradManager().attach([x], callbacks=lambda t, g: calls.append((t is x, g.shape)) or g)\n"
                "with gm:\n"
                "    gm.backward((x * y).sum())\n"
                "calls"
            ),
            (
                "gm = GradManager().attach([x], callbacks=lambda t, g: None)\n"
                "with gm:\n"
                "    gm.backward((x * y).sum())\n"
                "x.grad"
            ),
            (
                "gm = GradManager().attach([x], callbacks=lambda t, g: g * 2).attach([x], "
                "callbacks=lambda t, g: g + 1)\n"
                "with gm:\n"
                "    gm.backward((x * y).sum())\n"
                "x.grad"
            ),
            (
                "calls = []\n"
                "gm = GradManager().attach([x, y], callbacks=lambda t, "
                "g: calls.append('x' if t is x else 'y') or g)\n"
                "with gm:\n"
                "    gm.backward((x * 2).sum())\n"
                "calls"
            ),
            (
                "gm = GradManager().attach([x], callbacks=lambda t, g: F.clip(g, -0.1, 0.1))\n"
                "with gm:\n"
                "    gm.backward((x * y).sum())\n"
                "x.grad"
            ),
            (
                "gm = GradManager().attach([x], callbacks=lambda t, g: 1 / 0)\n"
                "with gm:\n"
                "    gm.backward((x * y).sum())\n"
                "x.grad"
            ),
            (
                "gm = GradManager().attach([x], callbacks=lambda t, g: g * 2)\n"
                "for i in range(2):\n"
                "    with gm:\n"
                "        gm.backward((x * y).sum())\n"
                "x.grad"
            ),
            "gm = GradManager().attach([x], callbacks=3)",
        ],
        x=f32(2, 3),
        y=f32(2, 3),
    ),
    case(
        "misuse",
        [
            START + "gm.backward((x * y).sum())",
            within("gm.backward((x * y).sum())\ngm.backward((x * y).sum())", "x.grad"),
            START + "gm.record(); gm.record()",
            START + "gm.release()",
            START + "gm.record(); gm.release(); gm.release()",
            START + "gm.record(); z = (x * y).sum(); gm.backward(z); (x.grad, y.grad)",
            START + "gm.record(); z = (x * y).sum(); gm.release(); gm.backward(z)",
            START + "z = (x * y).sum()\nwith gm:\n    gm.backward(z)\n(x.grad, y.grad)",
            within("z = x * y", "gm.backward(z)"),
            within("gm.backward(3)", "x.grad"),
            within("gm.backward('a')", "x.grad"),
            within("gm.backward(x * y, dy=Tensor([1.0, 2.0]))", "x.grad"),
            within("gm.backward([x * y, x], [Tensor(1.0)])", "x.grad"),
            within("gm.backward(x * y, 'a')", "x.grad"),
            START + "with gm:\n    pass\n(x.grad, y.grad)",
            START
            + (
                "try:\n"
                "    with gm:\n"
                "        1 / 0\n"
                "except ZeroDivisionError:\n"
                "    pass\n"
                "with gm:\n"
                "    gm.backward((x * y).sum())\n"
                "x.grad"
            ),
            "with GradManager() as gm:\n    out = type(gm).__name__\nout",
            within("gm.backward((x * y).sum())\nz = x * 2", "z"),
            START
            + "gm.record(); gm.backward((x * y).sum()); gm.record(); gm.backward((x * 2).sum()); (x.grad, y.grad)",
        ],
        x=f32(2, 3),
        y=f32(2, 3),
    ),
    case(
        "nested",
        [
            (
                "outer, inner = GradManager().attach(x), GradManager().attach(x)\n"
                "with outer:\n"
                "    with inner:\n"
                "        y = x ** 3\n"
                "        inner.backward(y)\n"
                "    g = x.grad; x.grad = None\n"
                "    outer.backward(g)\n"
                "(g, x.grad)"
            ),
            (
                "outer, inner = GradManager().attach(x), GradManager().attach(x)\n"
                "with outer:\n"
                "    with inner:\n"
                "        y = (x ** 3).sum()\n"
                "        inner.backward(y)\n"
                "    g = x.grad; x.grad = None\n"
                "    outer.backward((g ** 2).sum())\n"
                "(g, x.grad)"
            ),
            (
                "outer, inner = GradManager().attach([x]), GradManager().attach([x])\n"
                "with outer:\n"
                "    with inner:\n"
                "        inner.backward(F.exp(x) * F.sin(x))\n"
                "    g = x.grad; x.grad = None\n"
                "    outer.backward(g, Tensor(ramp((3,))))\n"
                "x.grad"
            ),
            (
                "gms = [GradManager().attach(x) for _ in range(3)]\n"
                "with gms[0]:\n"
                "    with gms[1]:\n"
                "        with gms[2]:\n"
                "            gms[2].backward(x ** 4)\n"
                "        g = x.grad; x.grad = None\n"
                "        gms[1].backward(g)\n"
                "    g = x.grad; x.grad = None\n"
                "    gms[0].backward(g)\n"
                "x.grad"
            ),
            (
                "a, b = GradManager().attach(x), GradManager().attach(w)\n"
                "with a, b:\n"
                "    y = x * w\n"
                "    a.backward(y.sum())\n"
                "    b.backward(y.sum())\n"
                "(x.grad, w.grad)"
            ),
            (
                "a, b = GradManager().attach(x), GradManager().attach(w)\n"
                "with a | b:\n"
                "    y = (x * w).sum()\n"
                "    a.backward(y)\n"
                "    b.backward(y)\n"
                "(x.grad, w.grad)"
            ),
            (
                "outer, inner = GradManager().attach(w), GradManager().attach(x)\n"
                "with outer:\n"
                "    with inner:\n"
                "        y = (x * w * w).sum()\n"
                "        inner.backward(y)\n"
                "    outer.backward((x.grad ** 2).sum())\n"
                "w.grad"
            ),
            (
                "outer, inner = GradManager().attach(x), GradManager().attach(x)\n"
                "with outer:\n"
                "    with inner:\n"
                "        inner.backward(F.nn.relu(x) * x)\n"
                "    g = x.grad; x.grad = None\n"
                "    outer.backward(g)\n"
                "x.grad"
            ),
            (
                "outer, inner = GradManager().attach(x), GradManager().attach(x)\n"
                "with outer:\n"
                "    with inner:\n"
                "        inner.backward((x * x).sum() / x.sum())\n"
                "    g = x.grad; x.grad = None\n"
                "    outer.backward(g)\n"
                "x.grad"
            ),
            (
                "outer, inner = GradManager().attach(x), GradManager().attach(x)\n"
                "with outer:\n"
                "    with inner:\n"
                "        inner.backward(F.log(x * x + 1) * F.tanh(x))\n"
                "    g = x.grad; x.grad = None\n"
                "    outer.backward(g)\n"
                "x.grad"
            ),
        ],
        x=f32(3, low=0.5),
        w=f32(3),
    ),
    case(
        "function",
        [
            (
                "class Double(Function):\n"
                "    def forward(self, x):\n"
                "        return x * 2\n"
                "    def backward(self, dy):\n"
                "        return dy * 10\n"
                "gm = GradManager().attach(x)\n"
                "with gm:\n"
                "    y = Double()(x)\n"
                "    gm.backward(y)\n"
                "(y, x.grad)"
            ),
            (
                "class Product(Function):\n"
                "    def forward(self, x, w):\n"
                "        self.x, self.w = x, w\n"
                "        return x * w\n"
                "    def backward(self, dy):\n"
                "        return dy * self.w, dy * self.x\n"
                "gm = GradManager().attach([x, w])\n"
                "with gm:\n"
                "    y = Product()(x, w)\n"
                "    gm.backward(y * 3)\n"
                "(y, x.grad, w.grad)"
            ),
            (
                "class Two(Function):\n"
                "    def forward(self, x):\n"
                "        return x * 2, x * 3\n"
                "    def backward(self, da, db):\n"
                "        return da * 5 + db * 7\n"
                "gm = GradManager().attach(x)\n"
                "with gm:\n"
                "    a, b = Two()(x)\n"
                "    gm.backward(a + b * 2)\n"
                "(a, b, x.grad)"
            ),
            (
                "class Skip(Function):\n"
                "    def forward(self, x, w):\n"
                "        return x * w\n"
                "    def backward(self, dy):\n"
                "        return dy, None\n"
                "gm = GradManager().attach([x, w])\n"
                "with gm:\n"
                "    gm.backward(Skip()(x, w))\n"
                "(x.grad, w.grad)"
            ),
            (
                "class Plain(Function):\n"
                "    def forward(self, x):\n"
                "        return F.exp(x)\n"
                "    def backward(self, dy):\n"
                "        return dy\n"
                "Plain()(x)"
            ),
            (
                "class Plain(Function):\n"
                "    def forward(self, x):\n"
                "        return F.exp(x)\n"
                "    def backward(self, dy):\n"
                "        return dy\n"
                "Plain()(3.0)"
            ),
            (
                "class None_(Function):\n"
                "    def forward(self, x):\n"
                "        return F.exp(x)\n"
                "    def backward(self, dy):\n"
                "        return None\n"
                "gm = GradManager().attach(x)\n"
                "with gm:\n"
                "    gm.backward(None_()(x))\n"
                "x.grad"
            ),
            (
                "class Bad(Function):\n"
                "    def forward(self, x):\n"
                "        return F.exp(x)\n"
                "gm = GradManager().attach(x)\n"
                "with gm:\n"
                "    gm.backward(Bad()(x))\n"
                "x.grad"
            ),
            "Function()(x)",
            (
                "class Inner(Function):\n"
                "    def forward(self, x):\n"
                "        return F.exp(x)\n"
                "    def backward(self, dy):\n"
                "        return dy * 2\n"
                "gm = GradManager().attach(x)\n"
                "with gm:\n"
                "    gm.backward(Inner()(x * 3) * w)\n"
                "x.grad"
            ),
            (
                "class Saved(Function):\n"
                "    def forward(self, x):\n"
                "        self.y = 1 / (1 + F.exp(-x))\n"
                "        return self.y\n"
                "    def backward(self, dy):\n"
                "        return dy * self.y * (1 - self.y)\n"
                "gm = GradManager().attach(x)\n"
                "with gm:\n"
                "    gm.backward(Saved()(x).sum())\n"
                "x.grad"
            ),
            (
                "class Unused(Function):\n"
                "    def forward(self, x):\n"
                "        return x * 2, x * 3\n"
                "    def backward(self, da, db):\n"
                "        return (da if da is not None else 0) + (100 if db is None else db)\n"
                "gm = GradManager().attach(x)\n"
                "with gm:\n"
                "    a, b = Unused()(x)\n"
                "    gm.backward(a)\n"
                "x.grad"
            ),
            (
                "class Twice(Function):\n"
                "    def forward(self, x):\n"
                "        return x * 2\n"
                "    def backward(self, dy):\n"
                "        return dy * 10\n"
                "f = Twice()\n"
                "gm = GradManager().attach(x)\n"
                "with gm:\n"
                "    gm.backward(f(x) + f(x * 2))\n"
                "x.grad"
            ),
        ],
        x=f32(3),
        w=f32(3),
    ),
    case(
        "shared",
        [
            within("a = x * 2\nb = a + y\nc = a * b\ngm.backward((c + a).sum())", "(x.grad, y.grad)"),
            within("a = x\nfor i in range(5):\n    a = a * y + x\ngm.backward(a.sum())", "(x.grad, y.grad)"),
            within("a = F.exp(x)\na += y\na *= a\ngm.backward(a)", "(x.grad, y.grad)"),
            within("a = x * 1\na[0] = y[1] * 2\ngm.backward(a * x)", "(x.grad, y.grad)"),
            within("a, b, c = F.split(x, 3, axis=1)\ngm.backward(a * b + c)", "(x.grad, y.grad)"),
            within("gm.backward(F.concat([x, y]) * F.concat([y, x]))", "(x.grad, y.grad)"),
            within("gm.backward((x * 0 * y).sum())", "(x.grad, y.grad)"),
            within("x2 = x.reshape(3, 2)\ngm.backward((x2 @ y).sum())", "(x.grad, y.grad)"),
        ],
        x=f32(2, 3),
        y=f32(2, 3),
    ),
]
