"""MegEngine's other operators by name: programs compare nodes of graphs with them. What computes is in ``functional``."""

from __future__ import annotations

from typing import Any

from ..opdef import OpDef

# Operator, and what to call for its result.
FUNCTIONS = {
    "AdaptivePooling": "functional.adaptive_avg_pool2d or adaptive_max_pool2d",
    "BatchConvBias": "functional.quantized.batch_conv_bias_activation",
    "BatchNorm": "functional.batch_norm",
    "BetaRNG": "random.beta",
    "ConvBias": "functional.quantized.conv_bias_activation",
    "Convolution": "functional.conv2d",
    "Convolution3D": "functional.conv3d",
    "Convolution3DBackwardData": "functional.conv_transpose3d",
    "ConvolutionBackwardData": "functional.conv_transpose2d",
    "Correlation": "functional.vision.correlation",
    "CvtColor": "functional.vision.cvt_color",
    "DeformableConv": "functional.deformable_conv2d",
    "DeformablePSROIPooling": "functional.deformable_psroi_pooling",
    "Dropout": "functional.dropout",
    "ExternOpr": "functional.external.extern_opr_subgraph",
    "GammaRNG": "random.gamma",
    "GaussianRNG": "random.normal",
    "GeneralNorm": "functional.nn.general_norm",
    "GroupLocal": "functional.local_conv2d",
    "GroupNorm": "functional.nn.group_norm",
    "Images2Neibs": "functional.sliding_window",
    "InstanceNorm": "functional.nn.instance_norm",
    "LAMBUpdate": "optimizer.LAMB",
    "LRN": "functional.local_response_norm",
    "LSTM": "module.LSTM",
    "LSTMCell": "module.LSTMCell",
    "LayerNorm": "functional.nn.layer_norm",
    "MeshGrid": "functional.meshgrid",
    "MultiHeadAttn": "functional.nn.multi_head_attention",
    "NMSKeep": "functional.vision.nms",
    "Padding": "functional.pad",
    "ParamPackConcat": "distributed.helper.param_pack_concat",
    "ParamPackSplit": "distributed.helper.param_pack_split",
    "PermutationRNG": "random.permutation",
    "PixelShuffle": "functional.pixel_shuffle",
    "PoissonRNG": "random.poisson",
    "Pooling": "functional.max_pool2d or avg_pool2d",
    "RNN": "module.RNN",
    "RNNCell": "module.RNNCell",
    "ROIAlign": "functional.vision.roi_align",
    "ROIPooling": "functional.vision.roi_pooling",
    "RegionRestrictedConvolution": "functional.region_restricted_conv",
    "Remap": "functional.vision.remap",
    "Resize": "functional.vision.interpolate",
    "Resize3D": "functional.vision.interpolate",
    "ShuffleRNG": "random.shuffle",
    "SlidingWindowTranspose": "functional.sliding_window_transpose",
    "UniformRNG": "random.uniform",
    "WarpAffine": "functional.vision.warp_affine",
    "WarpPerspective": "functional.vision.warp_perspective",
}


class Elsewhere(OpDef):
    """An operator that a program can name and compare, and that is computed by a function of its own."""

    def __init__(self, *settings: Any, **named: Any) -> None:
        if settings:
            raise TypeError(f"{type(self).__name__} takes its settings by name")
        for key, value in named.items():
            setattr(self, key, value)

    def _settings(self) -> tuple[Any, ...]:
        return tuple(sorted((k, str(v)) for k, v in vars(self).items()))

    def _run(self, *tensors: Any) -> tuple[Any, ...]:
        name = type(self).__name__
        raise NotImplementedError(f"apply does not run {name}: call megengine.{FUNCTIONS[name]}")


OPERATORS: dict[str, type[OpDef]] = {
    name: type(name, (Elsewhere,), {"__doc__": f"What ``{function}`` computes.", "__module__": __name__})
    for name, function in FUNCTIONS.items()
}
globals().update(OPERATORS)
__all__ = list(OPERATORS)
