"""What MegEngine's operators are bound to, as its files hold it: one line a table of ``dnn/scripts/opr_param_defs.py``.

A line has the number of the table in the union ``OperatorParam``, its name, and its fields in order: ``name:kind=default``, where
the kind is uint and the default 0 if nothing else is said; ``name/Enum`` for one of the names that the enum's line lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graph.exchange import GraphFileError
from .dtypes import dtype_of
from .flat import Table

_ENUM_LINES = """
ArgsortOrder ASCENDING DESCENDING
BNFwdMode TRAINING INFERENCE
BNParamDim DIM_11HW DIM_1CHW DIM_1C11 DIM_111C
CollectiveCommMode REDUCE_SUM BROADCAST ALL_GATHER REDUCE_SCATTER_SUM ALL_REDUCE_SUM ALL_REDUCE_MAX ALL_REDUCE_MIN
    ALL_REDUCE_PROD GATHER SCATTER ALL_TO_ALL
CondExecMarkGradMode SUM SUM_COND_OUT
CondExecMarkStaticInfer SHAPE_VALUE SHAPE_ONLY NONE
CondExecMergeMode EXACT_ONE EXACT_ONE_SAME_SHAPE SUM SUM_COND_OUT
CondExecPredLogicalMode OR AND XOR NOR NAND XNOR
CondExecPredMode CASE CASE_FALLBACK PIECEWISE
CondTakeMode EQ NEQ LT LEQ GT GEQ
Conv3DBiasNonlineMode IDENTITY RELU SIGMOID
ConvBiasV0NonlineMode IDENTITY RELU SIGMOID H_SWISH
ConvPoolingMethod WITH_TEXTURE_OBJ WITH_SHARED_MEM
ConvPoolingNonlineMode IDENTITY RELU SIGMOID
ConvPoolingPoolMode AVERAGE MAX
Convolution3DDataType FLOAT FLOAT_IO16xC32
Convolution3DFormat NCDHW NDHWC
Convolution3DMode CROSS_CORRELATION CONVOLUTION
Convolution3DSparse DENSE GROUP
ConvolutionFormat NCHW NHWC NHWCD4 NCHW4 NCHW8 NCHW32 NCHW88 NCHW44 NCHW44_DOT NCHW4_NCHW32 NCHW32_NCHW4 NCHW4_NCHW
    NHWC_NCHW NHWC_NCHW4_IC_SMALL NCHW_NCHW4_IC_SMALL CHWN4 NCHW64 NCHW4_NHWC
ConvolutionV0Format NCHW NHWC NHWCD4 NCHW4 NCHW8 NCHW32 NCHW88 NCHW44 NCHW44_DOT NCHW_WINOGRAD NCHW88_WINOGRAD
    NCHW44_WINOGRAD NCHW4_NCHW32 NCHW32_NCHW4 NCHW4_NCHW NHWC_NCHW NHWC_NCHW4_IC_SMALL NCHW_NCHW4_IC_SMALL CHWN4
    NCHW4_NHWC
ConvolutionV0Mode CROSS_CORRELATION CONVOLUTION
ConvolutionV0Sparse DENSE GROUP
ConvolutionV1ComputeMode DEFAULT FLOAT32
CvtColorMode RGB2GRAY RGB2YUV YUV2RGB GRAY2RGB RGBA2RGB RGBA2BGR RGBA2GRAY RGB2BGR BGR2GRAY BGR2RGB YUV2GRAY_NV21
    YUV2RGB_NV21 YUV2BGR_NV21 YUV2GRAY_NV12 YUV2RGB_NV12 YUV2BGR_NV12 YUV2GRAY_YV12 YUV2RGB_YV12 YUV2BGR_YV12
    YUV2GRAY_YU12 YUV2RGB_YU12 YUV2BGR_YU12 YCrCb2RGB YCrCb2BGR BT601_YUV2RGB_NV21 BT601_YUV2BGR_NV21
    BT601_YUV2RGB_NV12 BT601_YUV2BGR_NV12 BT601_YUV2RGB_YV12 BT601_YUV2BGR_YV12 BT601_YUV2RGB_YU12 BT601_YUV2BGR_YU12
DctChannelSelectV0FastImpl NONE FIX_32_MASK
ElemwiseMode RELU ABS ACOS ASIN CEIL COS EXP EXPM1 FLOOR LOG LOG1P NEGATE SIGMOID SIN TANH ABS_GRAD ADD FLOOR_DIV MAX
    MIN MOD MUL POW SIGMOID_GRAD SUB SWITCH_GT0 TANH_GRAD TRUE_DIV LOG_SUM_EXP LT LEQ EQ SHL SHR COND_LEQ_MOV
    FUSE_MUL_ADD3 FUSE_MUL_ADD4 FUSE_ADD_RELU FUSE_ADD_SIGMOID FUSE_ADD_TANH FAST_TANH FAST_TANH_GRAD ROUND RMULH
    ATAN2 ERF ERFINV ERFC ERFCINV H_SWISH H_SWISH_GRAD FUSE_ADD_H_SWISH NOT AND OR XOR SILU SILU_GRAD GELU GELU_GRAD
    COND_LT_MOV NEQ ISNAN ISINF SINH COSH ASINH ACOSH ATANH TAN ASINH_GRAD ACOSH_GRAD ATANH_GRAD PRELU CLIP PRELU_GRAD
    SOFTPLUS SOFTPLUS_GRAD RELU6 RELU6_GRAD HSIGMOID HSIGMOID_GRAD LOGSIGMOID SQRT SQUARE SIGN
ElemwiseMultiTypeMode FUSE_MUL_ADD3_INT16x32x32x32 FUSE_MUL_ADD3_IXxF32xF32xI8 ROUND_SHR_SATURATE_IXxI8xI8
    FUSE_ADD_RMULH_ROUND_SHR_SATURATE_INT16x16x16x8 FUSE_ADD_RMULH_ROUND_SHR_SATURATE_INT32x32x32x8
    ROUND_SHR_SATURATE_IXxI8xI16 QADD QFUSE_ADD_RELU QMUL QMIN QMAX QSUB QTRUE_DIV QFUSE_ADD_SIGMOID QFUSE_ADD_TANH
    QRELU QABS QSIGMOID QEXP QTANH QFUSE_MUL_ADD3 QFAST_TANH QNEGATE QACOS QASIN QCEIL QCOS QEXPM1 QFLOOR QLOG QLOG1P
    QSIN QROUND QERF QERFINV QERFC QERFCINV QABS_GRAD QFLOOR_DIV QMOD QSIGMOID_GRAD QSWITCH_GT0 QTANH_GRAD QLT QLEQ
    QEQ QPOW QLOG_SUM_EXP QFAST_TANH_GRAD QATAN2 QCOND_LEQ_MOV QH_SWISH QFUSE_ADD_H_SWISH QH_SWISH_GRAD
    FUSE_MUL_ADD3_INT16xF32xF32xF32 MUL_INT16xF32xF32 FUSE_MUL_ADD3_UINT8xF32xF32xF32 QCOND_LT_MOV EQ NEQ LT LEQ ISNAN
    ISINF
MatrixMulFormat DEFAULT MK4 MK8 MK4_DOT N32K4_DOT
MatrixMulV1ComputeMode DEFAULT FLOAT32
MultiHeadAttnAttnMaskType NO_MASK DEFAULT_MASK CUDNN_STYLE_MASK USER_DEFINED_MASK
MultiHeadAttnTensorCombinationType NONE ONLY_MASK ONLY_BIASKV ALL
PaddingPaddingMode REPLICATE REFLECT CONSTANT
PoolingV0Mode MAX AVERAGE AVERAGE_COUNT_EXCLUDE_PADDING
RNNCellNonlineMode IDENTITY RELU TANH
ROIAlignV0Mode MAX AVERAGE
ROIPoolingMode MAX AVERAGE
ReduceDataType DEFAULT FLOAT_IO16xC32 FLOAT_O32xC32 FLOAT_O16xC32 QUINT_I8xO32 QINT_I8xO32
ReduceMode SUM SUM_SQR PRODUCT MIN MAX MEAN
RelayoutFormatV0Mode NHWC_NHWCD4 NHWCD4_NHWC NHWC_NHWCD4I NCHW_NHWCD4 NCHW_NHWCD4I NHWCD4I_NCHW NHWCD4_NCHW
    INTER_WEIGHT_DENSE INTER_WEIGHT_DENSEI INTER_WEIGHT_GROUP INTER_WEIGHT_GROUPI INTER_WEIGHT_CHAN INTER_WEIGHT_CHANI
    INTER_WEIGHT_DENSEI_DOT INTER_WEIGHT_GROUPI_DOT NCHW4_CHWN4 CHWN4_NCHW4 NCHW_NCHW88_CONV_DENSE_WEIGHT
    NCHW_NCHW88_CONV_CHAN_WEIGHT NCHW_NCHW88_CONV_GROUP_WEIGHT NCHW_NCHW88 NCHW88_NCHW NCHW_NCHW4_IC_SMALL
    NCHW_NCHW4_IC_SMALL_CONV_DENSE_WEIGHT NCHW_NCHW4 NCHW4_NCHW NCHW_NCHW4_WEIGHT NCHW_NCHW64 NCHW64_NCHW NCHW_NHWC
    NHWC_NCHW NHWCD4I_NHWC
SeparableConv3DBorderMode BORDER_REPLICATE BORDER_REFLECT BORDER_REFLECT_101 BORDER_WRAP BORDER_CONSTANT
    BORDER_TRANSPARENT BORDER_ISOLATED
SeparableConvBorderMode BORDER_REPLICATE BORDER_REFLECT BORDER_REFLECT_101 BORDER_WRAP BORDER_CONSTANT
    BORDER_TRANSPARENT BORDER_ISOLATED
SpatialTfGridGeneratorMode AFFINE
SpatialTfSamplerMode BILINEAR
TopKMode KTH_ONLY VALUE_IDX_NOSORT VALUE_IDX_SORTED
WarpPerspectiveV1BorderMode REPLICATE REFLECT REFLECT_101 WRAP CONSTANT TRANSPARENT ISOLATED
WarpPerspectiveV1InterpolationMode NEAREST LINEAR AREA CUBIC LANCZOS4
"""

_PARAM_LINES = """
1 Empty
2 Axis axis:int
3 Convolution mode/ConvolutionV0Mode pad_h pad_w stride_h=1 stride_w=1 dilate_h=1 dilate_w=1
    sparse/ConvolutionV0Sparse format/ConvolutionFormat compute_mode/ConvolutionV1ComputeMode
4 MaskPropagate pad_h pad_w stride_h=1 stride_w=1 kernel_h=1 kernel_w=1 dilate_h=1 dilate_w=1
5 ConvPooling method/ConvPoolingMethod convMode/ConvolutionV0Mode poolMode/ConvPoolingPoolMode
    nonlineMode/ConvPoolingNonlineMode pool_shape_h=1 pool_shape_w=1 pool_stride_h=1 pool_stride_w=1 pool_pad_h
    pool_pad_w conv_stride_h=1 conv_stride_w=1 conv_pad_h conv_pad_w
6 ConvBias nonlineMode/ConvBiasV0NonlineMode mode/ConvolutionV0Mode sparse/ConvolutionV0Sparse
    format/ConvolutionFormat pad_h pad_w stride_h=1 stride_w=1 dilate_h=1 dilate_w=1
    compute_mode/ConvolutionV1ComputeMode
7 SeparableConv mode/ConvolutionV0Mode borderMode/SeparableConvBorderMode is_symm_kernel:bool=1 pad_h pad_w stride_h=1
    stride_w=1 ksize_h=3 ksize_w=3 anchor_h=1 anchor_w=1
8 Images2Neibs pad_h pad_w stride_h=1 stride_w=1 dilate_h=1 dilate_w=1 window_h=3 window_w=3
9 Pooling mode/PoolingV0Mode pad_h pad_w stride_h=2 stride_w=2 window_h=2 window_w=2 format/ConvolutionFormat
10 LRN n=5 k:float=2. alpha:float=1e-4 beta:float=0.75
11 BN param_dim/BNParamDim fwd_mode/BNFwdMode epsilon:double=1e-4 avg_factor:double=1. scale:float=1. bias:float
12 ROIPooling mode/ROIPoolingMode scale:float=1.
13 WarpPerspective imode/WarpPerspectiveV1InterpolationMode=1 bmode/WarpPerspectiveV1BorderMode
    format/ConvolutionFormat border_val:float
14 SpatialTfGridGenerator mode/SpatialTfGridGeneratorMode
15 SpatialTfSampler mode/SpatialTfSamplerMode
17 Elemwise mode/ElemwiseMode
18 ElemwiseMultiType mode/ElemwiseMultiTypeMode
19 PowC exp:float
20 MatrixMul transposeA:bool transposeB:bool compute_mode/MatrixMulV1ComputeMode format/MatrixMulFormat
22 SVD full_matrices:bool compute_uv:bool=1
23 Reduce mode/ReduceMode axis:int=2147483647 data_type/ReduceDataType
24 Cumsum axis:int=2147483647 exclusive:bool=1 reverse:bool
25 CondTake mode/CondTakeMode val:float eps:float=1e-06
26 Argsort order/ArgsortOrder
27 IndexingRemap is_non_overlapping:bool
29 Linspace endpoint:bool=1
30 LinspaceFull start:double stop:double=1 endpoint:bool=1
31 Eye k:int dtype:byte
32 UniformRNG seed:ulong dtype:byte
33 GaussianRNG seed:ulong mean:float std:float=1 dtype:byte
34 Flip vertical:bool horizontal:bool
35 Rotate clockwise:bool=1
36 ROICopy row_from row_to col_from col_to
37 CvtColor mode/CvtColorMode
38 WarpAffine imode/WarpPerspectiveV1InterpolationMode=1 border_mode/WarpPerspectiveV1BorderMode border_val:float
    format/ConvolutionFormat=1
39 GaussianBlur border_mode/WarpPerspectiveV1BorderMode kernel_height kernel_width sigma_x:float sigma_y:float
40 Resize imode/WarpPerspectiveV1InterpolationMode=1 format/ConvolutionFormat=1
41 Convolution3D mode/Convolution3DMode pad_d pad_h pad_w stride_d=1 stride_h=1 stride_w=1 dilate_d=1 dilate_h=1
    dilate_w=1 sparse/Convolution3DSparse data_type/Convolution3DDataType format/Convolution3DFormat
42 Conv3DBias nonlineMode/Conv3DBiasNonlineMode mode/Convolution3DMode pad_d pad_h pad_w stride_d=1 stride_h=1
    stride_w
43 SeparableConv3D mode/Convolution3DMode borderMode/SeparableConv3DBorderMode is_symm_kernel:bool=1 pad_d pad_h pad_w
    stride_d stride_h=1 stride_w=1 ksize_d ksize_h=3 ksize_w=3 anchor_d anchor_h=1 anchor_w=1
44 TopK mode/TopKMode
45 RelayoutFormat mode/RelayoutFormatV0Mode oc group=1
46 SeparableFilter format/ConvolutionFormat borderMode/WarpPerspectiveV1BorderMode is_symm_kernel:bool=1 ksize_h=3
    ksize_w=3 anchor_h=1 anchor_w=1
47 LocalShare mode/ConvolutionV0Mode pad_h pad_w stride_h=1 stride_w=1 dilate_h=1 dilate_w=1 spatial_groups_h=1
    spatial_groups_w=1 sparse/ConvolutionV0Sparse format/ConvolutionFormat computeMode/ConvolutionV1ComputeMode
48 ROIAlign mode/ROIAlignV0Mode format/ConvolutionFormat spatial_scale:float=1.0 offset:float pooled_height=1
    pooled_width=1 sample_height=2 sample_width=2
49 DeformablePSROIPooling no_trans:bool=1 spatial_scale:float=1 trans_std:float=1 pooled_h=1 pooled_w=1 part_size=1
    sample_per_part=1
50 BatchConvBias nonlineMode/ConvBiasV0NonlineMode mode/ConvolutionV0Mode pad_h pad_w stride_h=1 stride_w=1 dilate_h=1
    dilate_w=1 sparse/ConvolutionV0Sparse format/ConvolutionFormat compute_mode/ConvolutionV1ComputeMode
51 DType dtype:byte=8
52 PersistentOutputStorage share_key:int=-1
53 OptionalAxis axis:int=-1
54 OptionalAxisV1 axis:int=7
55 ExecutionPolicy strategy=1 workspace_limit:ulong=18446744073709551615
56 AssertEqual maxerr:float=0.0001 verbose:bool
58 CollectiveComm mode/CollectiveCommMode
59 CondExecPred mode/CondExecPredMode eps:float=0.0001
60 CondExecPredLogical mode/CondExecPredLogicalMode
61 CondExecMark grad_mode/CondExecMarkGradMode static_infer/CondExecMarkStaticInfer
62 CondExecMerge nr_output=1 mode/CondExecMergeMode
68 Remap imode/WarpPerspectiveV1InterpolationMode=1 border_type/WarpPerspectiveV1BorderMode format/ConvolutionFormat=1
    scalar:float
70 AdaptivePooling mode/PoolingV0Mode format/ConvolutionFormat
71 NvOf precision=1
72 DctChannelSelect format/ConvolutionFormat fastImpl/DctChannelSelectV0FastImpl dct_block_size:int=8
73 FakeQuant qmin:int=-2147483648 qmax:int=2147483647
74 TQT qmin:int=-2147483648 qmax:int=2147483647
75 Correlation format/ConvolutionV0Format kernel_size=1 max_displacement=1 stride1=1 stride2=1 pad_size
    is_multiply:bool=1
76 LSQ qmin:int=-2147483648 qmax:int=2147483647
77 GammaRNG seed:ulong
78 PoissonRNG seed:ulong
79 PermutationRNG seed:ulong dtype:byte=4
80 BetaRNG seed:ulong
81 SlidingWindowTranspose out_h out_w pad_h pad_w stride_h=1 stride_w=1 dilate_h=1 dilate_w=1 window_h=3 window_w=3
82 Padding front_offset_dim0 front_offset_dim1 front_offset_dim2 front_offset_dim3 front_offset_dim4 front_offset_dim5
    front_offset_dim6 back_offset_dim0 back_offset_dim1 back_offset_dim2 back_offset_dim3 back_offset_dim4
    back_offset_dim5 back_offset_dim6 padding_val:float padding_mode/PaddingPaddingMode=2
83 ShuffleRNG seed:ulong
84 CheckNonFinite scale:float=1.0
85 LayerNorm affine:bool=1 eps:float=1e-5 normalized_dim:ulong=1 normalized_size:ulong=1
86 Dropout drop_prob:float seed:ulong
87 RNNCell nonlineMode/RNNCellNonlineMode
88 RNN num_layers=1 bidirectional:bool bias:bool=1 hidden_size=128 dropout:float nonlineMode/RNNCellNonlineMode
    fwd_mode/BNFwdMode
89 LSTM num_layers=1 bidirectional:bool bias:bool=1 hidden_size=128 proj_size dropout:float fwd_mode/BNFwdMode
90 Softmax axis:int=-1
91 Diag k:int
92 GroupNorm affine:bool=1 eps:float=1e-5 group=1 format/ConvolutionFormat
93 Fill value:float
94 GeneralNorm affine:bool=1 eps:float=1e-5 axis_start:ulong axis_end:ulong
95 MultiHeadAttn num_heads=1 embeding_size k_size v_size qproj_size kproj_size vproj_size oproj_size qbias:bool
    kbias:bool vbias:bool obias:bool sm_scaler:float=1. input_order attn_mask_type/MultiHeadAttnAttnMaskType
    tensor_combination_type/MultiHeadAttnTensorCombinationType add_zero_attn:bool need_weights:bool reslink:bool
    training:bool=1 seed:ulong attn_prob:float out_prob:float
96 Resize3D imode/WarpPerspectiveV1InterpolationMode=1 format/Convolution3DFormat=1 align_corners:bool
97 Cross axisa:int=-1 axisb:int=-1 axisc:int=-1
98 ExponentialRNG seed:ulong
99 MultinomialRNG seed:ulong num_samples:ulong=1 replacement:bool
"""


@dataclass(frozen=True)
class Field:
    """A field of a table: its kind, or the names of an enum."""

    name: str
    kind: str
    default: Any
    members: tuple[str, ...] = ()


@dataclass
class Param:
    """What an operator is bound to.

    Attributes:
        kind: the table's name.
        values: by the fields' names; enums as names.
    """

    kind: str
    values: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(f"{self.kind} has no {name}") from None


def _records(text: str) -> list[list[str]]:
    """The words of each line; an indented one continues the one before."""
    return [line.split() for line in text.strip().replace("\n    ", " ").splitlines()]


_ENUMS = {name: tuple(members) for name, *members in _records(_ENUM_LINES)}


def _field(word: str) -> Field:
    declared, _, default = word.partition("=")
    name, _, enum = declared.partition("/")
    if enum:
        return Field(name, "uint", int(default or 0), _ENUMS[enum])
    name, _, kind = declared.partition(":")
    number = float(default or 0) if kind in ("float", "double") else int(default or 0)
    return Field(name, kind or "uint", bool(number) if kind == "bool" else number)


_TABLES = {int(number): (name, [_field(word) for word in fields]) for number, name, *fields in _records(_PARAM_LINES)}

# Tables with vectors and structs in them, of `src/opr/impl/mgb_cpp_opr.fbs`.
_SCALAR = np.dtype([("dtype", "i1"), ("storage", "u1", 4)])
_AXIS = np.dtype({"names": ["method", "axis"], "formats": ["i1", "<i4"], "offsets": [0, 4], "itemsize": 8})
_INDEX = np.dtype([("axis", "i1"), ("begin", "?"), ("end", "?"), ("step", "?"), ("idx", "?")])
_OWN = {
    16: ("MGBAddUpdate", lambda t: {name: t.struct(k, _SCALAR) for k, name in enumerate(("alpha", "beta", "bias"))}),
    28: ("MGBSleep", lambda t: {"seconds": t.number(2, "double")}),
    63: ("Host2DeviceCopy", lambda t: {}),
    64: ("Dimshuffle", lambda t: {"pattern": t.numbers(0, "int").tolist(), "ndim": t.number(1, "uint")}),
    65: ("AxisAddRemove", lambda t: {"desc": [(int(d["method"]), int(d["axis"])) for d in t.structs(0, _AXIS)]}),
    66: ("IndexDescMaskDump", lambda t: {"items": [tuple(int(v) for v in item) for item in t.structs(0, _INDEX)]}),
    67: ("DType", lambda t: {"dtype": dtype_of(t)}),
    69: ("NMSKeep", lambda t: {"iou_thresh": t.number(0, "float"), "max_output": t.number(1, "uint")}),
}
PARAMS = {
    **{number: name for number, (name, _) in _TABLES.items()},
    **{number: name for number, (name, _) in _OWN.items()},
}


def decoded(number: int, table: Table) -> Param:
    """A table of the union ``OperatorParam``.

    Raises:
        GraphFileError: an enum has a member that MegEngine 1.13 does not have.
    """
    if number in _OWN:
        name, read = _OWN[number]
        return Param(name, read(table))
    name, fields = _TABLES[number]
    return Param(name, {field.name: _value(name, k, field, table) for k, field in enumerate(fields)})


def _value(table: str, k: int, field: Field, held: Table) -> Any:
    value = held.number(k, field.kind, field.default)
    if not field.members:
        return value
    if value >= len(field.members):
        raise GraphFileError(
            f"the file holds a {table} whose {field.name} is {value}, which MegEngine 1.13 does not have"
        )
    return field.members[value]
