"""Layers with parameters, windows or statistics: what they hold, print and compute, and how they take gradients."""

from __future__ import annotations

from ..spec import Refused, Wrong, case, f32, given, nonsense


def held(*layers: str) -> list[str]:
    """What layers hold: all tensors, parameters and buffers with shapes, and the state dict's."""
    return [
        "m = %s; [(n, tuple(t.shape)) for n, t in m.named_tensors()], [n for n, _ in m.named_parameters()], "
        "[n for n, _ in m.named_buffers()], [(n, v.shape, str(v.dtype)) for n, v in m.state_dict().items()]" % layer
        for layer in layers
    ]


def printed(*layers: str) -> list[str]:
    """Their representations."""
    return ["repr(%s)" % layer for layer in layers]


def trained(layer: str, x: str, before: str = "") -> str:
    """Output and gradients of parameters of a layer with fixed parameters."""
    return (
        "m = filled(%s); %sgm = GradManager().attach(m.parameters())\n"
        "with gm:\n"
        "    y = m(%s); gm.backward(y, Tensor(ramp(y.shape)))\n"
        "[(n, p.grad) for n, p in m.named_parameters()]" % (layer, before, x)
    )


CONVS = (
    "M.Conv1d(4, 6, 3)",
    "M.Conv1d(4, 6, 3, groups=2, bias=False)",
    "M.Conv2d(4, 6, 3)",
    "M.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), 2, groups=2)",
    "M.Conv2d(4, 4, 3, groups=4, bias=False)",
    "M.Conv3d(4, 6, 2)",
    "M.Conv3d(4, 6, 2, groups=2, bias=False)",
    "M.ConvTranspose2d(4, 6, 3)",
    "M.ConvTranspose2d(4, 6, (3, 2), groups=2, bias=False)",
    "M.ConvTranspose3d(4, 6, 2)",
    "M.ConvTranspose3d(4, 6, 2, groups=2, bias=False)",
    "M.LocalConv2d(4, 6, 5, 4, 3)",
    "M.LocalConv2d(4, 6, 5, 4, (3, 2), groups=2, stride=2, padding=1)",
    "M.DeformableConv2d(4, 6, 3)",
    "M.ConvRelu2d(4, 6, 3)",
    "M.ConvTransposeRelu2d(4, 6, 3)",
    "M.ConvBn2d(4, 6, 3)",
    "M.ConvBnRelu2d(4, 6, 3, bias=False)",
    "M.ConvTransposeBn2d(4, 6, 3)",
    "M.ConvTransposeBnRelu2d(4, 6, 3, affine=False)",
)
CONV_REPRS = [c for c in CONVS if "Conv1d" not in c]
NORMS = (
    "M.BatchNorm1d(3)",
    "M.BatchNorm2d(3)",
    "M.BatchNorm2d(3, affine=False)",
    "M.BatchNorm2d(3, track_running_stats=False)",
    "M.BatchNorm2d(3, 1e-3, 0.5, freeze=True)",
    "M.SyncBatchNorm(3)",
    "M.GroupNorm(3, 6)",
    "M.GroupNorm(3, 6, affine=False)",
    "M.InstanceNorm(3)",
    "M.LayerNorm(3)",
    "M.LayerNorm((3, 4))",
    "M.LayerNorm([3, 4], affine=False)",
    "M.GeneralNorm((3, 4), (0, 1))",
    "M.GeneralNorm((3,), 1)",
)
OTHERS = (
    "M.LinearBn1d(3, 4)",
    "M.LinearBnRelu1d(3, 4, bias=False)",
    "M.BatchMatMulActivation(2, 3, 4)",
    "M.BatchMatMulActivation(2, 3, 4, bias=False)",
    "M.Embedding(5, 2)",
    "M.MaxPool2d(2)",
    "M.MaxPool2d((3, 2), 1, (1, 0))",
    "M.AvgPool2d(2)",
    "M.AvgPool2d(3, 2, 1, 'average')",
    "M.AdaptiveMaxPool2d(2)",
    "M.AdaptiveAvgPool2d((2, 1))",
    "M.LocalResponseNorm()",
    "M.Pad(((1, 1),))",
    "M.PixelShuffle(2)",
    "M.SlidingWindow(3)",
    "M.SlidingWindowTranspose((4, 4), 3)",
    "M.DeformablePSROIPooling(True, 1, 1, 1, 1, 1.0)",
    "M.QuantStub()",
    "M.DequantStub()",
)
ATTENTION = ("M.MultiHeadAttention(4, 2)", "M.MultiHeadAttention(4, 2, bias=False, kdim=3, vdim=5)")
CHANNELS = ("RuntimeError", "ValueError", "AssertionError")


def spread(layer: str, fan: int) -> str:
    """Whether the start weights of a layer have the std 1 / sqrt(fan), and whether its bias is zero."""
    return (
        "m = %s; round(float(m.weight.numpy().std() * np.sqrt(%d)), 1), "
        "m.bias is None or not m.bias.numpy().any()" % (layer, fan)
    )


CASES = [
    case("held", held(*CONVS, *NORMS, *OTHERS, *ATTENTION)),
    case(
        "printed",
        printed(*CONV_REPRS, *NORMS, *OTHERS, "M.Conv2d(1, 2, 3, name='first')", "M.Sequential(M.ConvBn2d(1, 2, 3))")
        + [Refused("repr(M.Conv1d(4, 6, 3, 2))", "'Conv1d(4, 6, kernel_size=3, stride=2)'")],
    ),
    case(
        "start_values",
        [
            spread("M.Conv1d(40, 60, 5)", 200),
            spread("M.Conv2d(40, 60, 3)", 360),
            spread("M.Conv2d(40, 60, 3, groups=4)", 360),
            spread("M.Conv3d(20, 30, 2)", 160),
            spread("M.ConvTranspose2d(40, 60, 3)", 540),
            spread("M.ConvTranspose3d(20, 30, 2)", 160),
            spread("M.LocalConv2d(20, 30, 5, 5, 3)", 180),
            spread("M.DeformableConv2d(40, 60, 3)", 360),
            spread("M.BatchMatMulActivation(10, 20, 30)", 20),
            "round(float(M.Embedding(100, 50).weight.numpy().std()), 1)",
            (
                "w = M.MultiHeadAttention(20, 2).io_weight_bias.numpy(); "
                "bool(abs(w[:, :1600]).max() <= np.sqrt(6 / 1681)), not w[:, 1600:].any(), w.shape"
            ),
            "m = M.BatchNorm2d(2); m.weight, m.bias, m.running_mean, m.running_var",
            "m = M.LayerNorm((2, 1)); m.weight, m.bias",
            "m = filled(M.BatchNorm2d(2)); m.running_mean += 1; m.reset_parameters(); m.state_dict()",
            "m = filled(M.BatchNorm2d(2)); m.running_mean += 1; m.reset_running_stats(); m.state_dict()",
            "m = filled(M.GroupNorm(1, 2)); m.reset_parameters(); m.state_dict()",
        ],
    ),
    case(
        "convolutions",
        [
            "filled(M.Conv1d(4, 6, 3))(s)",
            "filled(M.Conv1d(4, 6, 3, 2, 1, 2))(s)",
            "filled(M.Conv1d(4, 6, 3, padding=2, padding_mode='reflect'))(s)",
            "filled(M.Conv2d(4, 6, 3))(x)",
            "filled(M.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), 1, 2))(x)",
            "filled(M.Conv2d(4, 4, 3, padding=1, groups=4, bias=False))(x)",
            "filled(M.Conv2d(4, 6, 3, padding=(1, 2), padding_mode='reflect'))(x)",
            "filled(M.Conv2d(4, 6, 3, padding=1, padding_mode='replicate'))(x)",
            "filled(M.ConvRelu2d(4, 6, 3))(x)",
            "filled(M.Conv3d(4, 2, 2))(v)",
            "filled(M.Conv3d(4, 2, 2, (1, 2, 1), 1, 1, 2))(v)",
            "filled(M.ConvTranspose2d(4, 6, 3))(x)",
            "filled(M.ConvTranspose2d(4, 6, (3, 2), 2, 1, 0, 1, 2))(x)",
            "filled(M.ConvTransposeRelu2d(4, 6, 3))(x)",
            "filled(M.ConvTranspose3d(4, 2, 2, 2))(v)",
            "filled(M.LocalConv2d(4, 6, 5, 4, 3))(x)",
            "filled(M.LocalConv2d(4, 6, 5, 4, (3, 2), 2, 1, groups=2))(x)",
            "filled(M.DeformableConv2d(4, 6, 3))(x, o, k)",
            "m = filled(M.Conv2d(4, 6, 3)); m.calc_conv(x, m.weight * 2, None)",
            "m = filled(M.ConvTranspose2d(4, 6, 3)); m.calc_conv_transpose2d(x, m.weight * 2, None)",
            "M.Conv2d(4, 6, 3, padding=(1, 2)).get_pad_witdth()",
            "M.Conv1d(4, 6, 3, padding=2).get_pad_witdth()",
        ],
        x=f32(2, 4, 5, 4),
        s=f32(2, 4, 7),
        v=f32(1, 4, 3, 3, 2),
        o=f32(2, 18, 3, 2, low=-1, high=1),
        k=f32(2, 9, 3, 2, low=0, high=1),
        grad=True,
        rtol=2e-4,
        atol=2e-4,
    ),
    case(
        "conv_settings",
        [
            "m = M.Conv2d(4, 6, 3, 2, 1, 2); m.kernel_size, m.stride, m.padding, m.dilation, m.groups, m.output_padding",
            "m = M.Conv1d(4, 6, 3, 2, 1); m.kernel_size, m.stride, m.padding, m.dilation, m.groups",
            "m = M.ConvTranspose2d(4, 6, 3, 2, output_padding=1); m.kernel_size, m.stride, m.output_padding[0]",
            "M.ConvTranspose2d.output_padding, M.ConvTranspose3d.output_padding",
            "m = M.Conv2d(4, 6, 3); m.conv_mode, m.compute_mode, m.padding_mode, m.in_channels, m.out_channels",
            "m = M.LocalConv2d(4, 6, 5, 4, 3); m.input_height, m.input_width, m.bias",
            "M.Conv2d(3, 4, 3, groups=2)",
            "M.Conv2d(4, 3, 3, groups=2)",
            "M.Conv2d(4, 4, 0)",
            "M.Conv2d(4, 4, (3, 3, 3))",
            "M.Conv2d(4, 4)",
            "M.Conv2d(4, 4, 3, padding=1, padding_mode='nosuch')(x)",
            "M.Conv2d(3, 4, 3)(x)",
            "M.Conv2d(4, 4, 9)(x)",
            Wrong("M.Conv2d(4, 4, 3, groups=0)", "says only that it divided by 0", raises=("ValueError",)),
            Refused("M.Conv1d(4, 6, 3, groups=2)(s).shape", "(2, 6, 5)"),
            Refused("M.ConvTranspose2d(4, 6, 3, 2, output_padding=1)(x).shape", "(2, 6, 12, 10)"),
            Refused("M.ConvTranspose3d(4, 6, 2, groups=2)(x.reshape(1, 4, 2, 5, 4)).shape", "(1, 6, 3, 6, 5)"),
            Refused("M.LocalConv2d(4, 6, 5, 4, 2, dilation=2)(x).shape", "(2, 6, 3, 2)"),
            "M.Conv2d(-4, 4, 3)",
            "M.Conv3d(4, 4, 3, name='a')",
            Wrong("M.LocalConv2d(4, 4, 5, 5, 3)(x)", "the input has another size", raises=CHANNELS),
            "M.ConvBn2d(4, 4, 3, eps=1e-3, momentum=0.5).bn.momentum",
        ],
        x=f32(2, 4, 5, 4),
        s=f32(2, 4, 7),
    ),
    case(
        "poolings",
        [
            "M.MaxPool2d(2)(x)",
            "M.MaxPool2d(2, 1)(x)",
            "M.MaxPool2d((3, 2), (2, 1), (1, 0))(x)",
            "M.AvgPool2d(2)(x)",
            "M.AvgPool2d(3, 2, 1)(x)",
            "M.AvgPool2d(3, 2, 1, 'average')(x)",
            "M.AdaptiveMaxPool2d(2)(x)",
            "M.AdaptiveMaxPool2d((2, 3))(x)",
            "M.AdaptiveAvgPool2d(1)(x)",
            "M.AdaptiveAvgPool2d((2, 3))(x)",
            "M.MaxPool2d(2).stride, M.MaxPool2d(2, 3).stride, M.AvgPool2d(2).mode",
            "M.LocalResponseNorm()(x)",
            "M.LocalResponseNorm(3, 1.0, 0.5, 0.5)(x)",
            "M.PixelShuffle(2)(x)",
            "M.Pad(((0, 0), (0, 0), (1, 2), (0, 1)))(x)",
            "M.Pad(((0, 0), (0, 0), (1, 2), (0, 1)), constant_val=2.0)(x)",
            "M.Pad(((0, 0), (0, 0), (1, 2), (0, 1)), 'reflect')(x)",
            "m = M.Pad(((1, 1),), 'replicate'); m.pad_width, m.mode, m.pad_val",
            "M.SlidingWindow(2)(x)",
            "M.SlidingWindow((3, 2), 1, 2)(x)",
            "M.SlidingWindowTranspose((5, 4), 2)(M.SlidingWindow(2)(x))",
            "M.QuantStub()(x) is x, M.DequantStub()(x) is x",
            "M.DeformablePSROIPooling(True, 1, 2, 2, 2, 1.0)(x, r, t)",
        ],
        x=f32(2, 4, 5, 4),
        r=given([[0, 0, 0, 3, 3], [1, 1, 1, 2, 4]]),
        t=f32(2, 2, 2, 2),
    ),
    case(
        "batch_norm",
        [
            "m = filled(M.BatchNorm2d(3)); m(x)",
            "m = filled(M.BatchNorm2d(3, momentum=0.5)); m(x); m(x * 2); m.state_dict()",
            "m = filled(M.BatchNorm2d(3)); m(x); m.eval(); m(x)",
            "m = filled(M.BatchNorm2d(3)); m.eval(); m(x); m.state_dict()",
            "m = filled(M.BatchNorm2d(3, eps=0.5)); m(x)",
            "m = M.BatchNorm2d(3, affine=False); m(x)",
            "m = M.BatchNorm2d(3, track_running_stats=False); m(x)",
            "m = M.BatchNorm2d(3, track_running_stats=False); m.eval(); m(x)",
            "m = filled(M.BatchNorm2d(3, freeze=True)); m(x)",
            "m = filled(M.BatchNorm2d(3, freeze=True)); m(x); m.state_dict()",
            "m = filled(M.BatchNorm2d(3)); m(x); m.freeze = True; m(x)",
            "m = filled(M.BatchNorm1d(3)); m(s)",
            "m = filled(M.BatchNorm1d(3)); m(q)",
            "m = filled(M.BatchNorm1d(3)); m(q); m.eval(); m(q)",
            "m = filled(M.SyncBatchNorm(3)); m(x)",
            "m = filled(M.SyncBatchNorm(3)); m(s); m.state_dict()",
            "m = filled(M.SyncBatchNorm(3)); m(q); m.eval(); m(q)",
            "m = filled(M.SyncBatchNorm(3, freeze=True)); m(x); m.state_dict()",
            "m = filled(M.ConvBn2d(3, 2, 2)); m(x)",
            "m = filled(M.ConvBnRelu2d(3, 2, 2)); m(x); m.eval(); m(x)",
            "m = filled(M.LinearBn1d(3, 2)); m(q)",
            "m = filled(M.LinearBnRelu1d(3, 2)); m(q)",
        ],
        x=f32(2, 3, 3, 2),
        s=f32(2, 3, 4),
        q=f32(4, 3),
        grad=True,
        rtol=2e-4,
        atol=2e-4,
    ),
    case(
        "batch_norm_settings",
        [
            "M.BatchNorm2d(3)(q)",
            "M.BatchNorm1d(3)(x)",
            "M.SyncBatchNorm(3)(p)",
            "M.BatchNorm2d(3, track_running_stats=False, freeze=True)",
            "m = M.BatchNorm2d(3, track_running_stats=False); m.track_running_stats = True; m(x)",
            "m = M.BatchNorm2d(3); m.num_features, m.eps, m.momentum, m.affine, m.track_running_stats, m.freeze",
            Wrong("M.BatchNorm2d(4)(x)", "the statistics of 4 channels of 3", raises=CHANNELS),
            "M.BatchNorm2d()",
            "m = filled(M.BatchNorm2d(3)); m(x); m.running_mean, m.running_var",
            "type(M.BatchNorm2d(3).running_mean).__name__",
            "m = M.BatchNorm2d(3); m.load_state_dict({k: v + 1 for k, v in m.state_dict().items()}); m.running_mean",
            (
                "m = M.BatchNorm2d(3); "
                "m.load_state_dict({k: v.reshape(1, 3, 1, 1) for k, v in m.state_dict().items()}); m.weight.shape"
            ),
            trained("M.BatchNorm2d(3)", "x"),
            trained("M.BatchNorm2d(3)", "x", "m.eval(); "),
            trained("M.BatchNorm2d(3, freeze=True)", "x"),
            trained("M.SyncBatchNorm(3)", "x"),
        ],
        x=f32(2, 3, 3, 2),
        q=f32(4, 3),
        p=f32(1, 3, 1, 1, 1),
        rtol=2e-4,
        atol=2e-4,
    ),
    case(
        "norms",
        [
            "filled(M.GroupNorm(2, 4))(x)",
            "filled(M.GroupNorm(4, 4, 0.5))(x)",
            "M.GroupNorm(2, 4, affine=False)(x)",
            "filled(M.InstanceNorm(4))(x)",
            "M.InstanceNorm(4, affine=False)(x)",
            "filled(M.LayerNorm(3))(x)",
            "filled(M.LayerNorm((2, 3)))(x)",
            "M.LayerNorm((2, 3), affine=False)(x)",
            "filled(M.GeneralNorm((4, 2), (1, 2)))(x)",
            "filled(M.GeneralNorm((4, 3), (1, -1)))(x)",
            "M.GroupNorm(3, 4)",
            Wrong("M.LayerNorm(4)(x)", "the last dimension is not 4", raises=CHANNELS),
            "M.GeneralNorm((4, 3), (1, 2))(x)",
            "M.GeneralNorm((2, 4), (2, 1))(x)",
            "M.GeneralNorm((4, 2), (1,))",
            "M.GeneralNorm()",
            "M.GeneralNorm((4, 4), (1, 1))",
            Refused("M.GeneralNorm(normalized_axis=(1, 2), affine=False)(x).shape", "(2, 4, 2, 3)"),
            "m = M.LayerNorm([2, 3]); m.normalized_shape",
        ],
        x=f32(2, 4, 2, 3),
        grad=True,
        rtol=2e-4,
        atol=2e-4,
    ),
    case(
        "parameter_gradients",
        [
            trained("M.Conv2d(4, 6, 3, groups=2)", "x"),
            trained("M.Conv1d(4, 2, 1)", "x[:, :, 0]"),
            trained("M.ConvTranspose2d(4, 2, 2)", "x"),
            trained("M.LocalConv2d(4, 2, 3, 3, 2)", "x"),
            trained("M.ConvBn2d(4, 2, 2)", "x"),
            trained("M.GroupNorm(2, 4)", "x"),
            trained("M.LayerNorm((3, 3))", "x"),
            trained("M.InstanceNorm(4)", "x"),
            trained("M.LinearBn1d(3, 2)", "x[:, 0, 0]"),
            trained("M.BatchMatMulActivation(2, 4, 3, nonlinear_mode='RELU')", "x[:, 0:, 0]"),
            trained("M.Embedding(5, 2)", "Tensor([[1, 0, 1]], dtype='int32')"),
            trained("M.Embedding(5, 2, freeze=True)", "Tensor([[1, 0, 1]], dtype='int32')"),
        ],
        x=f32(2, 4, 3, 3),
        rtol=5e-4,
        atol=5e-4,
    ),
    case(
        "embedding",
        [
            "filled(M.Embedding(5, 2))(Tensor([[4, 0], [2, 2]], dtype='int32'))",
            "M.Embedding(3, 2, initial_weight=t)(Tensor([1, 2], dtype='int32'))",
            "M.Embedding.from_pretrained(t)(Tensor([1, 2], dtype='int32'))",
            "m = M.Embedding.from_pretrained(t); m.freeze, m.num_embeddings, m.embedding_dim, type(m.weight).__name__",
            "M.Embedding.from_pretrained(t, freeze=False).freeze",
            "m = M.Embedding(3, 2, initial_weight=t); m.weight is t",
            "M.Embedding.from_pretrained(t[0])",
            "M.Embedding(3, 3, initial_weight=t)",
            "M.Embedding(3, 2, padding_idx=0)",
            "M.Embedding(3, 2, max_norm=1.0)",
            "M.Embedding(3, 2, norm_type=2.0)",
            "M.Embedding.from_pretrained(t, padding_idx=0)",
            "M.Embedding(3)",
        ],
        t=f32(3, 2),
    ),
    case(
        "attention",
        [
            "filled(M.MultiHeadAttention(4, 2))(x, x, x)",
            "filled(M.MultiHeadAttention(4, 2, bias=False))(x, x, x)",
            "filled(M.MultiHeadAttention(4, 2))(x, x, x, need_weights=True)",
            "filled(M.MultiHeadAttention(4, 2))(x, x, x, need_weights=True, average_attn_weights=True)",
            "filled(M.MultiHeadAttention(4, 4, kdim=3, vdim=5))(x, k, v)",
            "m = M.MultiHeadAttention(4, 2); m.head_dim, m.kdim, m.vdim, m.bias_k, m.bias, m.weight_bias_len",
            "M.MultiHeadAttention(4, 3)",
            "M.MultiHeadAttention(4, 2, add_bias_kv=True)",
            "M.MultiHeadAttention(4, 2, add_zero_attn=True)",
            Wrong("m = M.MultiHeadAttention(4, 2, attn_dropout=0.5); m.attn_dropout", "always reset to 0", right="0.5"),
            Refused(
                "repr(M.MultiHeadAttention(4, 2))",
                "'MultiHeadAttention(embed_dim=4, num_heads=2, attn_dropout=0.0, out_dropout=0.0, bias=True, kdim=4, vdim=4)'",
            ),
        ],
        x=f32(2, 3, 4),
        k=f32(2, 6, 3),
        v=f32(2, 6, 5),
        rtol=5e-4,
        atol=5e-4,
    ),
    case(
        "batch_products",
        [
            "filled(M.BatchMatMulActivation(2, 3, 4))(x)",
            "filled(M.BatchMatMulActivation(2, 3, 4, nonlinear_mode='relu'))(x)",
            "filled(M.BatchMatMulActivation(2, 3, 4, bias=False))(x)",
            *nonsense("M.BatchMatMulActivation(2, 4, 4)(x)"),
        ],
        x=f32(2, 3, 4),
        grad=True,
    ),
]
