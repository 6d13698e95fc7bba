"""Mixed precision: which operations are cast to what, with which gradients, and the scaling of gradients."""

from __future__ import annotations

from ..spec import Wrong, case, f16, f32, given


def under(*exprs: str, **options: str) -> list[str]:
    """The expressions inside of autocast."""
    settings = ", ".join("%s=%r" % pair for pair in options.items())
    return ["with mge.amp.autocast(%s):\n    y = %s\ny" % (settings, e) for e in exprs]


PRODUCTS = [
    "F.matmul(a, b)",
    "a @ b",
    "F.matmul(a, b[:, 0])",
    "F.matmul(a, b.transpose(1, 0), transpose_b=True)",
    "F.matmul(F.stack([a, a]), F.stack([b, b]))",
    "F.matmul(a[0], b[:, 0])",
    "F.dot(a[0], b[:, 0])",
    "F.linear(a, b.transpose(1, 0))",
    "F.linear(a, b.transpose(1, 0), v)",
    "F.linear(F.stack([a, a]), b.transpose(1, 0), v)",
]
CONVOLUTIONS = [
    "F.conv2d(x, k)",
    "F.conv2d(x, k, c, stride=2, padding=1)",
    "F.conv2d(x, k.reshape(2, 1, 2, 3, 3), groups=2)",
    "F.conv1d(x.reshape(2, 4, 25), k.reshape(4, 4, 9), c.reshape(1, 4, 1))",
    "F.conv_transpose2d(x, k)",
    "F.conv_transpose2d(x, k, stride=2)",
    "F.conv3d(F.expand_dims(x, 2), F.expand_dims(k, 2))",
    "F.conv_transpose3d(F.expand_dims(x, 2), F.expand_dims(k, 2))",
]
ELEMENTWISE = [
    "p / q",
    "p / 2",
    "1 / p",
    "p ** 2",
    "p ** 2.5",
    "p ** q",
    *["F.%s(p)" % n for n in ("exp", "log", "sqrt", "expm1", "log1p", "sin", "cos", "tan", "sinh", "cosh", "asinh")],
    *["F.%s(p / 8)" % n for n in ("asin", "acos", "atan", "atanh")],
    "F.acosh(p + 1)",
    "F.atan2(p, q)",
    "F.logaddexp(p, q)",
    "F.softplus(p)",
    "F.logsigmoid(p)",
    "F.hsigmoid(p)",
    # these keep their dtype
    "p + q",
    "p * 2",
    "p // q",
    "p % q",
    *["F.%s(p)" % n for n in ("square", "tanh", "sigmoid", "gelu", "silu", "hswish", "relu", "leaky_relu", "abs")],
    "F.maximum(p, q)",
    "F.clip(p, 0.5, 1)",
    "F.sum(p)",
    "F.mean(p)",
    "F.concat([p, p.astype('float32')])",
    "F.where(p > q, p, q)",
]
ROWS = [
    "F.softmax(a, axis=1)",
    "F.logsoftmax(a, axis=1)",
    "F.logsumexp(a, axis=1)",
    "F.norm(a, axis=1)",
    "F.normalize(a, axis=1)",
    "F.nn.cross_entropy(a, Tensor([0, 1]))",
    "F.nn.square_loss(a, a * 2)",
    "F.nn.layer_norm(a, 3, False)",
    "F.nn.layer_norm(a, 3, True, v, v)",
]
IMAGES = [
    "F.nn.group_norm(x, 2, True, s, s)",
    "F.nn.instance_norm(x, True, s, s)",
    "F.nn.batch_norm(x, training=True)",
    "F.avg_pool2d(x, 2)",
]
SCALED = "c = F.math._check_non_finite([a, b], 0.5); (c, a, b)"

TRAINING = """
net = filled(M.Sequential(
    M.Conv2d(1, 4, 3, padding=1), M.BatchNorm2d(4), M.ReLU(), M.Conv2d(4, 6, 3, stride=2, padding=1), M.ReLU(),
    M.Conv2d(6, 6, 2, stride=2),
))
head = filled(M.Linear(24, 3))
both = list(net.parameters()) + list(head.parameters())
gm, opt, scaler = GradManager().attach(both), optim.%s, mge.amp.GradScaler()
losses = []
for step in range(20):
    with gm:
        with mge.amp.autocast(enabled=%s):
            logits = head(F.flatten(net(x), 1))
            loss = F.nn.cross_entropy(logits, label)
            scaler.backward(gm, loss)
    opt.step().clear_grad()
    losses.append(loss.item())
np.array(losses, "float32")
"""


def inputs(kind) -> dict:
    return {
        "a": kind(2, 3),
        "b": kind(3, 4),
        "v": kind(4),
        "x": kind(2, 4, 5, 5),
        "k": kind(4, 4, 3, 3, low=-0.5, high=0.5),
        "c": kind(1, 4, 1, 1),
        "p": kind(3, low=0.25, high=3),
        "q": kind(3, low=0.25, high=3),
        "s": kind(4),
    }


def asked(name: str, kind, exprs: list[str], **options):
    return case(name, under(*exprs), **inputs(kind), rtol=1e-2, atol=1e-2, **options)


CASES = [
    *[
        asked("amp_%s_%s" % (what, kind.__name__), kind, exprs, grad=True)
        for kind in (f32, f16)
        for what, exprs in (
            ("products", PRODUCTS),
            ("convolutions", CONVOLUTIONS),
            ("elementwise", ELEMENTWISE),
            ("rows", ROWS[:-1]),
            ("images", IMAGES[2:3]),
        )
    ],
    # the gradient of a pooling of float16 is garbage there, as may be its maximum
    *[asked("amp_pooling_%s" % kind.__name__, kind, IMAGES[:2] + IMAGES[3:]) for kind in (f32, f16)],
    asked("amp_layer_norm", f32, ["F.nn.layer_norm(a, 3, True, b[:, 0], b[:, 0])"], grad=True),
    case(
        "amp_batch_norm",
        [
            "with mge.amp.autocast():\n    y = F.nn.batch_norm(x, m, v, w, b, training=True)\n(y, m, v)",
            "with mge.amp.autocast():\n    y = F.nn.batch_norm(x, m, v, w, b)\ny",
            "with mge.amp.autocast():\n    y = F.nn.batch_norm(x.astype('float16'), m, v, w, b)\ny",
        ],
        x=f32(2, 4, 3, 3),
        m=f32(1, 4, 1, 1),
        v=f32(1, 4, 1, 1, low=0.5, high=1),
        w=f32(1, 4, 1, 1),
        b=f32(1, 4, 1, 1),
        rtol=1e-2,
        atol=1e-2,
    ),
    case(
        "amp_modules",
        [
            "m = filled(%s)\nwith mge.amp.autocast():\n    y = m(x)\ny" % m
            for m in (
                "M.Conv2d(4, 6, 3)",
                "M.Conv2d(4, 6, 3, padding=1, groups=2)",
                "M.ConvTranspose2d(4, 6, 3, bias=False)",
                "M.BatchNorm2d(4)",
                "M.Sequential(M.Conv2d(4, 4, 3), M.BatchNorm2d(4), M.ReLU())",
                "M.Linear(5, 7)",
            )
        ],
        x=f32(2, 4, 5, 5),
        rtol=1e-2,
        atol=1e-2,
    ),
    case(
        "amp_settings",
        [
            "(mge.amp.enabled, mge.amp.low_prec_dtype, mge.amp.high_prec_dtype)",
            (
                "with mge.amp.autocast(low_prec_dtype='bfloat16', high_prec_dtype='float16'):\n"
                "    r = (mge.amp.enabled, mge.amp.low_prec_dtype, mge.amp.high_prec_dtype)\n"
                "(r, mge.amp.enabled, mge.amp.low_prec_dtype, mge.amp.high_prec_dtype)"
            ),
            (
                "@mge.amp.autocast()\n"
                "def f(x, scale=2): return (x @ x).dtype, mge.amp.enabled, scale\n"
                "(f(x), f(x, scale=3), f.__name__, (x @ x).dtype)"
            ),
            "mge.amp.enabled = True\nr = (x @ x).dtype\nmge.amp.enabled = False\n(r, (x @ x).dtype)",
            Wrong(
                "with mge.amp.autocast():\n    with mge.amp.autocast(enabled=False):\n        y = x @ x\ny",
                "an inner autocast(enabled=False) does nothing",
                right="x @ x",
            ),
            "with mge.amp.autocast(enabled=False):\n    y = x @ x\n(y, mge.amp.enabled)",
        ],
        x=f32(2, 2),
    ),
    case(
        "amp_non_finite",
        [
            "(mge.amp.GradScaler().state_dict(), list(mge.amp.GradScaler().state_dict()))",
            SCALED,
            "b[0] = inf; " + SCALED,
            "b[1] = -inf; " + SCALED,
            "a[0, 0] = nan; " + SCALED,
            "c = F.math._check_non_finite(a); (c, a)",
        ],
        a=f32(2, 3),
        b=f32(3),
    ),
    case(
        "amp_scaler",
        [
            (
                "w = Parameter([1.0, 2.0]); gm = GradManager().attach(w); s = mge.amp.GradScaler(%s); r = []\n"
                "for factor in (1.0, 2.0, inf, 3.0, nan, 1.0, 1.0):\n"
                "    with gm:\n"
                "        s.backward(gm, (w * w * factor).sum())\n"
                "    r.append((s.state_dict(), w.grad)); w.grad = None\n"
                "r"
            )
            % options
            for options in (
                "",
                "8.0, 4.0, 0.25, 2",
                "init_scale=2.0, growth_interval=1",
                "init_scale=4.0, growth_interval=0",
            )
        ]
        + [
            (
                "w = Parameter([1.0, 2.0]); gm = GradManager().attach(w); s = mge.amp.GradScaler(8.0)\n"
                "for i in range(2):\n"
                "    with gm:\n"
                "        s.backward(gm, (w * w).sum(), unscale_grad=False)\n"
                "g = w.grad.numpy(); s.unscale([w]); s.update(); (g, w.grad, s.state_dict())"
            ),
            (
                "w = Parameter([1.0, 2.0]); gm = GradManager().attach(w); s = mge.amp.GradScaler(8.0)\n"
                "with gm:\n"
                "    y = w * w\n"
                "    s.backward(gm, [y, w + 1], [Tensor([1.0, 0.5]), Tensor([2.0, 3.0])], update_scale=False)\n"
                "(w.grad, s.state_dict())"
            ),
            "s = mge.amp.GradScaler(8.0); s.update(3); s.state_dict()",
            "s = mge.amp.GradScaler(); s.load_state_dict(mge.amp.GradScaler(3.0, 4.0, 0.1, 7).state_dict()); s.state_dict()",
        ],
    ),
    case(
        "amp_training",
        [
            TRAINING % (optimizer, enabled)
            for optimizer in ("SGD(both, lr=0.05, momentum=0.9)", "Adam(both, lr=0.01)")
            for enabled in (False, True)
        ],
        x=f32(6, 1, 8, 8),
        label=given([0, 1, 2, 0, 1, 2], "int32"),
        rtol=1e-2,
        atol=5e-3,
    ),
    case(
        "amp_format",
        [
            "y = mge.amp.convert_tensor_format(x); (y is x, x.format, x.shape, x)",
            "y = mge.amp.convert_tensor_format(x, inplace=False); (y is x, x.format, y.format, y.shape, y)",
            "y = mge.amp.convert_tensor_format(v); (y is v, v.format)",
            "m = filled(M.Conv2d(4, 6, 3)); n = mge.amp.convert_module_format(m); (n is m, [t.format for t in m.tensors()])",
            (
                "m = filled(M.Conv2d(4, 6, 3)); n = mge.amp.convert_module_format(m, inplace=False)\n"
                "(n is m, [t.format for t in m.tensors()], [t.format for t in n.tensors()])"
            ),
        ],
        x=f32(2, 4, 5, 5),
        v=given([1.0, 2.0]),
        rtol=1e-4,
        atol=1e-5,
    ),
]
