"""What MegEngine calls the ops of the table: the type of a node in a graph, and the mode of an element-wise one."""

from __future__ import annotations

MODES = {
    "add": "ADD", "sub": "SUB", "mul": "MUL", "div": "TRUE_DIV", "floor_div": "FLOOR_DIV", "mod": "MOD", "pow": "POW",
    "pow_fixed": "POW", "maximum": "MAX", "minimum": "MIN", "logaddexp": "LOG_SUM_EXP", "atan2": "ATAN2", "left_shift": "SHL",
    "right_shift": "SHR", "equal": "EQ", "not_equal": "NEQ", "less": "LT", "less_equal": "LEQ", "greater": "GT",
    "greater_equal": "GEQ", "logical_and": "AND", "logical_or": "OR", "logical_xor": "XOR", "logical_not": "NOT",
    "neg": "NEGATE", "abs": "ABS", "sign": "SIGN", "square": "SQUARE", "round": "ROUND", "floor": "FLOOR", "ceil": "CEIL",
    "exp": "EXP", "expm1": "EXPM1", "log": "LOG", "log1p": "LOG1P", "sqrt": "SQRT", "sin": "SIN", "cos": "COS", "tan": "TAN",
    "asin": "ASIN", "acos": "ACOS", "atan": "ATAN", "sinh": "SINH", "cosh": "COSH", "tanh": "TANH", "asinh": "ASINH",
    "acosh": "ACOSH", "atanh": "ATANH", "erf": "ERF", "erfc": "ERFC", "erfinv": "ERFINV", "erfcinv": "ERFCINV",
    "isnan": "ISNAN", "isinf": "ISINF", "clip": "CLIP", "where": "COND_LEQ_MOV", "sigmoid": "SIGMOID", "silu": "SILU",
    "gelu": "GELU", "relu": "RELU", "relu6": "RELU6", "hsigmoid": "HSIGMOID", "hswish": "H_SWISH", "prelu": "PRELU",
    "softplus": "SOFTPLUS", "logsigmoid": "LOGSIGMOID",
}  # fmt: skip

TYPES = {
    "cast": "TypeCvt", "quantize": "TypeCvt", "dequantize": "TypeCvt", "copy": "Identity", "matmul": "MatrixMul",
    "linear": "MatrixMul", "dot": "Dot", "matinv": "MatrixInverse", "svd": "SVD", "conv": "Convolution",
    "conv_transpose": "ConvTranspose", "local_conv2d": "GroupLocal", "deformable_conv2d": "DeformableConv",
    "deformable_psroi_pooling": "DeformablePSROIPooling", "max_pool": "Pooling", "mean_pool": "Pooling",
    "batch_norm": "BatchNorm", "batch_norm_training": "BatchNorm", "roi_align": "ROIAlign", "roi_pooling": "ROIPooling",
    "warp": "WarpPerspective", "remap": "Remap", "resize": "Resize", "one_hot": "IndexingSetOneHot",
    "take_along": "IndexingOneHot", "argsort": "Argsort", "argmax": "Argmax", "argmin": "Argmin", "topk": "TopK",
    "uniform": "UniformRNG", "normal": "GaussianRNG", "linspace": "Linspace", "eye": "Eye", "concat": "Concat",
    "broadcast_to": "Broadcast", "transpose": "Dimshuffle", "reshape": "Reshape", "expand_dims": "AxisAddRemove",
    "squeeze": "AxisAddRemove", "getitem": "Subtensor", "setitem": "SetSubtensor", "cvt_color": "CvtColor",
    "assert_equal": "AssertEqual", "sum": "Reduce", "mean": "Reduce", "max": "Reduce", "min": "Reduce", "prod": "Reduce",
}  # fmt: skip

# Of the classes that MegEngine has for them, those whose names are not the types'.
CLASSES = {
    "BatchedMatmul": "BatchedMatrixMul", "Convolution": "ConvolutionForward", "ConvTranspose": "ConvolutionBackwardData",
    "DeformableConv": "DeformableConvForward", "GroupLocal": "GroupLocalForward", "Pooling": "PoolingForward",
    "AdaptivePooling": "AdaptivePoolingForward", "ROIPooling": "ROIPoolingForward",
    "DeformablePSROIPooling": "DeformablePSROIPoolingForward", "ConvBias": "ConvBiasForward",
    "BatchConvBias": "BatchConvBiasForward", "BatchNorm": "BatchNormForward", "ROIAlign": "ROIAlignForward",
    "WarpPerspective": "WarpPerspectiveForward", "WarpAffine": "WarpAffineForward", "Remap": "RemapForward",
    "Resize": "ResizeForward", "Argsort": "ArgsortForward", "CvtColor": "CvtColorForward", "UniformRNG": "RNGOpr",
    "GaussianRNG": "RNGOpr",
}  # fmt: skip

OTHERS = (
    "Elemwise", "ElemwiseMultiType", "BatchedMatmul", "AdaptivePooling", "ConvBias", "BatchConvBias", "WarpAffine", "Copy",
    "CondTake", "NvOf", "GetVarShape", "NMSKeep", "IncrSubtensor", "IndexingMultiAxisVec", "IndexingSetMultiAxisVec",
    "IndexingIncrMultiAxisVec", "MeshIndexing", "SetMeshIndexing", "IncrMeshIndexing", "BatchedMeshIndexing",
    "BatchedSetMeshIndexing", "BatchedIncrMeshIndexing",
)  # fmt: skip


def type_of(op: str) -> str:
    """The type of a node of this op; where MegEngine has none, the op's own name."""
    return "Elemwise" if op in MODES else TYPES.get(op, op)


def label_of(op: str) -> str:
    """What names of nodes are made of."""
    return MODES.get(op) or TYPES.get(op, op)
