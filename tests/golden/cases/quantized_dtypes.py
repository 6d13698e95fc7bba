"""Quantised dtypes: conversions of tensors between them and others, what keeps them, and their construction."""

from __future__ import annotations

from ..spec import Wrong, array, case, f16, f32, given, i32

D = "import megengine.core.tensor.dtype as D; "
KINDS = ("D.qint8(0.1)", "D.quint8(0.1, 10)", "D.qint32(0.1)", "D.qint4(0.1)", "D.quint4(0.1, 3)", "D.qint1(0.1)")
HELD = "; (y, D.is_quantize(y.dtype), y.dtype.metadata['mgb_dtype']['name'], D.get_scale(y.dtype))"
HALVES = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5, 127.5, -128.5, -129.5, 1e9, -1e9]

CASES = [
    case("quantize", [f"{D}y = x.astype({k}){HELD}" for k in KINDS], x=f32(3, 4, low=-4, high=4)),
    case(
        "quantize_halves",
        [
            f"{D}x.astype({k})"
            for k in ("D.qint8(1.0)", "D.qint8(0.5)", "D.quint8(1.0, 3)", "D.qint4(1)", "D.qint1(1.0)")
        ],
        x=given(HALVES),
    ),
    case(
        "quantize_others",
        [f"{D}x.astype(D.qint8(0.25))", f"{D}n.astype(D.qint8(0.25))", f"{D}n.astype(D.quint8(2.0, 128))"],
        x=f16(5),
        n=i32(5),
    ),
    case(
        "dequantize",
        [
            f"{D}x.astype({k}).astype({to})"
            for k in KINDS
            for to in ("'float32'", "'float16'", "'int32'", "D.qint8(0.2)", "D.quint8(0.3, 128)")
        ],
        x=f32(6, low=-4, high=4),
    ),
    case(
        "quantized_data",
        [
            f"{D}y = Tensor(a, dtype=D.qint8(0.1)){HELD}",
            f"{D}y = Tensor([1, 2], dtype=D.qint8(0.1)){HELD}",
            f"{D}y = Tensor(D.convert_to_qint8(a, D.qint8(0.1))){HELD}",
            f"{D}y = Tensor(D.convert_to_quint8(a, D.quint8(0.1, 3)), dtype=D.quint8(0.1, 3)){HELD}",
            f"{D}Tensor(D.convert_to_qint8(a, D.qint8(0.1)), dtype='float32')",
            f"{D}D.get_zero_point(Tensor(D.convert_to_quint4(a, D.quint4(0.5, 7))).dtype)",
            f"{D}D.is_quantize(Tensor(D.convert_to_qint8(a, D.qint8(0.1))).numpy().dtype)",
            f"{D}repr(Tensor(a).astype(D.qint8(0.5)))",
            f"{D}Tensor(a).astype(D.qint8(0.5)).dtype == 'int8'",
        ],
        a=array(f32(2, 3)),
    ),
    case(
        "quantized_moved",
        [
            f"{D}y = x.astype(D.qint8(0.1)){move}{HELD}"
            for move in (".reshape(3, 2)", ".transpose()", "[0]", "[1, :2]", ".flatten()", ".detach()", ".to('cpu1')")
        ]
        + [
            f"{D}q = x.astype(D.qint8(0.1)); y = F.concat([q, q]){HELD}",
            f"{D}import copy; y = copy.deepcopy(x.astype(D.qint8(0.1))){HELD}",
            f"{D}import pickle; y = pickle.loads(pickle.dumps(x.astype(D.qint8(0.1)))){HELD}",
            f"{D}x.astype(D.qint8(0.1)).tolist()",
        ],
        x=f32(2, 3),
    ),
    case(
        "quantized_numpy",
        [
            f"{D}q = D.convert_to_{n}(a, D.{n}({args})); (q, D.convert_from_{n}(q))"
            for n, args in (
                ("qint8", "0.1"),
                ("quint8", "0.1, 100"),
                ("qint32", "0.01"),
                ("qint4", "0.1"),
                ("quint4", "0.1, 5"),
                ("qint1", "0.1"),
            )
        ],
        a=array(f32(3, 3)),
    ),
    case(
        "quantized_dtypes",
        [
            f"{D}D.qint8(0.1)",
            f"{D}D.quint4(0.1, 3)",
            f"{D}D.is_dtype_equal(D.qint8(0.1), D.qint8(0.2))",
            f"{D}D.is_dtype_equal(D.qint8(0.1), D.qint8(0.1))",
            f"{D}D.is_dtype_equal(D.qint8(0.1), np.dtype('int8'))",
            f"{D}D.qint8(0.1) == D.qint8(0.2)",
            f"{D}[D.is_quantize(t) for t in (D.qint8(0.1), np.dtype('int8'), np.float32, 'int8')]",
            f"{D}[D.get_dtype_bit(n) for n in ('int8', 'bool', 'float16')]",
            f"{D}[D.is_differentible_dtype(np.dtype(n)) for n in ('float32', 'float16', 'int8')]",
            f"{D}list(D._builtin_quant_dtypes)",
            f"{D}list(D.QuantDtypeMeta('mine', None, 'uint8', 0, 7))",
        ],
    ),
    case(
        "quantized_errors",
        [
            f"{D}D.quint8(0.05, 0.233)",
            f"{D}D.quint8(0.02, 777)",
            f"{D}D.quint4(0.02, 18)",
            f"{D}D.quint4(0.02, -1)",
            f"{D}D.quint8(0.1, None)",
            f"{D}D.create_quantized_dtype(D._builtin_quant_dtypes['qint8'], 0.1, 1)",
            f"{D}D.create_quantized_dtype(D._builtin_quant_dtypes['qint2'], 0.1, None)",
            f"{D}D.get_scale(np.dtype('int8'))",
            f"{D}D.get_zero_point(D.qint8(0.1))",
            f"{D}D.get_dtype_bit('float')",
            f"{D}D.convert_to_qint8([1.0], D.qint8(0.1))",
            f"{D}D.convert_to_qint8(a, D.quint8(0.1, 1))",
            f"{D}D.convert_from_qint8(a)",
            f"{D}F.concat([x.astype(D.qint8(0.1)), x.astype(D.qint8(0.2))])",
            Wrong(
                f"{D}x.astype(D.qint8(0.1)) + 1",
                "adds one step of 0.1",
                raises=("RuntimeError",),
            ),
        ],
        x=f32(3),
        a=array(f32(3)),
    ),
    case("qparams", ["x.qparams", "repr(x.qparams)", "x.qparams.scale", "x.qparams is x.qparams"], x=f32(3)),
]
