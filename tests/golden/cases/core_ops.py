"""``core2.apply`` with the operators of ``core.ops.builtin``, and ``core.tensor``'s helpers, as public programs call them."""

from __future__ import annotations

from ..spec import Wrong, array, bools, case, f16, f32, given, i32

START = "from megengine.core._imperative_rt.core2 import apply\nfrom megengine.core.ops import builtin as B\n"


def of(*expressions: str) -> list[str]:
    """The expressions, with ``apply`` and the operators in reach; the list of results is the value."""
    return [START + e for e in expressions]


# fmt: off
UNARY = [
    "abs", "negate", "sign", "square", "sqrt", "ceil", "floor", "round",
    "exp", "expm1", "log1p", "sin", "cos", "tan", "sinh", "cosh",
    "tanh", "asinh", "relu", "relu6", "sigmoid", "hsigmoid", "h_swish", "silu",
    "gelu", "softplus", "logsigmoid", "erf", "erfc", "fast_tanh",
]
BINARY = [
    "add", "sub", "mul", "true_div", "floor_div", "mod", "max",
    "min", "atan2", "log_sum_exp", "prelu", "lt", "leq", "eq",
    "fuse_add_relu", "fuse_add_sigmoid", "fuse_add_tanh", "fuse_add_h_swish", "switch_gt0", "abs_grad", "sigmoid_grad",
    "tanh_grad", "asinh_grad", "relu6_grad", "hsigmoid_grad", "h_swish_grad", "softplus_grad", "gelu_grad",
    "silu_grad", "fast_tanh_grad",
]
# fmt: on

CASES = [
    case("unary", of(*[f"apply(B.Elemwise('{m}'), x)[0]" for m in UNARY]), x=f32(2, 3, low=0.1, high=2)),
    case(
        "unary_below", of(*[f"apply(B.Elemwise('{m}'), x)[0]" for m in UNARY if m != "sqrt"]), x=f32(5, low=-4, high=8)
    ),
    case(
        "inverse",
        of(*[f"apply(B.Elemwise('{m}'), x)[0]" for m in ("asin", "acos", "erfinv", "atanh")]),
        x=f32(4, low=-0.9, high=0.9),
    ),
    case("binary", of(*[f"apply(B.Elemwise('{m}'), x, y)[0]" for m in BINARY]), x=f32(2, 3), y=f32(2, 3, low=0.5)),
    case(
        "row",
        of(*[f"apply(B.Elemwise('{m}'), x, y)[0]" for m in ("add", "mul", "max", "pow")]),
        x=f32(2, 3, low=0.5),
        y=f32(3, low=0.5),
        grad=True,
    ),
    case(
        "three",
        of(
            *[
                f"apply(B.Elemwise('{m}'), x, y, z)[0]"
                for m in ("fuse_mul_add3", "cond_leq_mov", "cond_lt_mov", "prelu_grad")
            ]
        ),
        x=f32(6),
        y=f32(6),
        z=f32(6),
    ),
    case(
        "clip", of("apply(B.Elemwise('clip'), x, y, z)[0]"), x=f32(6), y=f32(6, low=-1, high=0), z=f32(6, low=0, high=1)
    ),
    case("four", of("apply(B.Elemwise('FUSE_MUL_ADD4'), x, y, x, y)[0]"), x=f32(6), y=f32(6)),
    case(
        "above_one",
        of(
            "apply(B.Elemwise('acosh'), x)[0]",
            "apply(B.Elemwise('acosh_grad'), x, x)[0]",
            "apply(B.Elemwise('atanh_grad'), x, x)[0]",
        ),
        x=f32(4, low=1.5, high=3),
    ),
    case(
        "by_enum",
        of(
            "apply(B.Elemwise(mode=B.Elemwise.Mode.MIN), x, y)[0]",
            "apply(B.Elemwise(B.Elemwise.Mode.SUB), x, y)[0]",
            "apply(B.Elemwise('ADD'), x, 1)[0]",
            "apply(B.Elemwise('add'), 2.5, x)[0]",
            "apply(B.Elemwise('add'), 1.0, 2.0)[0]",
            "apply(B.Elemwise('mul'), x, a)[0]",
            "apply(B.Elemwise('mul'), a, x)[0]",
            "apply(B.Elemwise('add'), [1.0, 2.0, 3.0], x)[0]",
        ),
        x=f32(2, 3),
        y=f32(2, 3),
        a=array(f32(3)),
    ),
    case(
        "ints",
        of(*[f"apply(B.Elemwise('{m}'), n, k)[0]" for m in ("add", "mul", "floor_div", "lt", "eq", "max", "shl")]),
        n=i32(5),
        k=i32(5, low=1, high=4),
    ),
    case(
        "bools",
        of(*[f"apply(B.Elemwise('{m}'), m, n)[0]" for m in ("and", "or", "xor")], "apply(B.Elemwise('not'), m)[0]"),
        m=bools(5),
        n=bools(5),
    ),
    case("halves", of("apply(B.Elemwise('add'), x, y)[0]", "apply(B.Elemwise('exp'), x)[0]"), x=f16(3), y=f16(3)),
    case(
        "compare",
        of(
            *[f"apply(B.ElemwiseMultiType(mode='{m}', dtype='bool'), x, y)[0]" for m in ("lt", "leq", "eq", "neq")],
            "apply(B.ElemwiseMultiType(mode='isnan', dtype='bool'), x)[0]",
        ),
        x=f32(2, 3),
        y=f32(3),
    ),
    case(
        "modes",
        of(
            "repr(B.Elemwise.Mode.ADD)",
            "str(B.Elemwise('add').mode)",
            "repr(B.Reduce.Mode.SUM)",
            "B.Elemwise.Mode.ADD == 'ADD'",
            "B.Elemwise('add') == B.Elemwise('ADD')",
            "B.Elemwise('add') == B.Elemwise('sub')",
            "hash(B.Elemwise('add')) == hash(B.Elemwise('ADD'))",
            "repr(B.Elemwise('add'))",
            "repr(B.Reduce('sum', 0))",
            "B.Reduce('sum', 0).axis",
            "B.Reduce().keepdim",
            "B.Concat(axis=1).axis",
            "issubclass(B.Reduce, B.OpDef)",
        ),
    ),
    case("mode_errors", of("apply(B.Elemwise('foo'), x)")[:1], x=f32(2)),
    case("count_errors", of("apply(B.Elemwise('add'), x)")[:1], x=f32(2)),
    case("none_errors", of("apply(B.Elemwise('add'), x, None)"), x=f32(2)),
    case("keyword_errors", of("B.Reduce(foo=1)"), x=f32(2)),
    case("nothing_errors", of("apply(B.Elemwise('sin'))")),
    case(
        "reduce",
        of(
            *[
                f"apply(B.Reduce(mode='{m}'{a}), x)[0]"
                for m in ("sum", "mean", "max", "min", "product", "sum_sqr")
                for a in ("", ", axis=0", ", axis=-1", ", axis=1, keepdim=False")
            ]
        ),
        x=f32(2, 3),
    ),
    case(
        "reduce_grad",
        of("apply(B.Reduce(mode='sum', axis=1), x)[0]", "apply(B.Reduce('mean', 0), x)[0]"),
        x=f32(2, 3),
        grad=True,
    ),
    case("reduce_ints", of("apply(B.Reduce('sum', 0), n)[0]", "apply(B.Reduce('max'), n)[0]"), n=i32(5)),
    case("reduce_errors", of("apply(B.Reduce(mode='sum', axis=5), x)"), x=f32(2, 3)),
    case(
        "sorted",
        of(
            "apply(B.Argmax(axis=1), x)[0]",
            "apply(B.Argmin(axis=0), x)[0]",
            "apply(B.Argsort(), x)",
            "apply(B.Argsort(order='descending'), x)",
            "apply(B.TopK('value_idx_sorted'), x, k)",
            "apply(B.Cumsum(axis=1), x)[0]",
            "apply(B.Cumsum(axis=1, exclusive=False), x)[0]",
            "apply(B.Cumsum(axis=0, exclusive=False, reverse=True), x)[0]",
            "apply(B.Softmax(axis=1), x)[0]",
        ),
        x=f32(2, 3),
        k=given(2, "int32"),
    ),
    case(
        "dimshuffle",
        of(
            "apply(B.Dimshuffle([1, 0]), x)[0]",
            "apply(B.Dimshuffle([1, -1, 0]), x)[0]",
            "apply(B.Dimshuffle(pattern=(0, 1)), x)[0]",
        ),
        x=f32(2, 3),
        grad=True,
    ),
    case("dimshuffle_errors", of("apply(B.Dimshuffle([0]), x)"), x=f32(2, 3)),
    case(
        "axes",
        of(
            "apply(B.AddAxis(axis=[1]), x)[0]",
            "apply(B.AddAxis([0, 1]), x)[0]",
            "apply(B.AddAxis([0, 0]), x)[0]",
            "apply(B.RemoveAxis(axis=[0]), apply(B.AddAxis([0]), x)[0])[0]",
            "apply(B.RemoveAxis([2, 0]), apply(B.AddAxis([0, 2]), x)[0])[0]",
        ),
        x=f32(2, 3),
        grad=True,
    ),
    case("add_axis_errors", of("apply(B.AddAxis([5]), x)"), x=f32(2, 3)),
    case("remove_axis_errors", of("apply(B.RemoveAxis([0]), x)"), x=f32(2, 3)),
    case(
        "reshape",
        of("apply(B.Reshape(), x, s)[0]", "apply(B.Reshape(shape=[3, 2]), x)[0]", "apply(B.Reshape(axis=1), x, o)[0]"),
        x=f32(2, 3),
        s=given([3, 2], "int32"),
        o=given([3, 1], "int32"),
    ),
    case("reshape_errors", of("apply(B.Reshape(), x, s)"), x=f32(2, 3), s=given([4, 2], "int32")),
    case(
        "broadcast",
        of(
            "apply(B.Broadcast(), x, s)[0]",
            "apply(B.Broadcast([1, 2, 3]), x)[0]",
            "apply(B.Broadcast(shape=[2, 2, 3]), x)[0]",
        ),
        x=f32(2, 3),
        s=given([4, 2, 3], "int32"),
    ),
    case("broadcast_errors", of("apply(B.Broadcast(), x, s)"), x=f32(2, 3), s=given([3, 3], "int32")),
    case(
        "cast",
        of(
            "apply(B.TypeCvt('int32'), x)[0]",
            "apply(B.TypeCvt(dtype=np.float16), x)[0]",
            "str(B.TypeCvt('int32').dtype)",
        ),
        x=f32(4),
    ),
    case(
        "join",
        of(
            "apply(B.Concat(axis=0), x, y)[0]",
            "apply(B.Concat(axis=-1), x, y)[0]",
            "apply(B.Concat(1), x, y, x)[0]",
            "apply(B.Concat(axis=1, comp_node='xpux'), x, y)[0]",
            "apply(B.Concat(axis=1, comp_node=x.device), x, y)[0]",
            "apply(B.Stack(axis=0), x, y)[0]",
            "apply(B.Split(axis=1, nsections=3), x)",
        ),
        x=f32(2, 3),
        y=f32(2, 3),
    ),
    case("join_errors", of("apply(B.Concat(axis=0), x, n)"), x=f32(2, 3), n=f32(2)),
    case(
        "products",
        of(
            "apply(B.BatchedMatrixMul(), p, q)[0]",
            "apply(B.BatchedMatrixMul(transposeB=True), p, p)[0]",
            "apply(B.BatchedMatrixMul(dimA=3, dimB=3), p, q)[0]",
        ),
        p=f32(2, 2, 3),
        q=f32(2, 3, 2),
        grad=True,
    ),
    case(
        "products_of_matrices",
        of(
            "apply(B.MatrixMul(), p, q)[0]",
            "apply(B.MatrixMul(transposeB=True), p, p)[0]",
            "apply(B.MatrixMul(dimA=2, dimB=2), p, q)[0]",
        ),
        p=f32(2, 3),
        q=f32(3, 2),
        grad=True,
    ),
    case("dot", of("apply(B.Dot(), p, q)[0]"), p=f32(3), q=f32(3)),
    case("inverse_of_matrix", of("apply(B.MatrixInverse(), p)[0]"), p=given([[2, 1], [1, 3]])),
    case(
        "subtensor",
        of(
            "apply(B.Subtensor(items=[[0, False, False, False, True]]), x, one)[0]",
            "apply(B.Subtensor(items=[[1, True, True, False, False]]), x, zero, two)[0]",
            "apply(B.Subtensor(items=[(1, True, True, True, False)]), x, zero, four, two)[0]",
            "apply(B.Subtensor(items=[(0, False, False, False, True), (1, True, False, False, False)]), x, one, one)[0]",
            "apply(B.Subtensor(items=[(1, True, False, False, False)]), x, back)[0]",
            "apply(B.Subtensor(items=[(-1, False, False, False, True)]), x, one)[0]",
            "apply(B.Subtensor([(0, 0, 0, 0, 1)], [(0, 0, 1, 1)]), x)[0]",
            "apply(B.SetSubtensor(items=[(1, True, True, False, False)]), x, y, zero, two)[0]",
            "apply(B.IncrSubtensor(items=[(1, True, True, False, False)]), x, y, zero, two)[0]",
        ),
        x=f32(2, 5),
        y=f32(2, 2),
        zero=given(0, "int32"),
        one=given(1, "int32"),
        two=given(2, "int32"),
        four=given(4, "int32"),
        back=given(-2, "int32"),
    ),
    case(
        "subtensor_errors",
        [
            Wrong(
                START + "apply(B.Subtensor(items=[(1, True, False, False, False)]), x)",
                "ends the process",
                raises=("RuntimeError",),
            )
        ],
        x=f32(2, 3),
    ),
    case(
        "index_arrays",
        of(
            "apply(B.IndexingMultiAxisVec([(0, False, False, False, True), (1, False, False, False, True)]), x, r, c)[0]",
            "apply(B.IndexingMultiAxisVec([(1, False, False, False, True)]), x, c)[0]",
            "apply(B.IndexingMultiAxisVec([(0, True, True, False, False), (1, False, False, False, True)]), x, zero, one, c)[0]",
            "apply(B.MeshIndexing(items=[(0, False, False, False, True), (1, False, False, False, True)]), x, r, c)[0]",
        ),
        x=f32(2, 5),
        r=given([1, 0, 1], "int32"),
        c=given([4, 2, 0], "int32"),
        zero=given(0, "int32"),
        one=given(1, "int32"),
    ),
    case(
        "index_set",
        of(
            "apply(B.IndexingSetMultiAxisVec(items=[(1, False, False, False, True)]), x, v, c)[0]",
            "apply(B.IndexingOneHot(axis=1), x, k)[0]",
            "apply(B.IndexingSetOneHot(axis=1), x, k, w)[0]",
        ),
        x=f32(2, 5),
        v=f32(2, 2),
        w=f32(2, 1),
        c=given([4, 2], "int32"),
        k=given([4, 2], "int32"),
    ),
    case("take", of("apply(B.CondTake(), x, m)"), x=f32(2, 3), m=bools(2, 3)),
    case(
        "shape_of",
        of(
            "apply(B.GetVarShape(), x)[0]",
            "apply(B.GetVarShape(axis=0), x)[0]",
            "apply(B.GetVarShape(axis=-1), x)[0]",
            "apply(B.GetVarShape(1), x)[0]",
            "apply(B.GetVarShape(), x, y)[0]",
        ),
        x=f32(2, 3),
        y=f32(3),
    ),
    case("shape_of_errors", of("apply(B.GetVarShape(axis=3), x)"), x=f32(2, 3)),
    case(
        "spaced",
        of(
            "apply(B.Linspace(), a, b, n)[0]",
            "apply(B.Linspace(endpoint=False), a, b, n)[0]",
            "apply(B.Linspace(comp_node='xpux'), a, b, n)[0]",
        ),
        a=given(1.0),
        b=given(5.0),
        n=given(6, "int32"),
    ),
    case(
        "spaced_ints",
        of("apply(B.Linspace(), a, b, n)[0]", "apply(B.TypeCvt('int32'), apply(B.Linspace(), a, b, n)[0])[0]"),
        a=given(0, "int32"),
        b=given(5, "int32"),
        n=given(6, "int32"),
    ),
    case(
        "made",
        of(
            "apply(B.Fill(value=3.0, dtype='float32', comp_node='xpux'), s)[0]",
            "apply(B.FillLike(value=3.0), x)[0]",
            "apply(B.Eye(k=0, dtype='float32', comp_node='xpux'), s)[0]",
            "apply(B.Eye(k=1, dtype='float32', comp_node='xpux'), s)[0]",
            "apply(B.Diag(k=0), x)[0]",
            "apply(B.Identity(), x)[0]",
            "apply(B.FastpathCopy(), x)[0]",
            "apply(B.InplaceAdd(), x, x, a, b)[0]",
            "apply(B.CheckNonFinite(), x)",
        ),
        x=f32(2, 3),
        s=given([2, 3], "int32"),
        a=given(1.0),
        b=given(2.0),
    ),
    case(
        "helpers",
        [
            "from megengine.core.tensor.array_method import _elwise, _elwise_apply, _elemwise_multi_type\n[_elwise(x, y, mode='add'), _elwise_apply((x, y), 'mul'), _elemwise_multi_type(x, y, mode='lt', dtype='bool')]",
            "from megengine.core.tensor.array_method import _reduce\n[_reduce('sum')(x), _reduce('mean')(x, 1), _reduce('max')(x, [0, 1]), _reduce('min')(x, (1,), keepdims=True)]",
            "from megengine.core.tensor.array_method import _matmul\n[_matmul(x, y, transpose_b=True), _matmul(x, y[0]), _matmul(x[0], y[0])]",
            "from megengine.core.tensor.utils import _normalize_axis\n[_normalize_axis(3, -1), _normalize_axis(3, [0, -1]), _normalize_axis(3, (2, 0), reverse=True)]",
            "from megengine.core.tensor.utils import convert_inputs\nlist(convert_inputs(x, 2, a))",
            "from megengine.core.tensor.utils import convert_single_value\n[convert_single_value(1.5, dtype='float32'), convert_single_value(2, dtype='int32')]",
            "from megengine.core.tensor.utils import result_type\n[str(result_type(x)), str(result_type(x, n))]",
            "from megengine.core.tensor.utils import cast_tensors\nlist(cast_tensors(x, None)) + list(cast_tensors(x, promote=True))",
        ],
        x=f32(2, 3),
        y=f32(2, 3),
        a=array(f32(3)),
        n=i32(2),
    ),
    case("helper_errors", ["from megengine.core.tensor.utils import _normalize_axis\n_normalize_axis(3, [0, -3])"]),
    case(
        "subgraphs",
        [
            """
from megengine.core.tensor.utils import subgraph
from megengine.core._imperative_rt.core2 import apply
from megengine.core.ops import builtin as B
@subgraph("center", x.dtype, x.device, 1, gopt_level=2)
def center(inputs, f, c):
    boxes = inputs[0]
    first = f(B.Subtensor(items=[[1, False, True, False, False]]), boxes, c(2, dtype="int32"))
    last = f(B.Subtensor(items=[[1, True, False, False, False]]), boxes, c(-2, dtype="int32"))
    both = f(B.Elemwise(mode=B.Elemwise.Mode.ADD), first, last)
    return [f("/", both, c(2, dtype="float32"))], [False]
apply(center(), x)[0]
""",
            """
from megengine.core.tensor.utils import subgraph_fn
from megengine.core.ops import builtin as B
@subgraph_fn("flat", x.dtype, x.device, 1)
def flat(inputs, f, c):
    rows = f(B.GetVarShape(axis=0), inputs[0])
    columns = f(B.GetVarShape(axis=1), inputs[0])
    shape = f(B.Concat(axis=0, comp_node=x.device), f("*", rows, columns), c([1], dtype="int32"))
    return (f(B.Reshape(), inputs[0], shape),), (True,)
flat(x)[0]
""",
            """
from megengine.core.tensor.utils import subgraph_fn
@subgraph_fn("twice", x.dtype, x.device, 2, custom_grad=True)
def twice(inputs, f, c):
    x, y = inputs
    (dy,) = yield (f("*", x, y),)
    yield (f("*", dy, y), f("*", dy, c(7)))
twice(x, x * 2)[0]
""",
        ],
        x=f32(2, 4),
        grad=True,
    ),
]
