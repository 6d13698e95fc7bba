"""Quantization: rounding with its gradients, observers, layers for training, and products of integers."""

from __future__ import annotations

from ..spec import Refused, Wrong, case, f32, given, i8, i32

D = "import megengine.core.tensor.dtype as D; import megengine.quantization as Q; "
U = f"{D}from megengine.quantization.utils import tqt_forward, lsq_forward; "
APPLIED = f"{D}from megengine.core._imperative_rt.core2 import apply; from megengine.core.ops import builtin; "
SYM = "Q.create_qparams(Q.QuantMode.SYMMERTIC, 'qint8', {})"
ASYM = "Q.create_qparams(Q.QuantMode.ASYMMERTIC, 'quint8', {}, {})"
HALVES = [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 126.5, 127.5, 200.0, -128.5, -129.0]
# Integers as quantised tensors: x of scale 0.0371, w of 0.0123, b with the product of both.
INTS = D + "q = lambda t, d: Tensor(t.numpy().astype(d)); x = q(x, D.qint8(0.0371)); w = q(w, D.qint8(0.0123)); "
S = "np.float32(0.0371) * np.float32(0.0123)"
B = f"{INTS}b = q(b, D.qint32({S})); "
HELD = "; (y, y.dtype.metadata['mgb_dtype']['name'], D.get_scale(y.dtype))"
CONV = "F.quantized.conv_bias_activation(x, w, b, "
LOW_BITS = ("qint4", "quint4", "qint2", "quint2", "qint1")
FULL = {"low": -128, "high": 128}


def conv(name: str, shape: tuple[int, ...], kernel: tuple[int, ...], channels: int, *settings: str):
    """A convolution of integers with each of these settings."""
    sources = [f"{B}y = {CONV}{s}){HELD}" for s in settings]
    return case(
        name, sources, x=i8(*shape, **FULL), w=i8(*kernel, **FULL), b=i32(1, channels, 1, 1, low=-9000, high=9000)
    )


# A layer for training: two steps, evaluation, then integers.
LAYER = (
    D + "import megengine.module as M; {make}; Q.quantize_qat(net, qconfig=Q.{config}); net[1].{weight} = {parameter}; "
    "out = [net(x), net(2 * x)]; net.eval(); out.append(net(x)); n = Q.quantize(net, inplace=False); n.eval(); "
    "(*out, n(x), D.get_scale(n[1].weight.dtype), {more})"
)


def layer(
    make: str, config: str = "min_max_fakequant_qconfig", weight: str = "weight", shape: str = "w", more: str = "0"
):
    """The source of what a layer between stubs gives."""
    made = f"net = M.Sequential(M.QuantStub(), {make}, M.DequantStub())"
    return LAYER.format(make=made, config=config, weight=weight, parameter=f"mge.Parameter({shape})", more=more)


def seen(observer: str, *more: str) -> str:
    """The source of what an observer has found after three tensors."""
    return (
        f"{D}o = Q.{observer}; [o(t) for t in (x, 2 * x + 0.1, 0.5 * x)]; p = o.get_qparams(); "
        f"(p.scale, p.zero_point, p.mode.name, p.dtype_meta.name, {''.join(m + ', ' for m in more)})"
    )


CASES = [
    case(
        "fake_quant",
        [
            f"{D}Q.fake_quant_tensor(x, {SYM.format('Tensor(0.05)')})",
            f"{D}Q.fake_quant_tensor(x, {SYM.format('Tensor([0.01])')})",
            f"{D}Q.fake_quant_tensor(x, {ASYM.format('Tensor(0.01)', 'Tensor(100.0)')})",
            f"{D}Q.fake_quant_tensor(x, {ASYM.format('Tensor([[0.01], [0.02]])', 'Tensor([[100.0], [3.0]])')})",
            f"{D}Q.fake_quant_tensor(x, Q.create_qparams(Q.QuantMode.SYMMERTIC, 'qint4', Tensor(0.125)))",
        ],
        x=f32(2, 6),
        grad=True,
    ),
    case(
        "fake_quant_halves",
        [f"{D}Q.fake_quant_tensor(x, {SYM.format('Tensor(1.0)')})", f"{D}Q.utils.Round()(x)"],
        x=given(HALVES),
        grad=True,
    ),
    case("fake_quant_nan", f"{D}Q.fake_quant_tensor(x / 0, {SYM.format('Tensor(1.0)')})", x=given([0.0, 1.0, -1.0])),
    case(
        "learned_steps",
        [
            f"{U}tqt_forward(-8, 7, x, s)",
            f"{U}tqt_forward(-127, 127, x, s - 3)",
            f"{U}lsq_forward(-8, 7, x, s)",
            f"{U}lsq_forward(-8, 7, x, s, Tensor([1.0]), Tensor([0.5]))",
            f"{U}lsq_forward(0, 3, x, F.abs(s) + 0.01, Tensor([1.0]), Tensor([2.0]))",
        ],
        x=f32(3, 7),
        s=given([0.25]),
        grad=True,
        rtol=1e-5,
    ),
    case(
        "applied_one_by_one",
        [
            f"{APPLIED}apply(builtin.FakeQuant(qmin=-8, qmax=7), x, Tensor([0.25]), Tensor([1.0]))",
            f"{APPLIED}apply(builtin.TQT(qmin=-8, qmax=7), x, Tensor([-2.0]))",
            f"{APPLIED}apply(builtin.LSQ(qmin=-8, qmax=7), x, Tensor([0.25]), Tensor([0.0]), Tensor([1.0]))",
            f"{APPLIED}q = Tensor(np.int8([1, 2, -3]).astype(D.qint8(0.5))); "
            "y = apply(builtin.ElemwiseMultiType(mode='qadd', dtype=D.qint8(0.25)), q, q)[0]" + HELD,
        ],
        x=f32(3, 7),
    ),
    case(
        "fake_quant_bias",
        [
            f"{D}x.qparams.update({SYM.format('Tensor(0.1)')}); w.qparams.update({SYM.format('Tensor(0.2)')}); "
            "y = Q.fake_quant_bias(b, x, w); (y, y.qparams.scale, y.qparams.dtype_meta.name)",
            f"{D}Q.fake_quant_bias(b, x, w) is b",
            f"{D}Q.fake_quant_bias(None, x, w)",
            f"{D}x.qparams.update({ASYM.format('Tensor(0.1)', 'Tensor(3.0)')}); w.qparams.update({SYM.format('Tensor(0.2)')}); "
            "Q.fake_quant_bias(b, x, w) is b",
        ],
        x=f32(2),
        w=f32(2),
        b=f32(4),
    ),
    case(
        "observers",
        [
            seen("MinMaxObserver()", "o.min_val", "o.max_val"),
            seen("MinMaxObserver(mode=Q.QuantMode.ASYMMERTIC, dtype='quint8')"),
            seen("MinMaxObserver(dtype='qint4', eps=0.5)"),
            seen("SyncMinMaxObserver(dtype='qint8_narrow')"),
            seen("ExponentialMovingAverageObserver(momentum=0.7)", "o.min_val", "o.max_val", "o.runtime_momentum"),
            seen("SyncExponentialMovingAverageObserver()", "D.get_scale(o.get_quantized_dtype())"),
            seen("HistogramObserver(bins=64)", "o.histogram", "o.min_val", "o.max_val"),
            seen("HistogramObserver(bins=512, upsample_rate=16, dtype='qint4')", "o.min_val", "o.max_val"),
            seen("HistogramObserver(mode=Q.QuantMode.ASYMMERTIC, dtype='quint8')"),
            f"{D}o = Q.MinMaxObserver(); o.eval(); o(x); (o.enabled, o.max_val)",
            f"{D}o = Q.PassiveObserver('qint8'); o.set_qparams({SYM.format('Tensor(1.0)')}); o.scale = np.float32(0.5); "
            "(o.scale, o.orig_scale, o(x) is x)",
            f"{D}Q.MinMaxObserver(dtype='qint9')",
            f"{D}Q.PassiveObserver('qint8').set_qparams({SYM.format('None')})",
        ],
        x=f32(5, 40, low=-3, high=4),
    ),
    case(
        "fake_quantize_layers",
        [
            f"{D}f = Q.FakeQuantize('qint8'); f(x, {SYM.format('Tensor(0.05)')})",
            f"{D}f = Q.FakeQuantize('qint8', enable=False); f(x, None) is x",
            f"{D}f = Q.FakeQuantize('qint4'); f(x, {SYM.format('Tensor(0.05)')})",
            f"{D}f = Q.TQT('qint8'); f.set_qparams({SYM.format('Tensor(0.05)')}); (f(x), f.scale, f.get_qparams().scale)",
            f"{D}f = Q.LSQ('qint8'); f.set_qparams({SYM.format('Tensor(0.05)')}); (f(x), f.step_size, f.get_qparams().scale)",
            f"{D}sorted(dict(Q.LSQ('qint8').named_parameters())), Q.FakeQuantize('qint8_narrow').qmin",
            f"{D}Q.FakeQuantize('other')",
        ],
        x=f32(2, 5, low=-9, high=9),
        rtol=1e-5,
    ),
    conv(
        "conv_bias_activation",
        (2, 8, 7, 9),
        (6, 8, 3, 3),
        6,
        "dtype=D.qint8(0.4)",
        "D.qint8(0.1), 2, 1, 2",
        "dtype=D.qint8(0.3), padding=(1, 0), nonlinear_mode='relu'",
        "dtype=D.qint8(0.3), nonlinear_mode='h_swish'",
        f"dtype=D.qint32({S})",
        "padding=1",
    ),
    conv(
        "conv_bias_pointwise",
        (2, 16, 5, 5),
        (12, 16, 1, 1),
        12,
        "D.qint8(0.4)",
        "D.qint8(0.4), 2, nonlinear_mode='relu'",
    ),
    conv(
        "conv_bias_groups", (2, 8, 6, 6), (4, 3, 2, 3, 3), 12, "D.qint8(0.2), groups=4", "D.qint8(0.2), 2, 1, groups=4"
    ),
    conv(
        "conv_bias_depthwise",
        (2, 8, 6, 6),
        (8, 1, 1, 3, 3),
        8,
        "D.qint8(0.1), padding=1, groups=8",
        "D.qint8(0.1), 2, groups=8",
    ),
    conv("conv_bias_deep", (1, 300, 3, 3), (2, 300, 3, 3), 2, "D.qint8(2.0)", f"D.qint32({S})"),
    case(
        "conv_bias_unsigned",
        [
            f"{D}q = lambda t, d: Tensor(t.numpy().astype(d)); x = q(x, D.quint8(0.0371, 120)); w = q(w, D.quint8(0.0123, 130)); "
            f"b = q(b, D.qint32({S})); y = {CONV}{settings}){HELD}"
            for settings in (
                "D.quint8(0.3, 100)",
                "D.quint8(0.3, 100), 1, 1",
                "D.quint8(0.3, 7), nonlinear_mode='relu'",
            )
        ],
        x=i32(2, 6, 5, 5, low=0, high=256),
        w=i32(4, 6, 3, 3, low=0, high=256),
        b=i32(1, 4, 1, 1, low=-9000, high=9000),
    ),
    case(
        "conv_bias_of_four_bits",
        [
            f"{D}q = lambda t, d: Tensor(t.numpy().astype(d)); x = q(x, D.qint4(0.0371)); w = q(w, D.qint4(0.0123)); "
            f"b = q(b, D.qint32({S})); y = {CONV}{settings}){HELD}"
            for settings in ("D.qint4(0.01)", "D.qint4(0.01), 1, 1, nonlinear_mode='relu'")
        ],
        x=i8(2, 6, 5, 5, low=-8, high=8),
        w=i8(4, 6, 3, 3, low=-8, high=8),
        b=i32(1, 4, 1, 1, low=-90, high=90),
    ),
    case(
        "conv_bias_refusals",
        [
            Wrong(
                f"{INTS}{CONV.replace(', b', '')}F.zeros((1, 2, 1, 1)), D.qint8(0.1))",
                "ends the process",
                raises=("RuntimeError",),
            ),
            f"{B}{CONV}D.qint8(0.1), groups=2)",
            f"{B}{CONV}D.quint8(0.1, 3))",
        ],
        x=i8(1, 2, 3, 3),
        w=i8(2, 2, 1, 1),
        b=i32(1, 2, 1, 1),
    ),
    case(
        "batch_conv_bias_activation",
        [
            f"{B}y = F.quantized.batch_{CONV.split('.')[2]}D.qint8(0.2)){HELD}",
            f"{B}y = F.quantized.batch_{CONV.split('.')[2]}D.qint8(0.2), 2, 1, nonlinear_mode='relu'){HELD}",
        ],
        x=i8(2, 4, 5, 5, **FULL),
        w=i8(2, 3, 4, 3, 3, **FULL),
        b=i32(1, 3, 1, 1, low=-9000, high=9000),
    ),
    case(
        "quantized_conv_transpose2d",
        [
            f"{INTS}y = F.quantized.conv_transpose2d(x, w, dtype=D.qint8(0.2)){HELD}",
            f"{INTS}y = F.quantized.conv_transpose2d(x, w){HELD}",
            f"{INTS}y = F.quantized.conv_transpose2d(x, w, None, D.qint8(0.2), (2, 2), (1, 1), (1, 1), (1, 1)){HELD}",
            f"{INTS}F.quantized.conv_transpose2d(x, w, groups=2)",
            Refused(
                f"{INTS}F.quantized.conv_transpose2d(x, w, q(F.zeros((1, 3, 1, 1)), D.qint32({S})), D.qint8(0.2)).shape",
                "(2, 3, 6, 6)",
            ),
        ],
        x=i8(2, 4, 4, 4, **FULL),
        w=i8(4, 3, 3, 3, **FULL),
    ),
    case(
        "quantized_products",
        [
            f"{INTS}y = F.matmul(x, w, transpose_b=True){HELD}",
            f"{INTS}y = F.linear(x, w){HELD}",
            f"{B}y = F.linear(x, w, b){HELD}",
            f"{B}y = F.linear(x, w, b).astype(D.qint8(0.3)){HELD}",
            f"{INTS}F.linear(x, w, q(b, D.qint32(0.5)))",
            "F.linear(x, w)",
        ],
        x=i8(3, 12, **FULL),
        w=i8(5, 12, **FULL),
        b=i32(5, low=-9000, high=9000),
    ),
    case(
        "unsigned_pooling",
        [
            f"{D}x = x.astype(D.quint8(0.05, {zero})); y = F.{expr}{HELD}"
            for zero in (0, 80)
            for expr in (
                "max_pool2d(x, 3, 2, 1)",
                "avg_pool2d(x, 2)",
                "avg_pool2d(x, 3, 2, 1)",
                "avg_pool2d(x, 3, 2, 1, 'average')",
                "avg_pool2d(x, 2, 2, 1, 'average')",
                "adaptive_avg_pool2d(x, 2)",
                "adaptive_max_pool2d(x, 2)",
            )
        ],
        x=f32(1, 2, 5, 5, low=-4, high=6),
    ),
    case(
        "low_bits",
        [
            f"{D}p = Q.create_qparams(Q.QuantMode.{mode}, '{kind}', Tensor(0.5), Tensor(3.0)); Q.fake_quant_tensor(x, p)"
            for kind in LOW_BITS
            for mode in ("SYMMERTIC", "ASYMMERTIC")
        ]
        + [
            f"{D}o = Q.{observer}(mode=Q.QuantMode.{mode}, dtype='{kind}'); o(x); p = o.get_qparams(); (p.scale, p.zero_point)"
            for kind in LOW_BITS
            for mode in ("SYMMERTIC", "ASYMMERTIC")
            for observer in ("MinMaxObserver", "HistogramObserver", "ExponentialMovingAverageObserver")
        ]
        + [
            f"{D}c = Q.ema_lowbit_fakequant_qconfig; (o, r) = (c.{part}_observer(), c.{part}_fake_quant()); o(x); "
            "r(x, o.get_qparams())"
            for part in ("weight", "act")
        ],
        x=given([-9, -1.3, -0.6, -0.5, 0, 0.3, 0.5, 1.5, 3, 7.4, 100]),
    ),
    case(
        "quantized_moved_on",
        [
            f"{D}x = Tensor(x.numpy().astype(D.qint8(0.1))); y = {expr}{HELD}"
            for expr in (
                "F.relu(x)",
                "-x",
                "x + x",
                "x - x",
                "F.maximum(x, -x)",
                "F.minimum(x, -x)",
                "F.max_pool2d(x, 2)",
                "F.avg_pool2d(x, 2)",
                "F.avg_pool2d(x, 2, mode='average_count_exclude_padding', padding=1)",
                "F.adaptive_avg_pool2d(x, 2)",
                "F.adaptive_max_pool2d(x, 2)",
                "F.pad(x, ((0, 0), (0, 0), (1, 1), (2, 1)))",
                "F.pad(x, ((0, 0), (0, 0), (1, 1), (2, 1)), mode='reflect')",
                "F.concat([x, x], 1)",
                "x.max(axis=1)",
                "x.min()",
                "F.nn.pixel_shuffle(x, 2)",
                "F.repeat(x, 2, 1)",
                "F.stack([x, x])",
            )
        ],
        x=i8(1, 4, 6, 6, **FULL),
    ),
    case(
        "quantized_elemwise",
        [
            f"{D}from megengine.functional.elemwise import _elemwise_multi_type as m; x = Tensor(x.numpy().astype(D.qint8(0.05))); "
            f"z = Tensor(z.numpy().astype(D.qint8(0.03))); y = m({args}, mode={mode!r}, dtype=D.qint8(0.1)){HELD}"
            for mode, args in (
                ("qadd", "x, z"),
                ("qsub", "x, z"),
                ("qmul", "x, z"),
                ("qfuse_add_relu", "x, z"),
                ("qmax", "x, z"),
                ("qmin", "x, z"),
                ("qrelu", "x"),
                ("qabs", "x"),
                ("qsigmoid", "x"),
                ("qtanh", "x"),
                ("qexp", "z"),
                ("qh_swish", "x"),
                ("qsin", "x"),
                ("qfuse_add_tanh", "x, z"),
                ("qfuse_add_sigmoid", "x, z"),
                ("qfuse_add_h_swish", "x, z"),
                ("qnegate", "x"),
                ("qfuse_mul_add3", "x, z, x"),
                ("qfloor", "x"),
                ("qround", "x"),
            )
        ],
        x=i8(4, 30, **FULL),
        z=i8(4, 30, **FULL),
    ),
    case(
        "quantized_convolution_layers",
        [
            layer("M.Conv2d(3, 4, 3)"),
            layer("M.ConvRelu2d(3, 4, 3, padding=1)", "ema_fakequant_qconfig"),
            layer("M.Conv2d(3, 4, 3, padding=1, padding_mode='reflect')", "sync_ema_fakequant_qconfig"),
            layer("M.ConvBn2d(3, 4, 3)", weight="conv.weight", more="net[1].bn.running_mean"),
            layer(
                "M.ConvBnRelu2d(3, 4, 3, bias=False)",
                "ema_fakequant_qconfig",
                "conv.weight",
                more="net[1].bn.running_var",
            ),
            layer("M.ConvTranspose2d(3, 4, 3, bias=False)", shape="w.transpose(1, 0, 2, 3)"),
            layer("M.Conv2d(3, 4, 3)", "ema_lowbit_fakequant_qconfig"),
        ],
        x=f32(2, 3, 6, 6),
        w=f32(4, 3, 3, 3),
        rtol=2e-5,
        atol=2e-5,
    ),
    case(
        "quantized_linear_layers",
        [
            layer("M.Linear(6, 4)"),
            layer("M.LinearRelu(6, 4)", "ema_fakequant_qconfig"),
            layer("M.LinearBn1d(6, 4)", weight="linear.weight", more="net[1].bn.running_mean"),
            layer("M.LinearBnRelu1d(6, 4)", weight="linear.weight", more="net[1].bn.running_var"),
        ],
        x=f32(5, 6),
        w=f32(4, 6),
        rtol=2e-5,
        atol=2e-5,
    ),
    case(
        "quantized_joined",
        [
            f"{D}import megengine.module as M; m = Q.quantize_qat(M.Sequential(M.{make}), qconfig=Q.min_max_fakequant_qconfig)[0]; "
            f"u, v = (Q.fake_quant_tensor(t, {SYM.format('Tensor(s)')}) for t, s in ((x, 0.05), (y, 0.03))); a = m({args}); m.eval(); "
            "n = Q.quantize(M.Sequential(m))[0]; n.eval(); u, v = u.astype(D.qint8(0.05)), v.astype(D.qint8(0.03)); "
            f"r = n({args}); (a, r, D.get_scale(r.dtype))"
            for make, args in (
                ("Elemwise('add')", "u, v"),
                ("Elemwise('fuse_add_relu')", "u, v"),
                ("Concat()", "[u, v]"),
            )
        ],
        x=f32(3, 8),
        y=f32(3, 8),
        rtol=1e-5,
    ),
    case(
        "quantized_searches",
        [
            f"{D}import megengine.module as M; net = M.Sequential(M.QuantStub(), M.Linear(6, 4), M.DequantStub()); "
            "net[1].weight = mge.Parameter(w); Q.quantize_qat(net, qconfig=Q.min_max_fakequant_qconfig); net(x); "
            "Q.reset_qconfig(net, Q.easyquant_qconfig); Q.apply_easy_quant(net, x, 0.7, 1.2, 11); "
            "(net[0].act_observer.scale, net[1].weight_observer.scale, net[1].act_observer.scale)",
            f"{D}import megengine.module as M; net = M.Sequential(M.QuantStub(), M.Linear(6, 4), M.DequantStub()); "
            "net[1].weight = mge.Parameter(w); Q.quantize_qat(net, qconfig=Q.calibration_qconfig); net(x); net(2 * x); net.eval(); "
            "n = Q.quantize(net); n.eval(); (n(x), D.get_scale(n[0].output_dtype), D.get_scale(n[1].output_dtype))",
            f"{D}import megengine.module as M; net = M.Sequential(M.QuantStub(), M.Linear(6, 4), M.DequantStub()); "
            "net[1].weight = mge.Parameter(w); Q.quantize_qat(net, qconfig=Q.min_max_fakequant_qconfig); net(x); "
            "Q.reset_qconfig(net, Q.tqt_qconfig); (net(x), net[1].weight_fake_quant.scale, repr(net))",
        ],
        x=f32(5, 6),
        w=f32(4, 6),
        rtol=2e-5,
        atol=2e-5,
    ),
]
