"""The numbers by which files of the first format name operators: XXH64 of the names of their classes."""

from __future__ import annotations

import struct
from functools import cache

SEED = 20160701
_MASK = (1 << 64) - 1
_P1, _P2, _P3, _P4, _P5 = (
    0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5,
)  # fmt: skip


def xxh64(data: bytes, seed: int = SEED) -> int:
    """The 64-bit hash of xxHash (https://github.com/Cyan4973/xxHash, its specification)."""
    rest, hash_ = data, (seed + _P5) & _MASK
    if len(data) >= 32:
        lanes = [seed + _P1 + _P2, seed + _P2, seed, seed - _P1]
        while len(rest) >= 32:
            lanes = [_round(lane, word) for lane, word in zip(lanes, struct.unpack_from("<4Q", rest), strict=True)]
            rest = rest[32:]
        hash_ = sum(_rotated(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            hash_ = ((hash_ ^ _round(0, lane)) * _P1 + _P4) & _MASK
    hash_ = (hash_ + len(data)) & _MASK
    while len(rest) >= 8:
        hash_ = (_rotated(hash_ ^ _round(0, struct.unpack_from("<Q", rest)[0]), 27) * _P1 + _P4) & _MASK
        rest = rest[8:]
    if len(rest) >= 4:
        hash_ = (_rotated(hash_ ^ (struct.unpack_from("<I", rest)[0] * _P1) & _MASK, 23) * _P2 + _P3) & _MASK
        rest = rest[4:]
    for byte in rest:
        hash_ = (_rotated(hash_ ^ (byte * _P5) & _MASK, 11) * _P1) & _MASK
    hash_ = ((hash_ ^ hash_ >> 33) * _P2) & _MASK
    hash_ = ((hash_ ^ hash_ >> 29) * _P3) & _MASK
    return hash_ ^ hash_ >> 32


def _rotated(value: int, bits: int) -> int:
    value &= _MASK
    return (value << bits | value >> (64 - bits)) & _MASK


def _round(lane: int, word: int) -> int:
    return (_rotated((lane + word * _P2) & _MASK, 31) * _P1) & _MASK


# The classes that MegEngine registers. A digit after V says how often what is written of one has changed.
CLASSES = """
AdaptivePoolingBackwardV1 AdaptivePoolingV1 AddUpdate AffineInt Alloc Argmax Argmin Argsort ArgsortBackward
AssertEqual AxisAddRemove BatchConvBiasForward BatchConvBiasForwardV1 BatchNorm BatchNormBackwardV1 BatchNormV1
BatchedIncrMeshIndexing BatchedMatrixMulV2 BatchedMeshIndexing BatchedSetMeshIndexing BetaRNG Broadcast CheckNonFinite
Concat CondExecMark CondExecMarkIfNeed CondExecMerge CondExecPred CondExecPredLogical CondTake ConvBiasForward
ConvBiasForwardV4 Convolution Convolution3D Convolution3DBackwardData Convolution3DBackwardFilter
ConvolutionBackwardData ConvolutionBackwardDataV2 ConvolutionBackwardFilter ConvolutionBackwardFilterV2 ConvolutionV2
Copy CorrelationBackwardData1 CorrelationBackwardData2 CorrelationForward Cross CumsumV1 CvtColor DctChannelSelectV1
DeformableConvBackwardData DeformableConvBackwardDataV1 DeformableConvBackwardFilter DeformableConvBackwardFilterV1
DeformableConvForward DeformableConvForwardV1 DeformablePSROIPoolingBackward DeformablePSROIPoolingForward Diag
DiagBackward Dimshuffle Dot Dropout DropoutBackward Elemwise ElemwiseMultiType ExponentialRNG Eye FakeQuant
FakeQuantBackward Fill FillLike Flip GammaRNG GaussianBlur GaussianRNGV1 GeneralNorm GeneralNormBackward GetVarShapeV1
GroupLocalBackwardDataV2 GroupLocalBackwardFilterV2 GroupLocalV2 GroupNorm GroupNormBackward Host2DeviceCopy Identity
Images2Neibs Images2NeibsBackward ImmutableTensor IncrMeshIndexing IncrSubtensor IndexingIncrMultiAxisVec
IndexingMultiAxisVec IndexingOneHot IndexingRemap IndexingRemapBackward IndexingSetMultiAxisVec IndexingSetOneHot
InstanceNorm InstanceNormBackward LRN LRNBackward LSQ LSQBackward LSTMBackward LSTMCellForward LSTMForward LayerNorm
LayerNormBackward Linspace LocalBackwardDataV2 LocalBackwardFilterV2 LocalShareBackwardData LocalShareBackwardDataV1
LocalShareBackwardFilter LocalShareBackwardFilterV1 LocalShareForward LocalShareForwardV1 LocalV2 MarkDynamicVar
MarkNoBroadcastElemwise MaskConvolutionV2 MaskPropagate MaskedFill MatrixInverse MatrixMulV2 MeshIndexing
MultiHeadAttn MultiHeadAttnBackward MultinomialRNG MultipleDeviceTensorHolder MultipleDeviceTensorWithFormatHolder
NMSKeepMGB NonZero NvOf Padding PaddingBackward PermutationRNG PersistentOutputStorage PoissonRNG PoolingBackwardV1
PoolingV1 PowC RNNBackward RNNCellForward RNNForward ROIAlignBackwardV1 ROIAlignV1 ROIPooling ROIPoolingBackward
ReduceV2 RegionRestrictedConvolution RegionRestrictedConvolutionBackwardData RegionRestrictedConvolutionBackwardFilter
RelayoutFormatV1 RemapBackwardDataV1 RemapBackwardMatV1 RemapV1 ReshapeV1 Resize3D ResizeBackward ResizeV2 Rotate SVD
SetMeshIndexing SetSubtensor SharedDeviceTensor SharedDeviceTensorWithFormat ShuffleRNG ShuffleRNGBackward Sleep
SlidingWindowTranspose SlidingWindowTransposeBackward Softmax SoftmaxBackward Split Subtensor TQT TQTBackward TopK
TypeCvtV2 UniformRNGV1 VirtualDep VirtualGrad VolatileSharedDeviceTensor WarpAffineV2 WarpPerspectiveBackwardDataV2
WarpPerspectiveBackwardMatV2 WarpPerspectiveV2 Where WhereBackward
""".split()  # noqa: SIM905


def plain(name: str) -> str:
    """A class's name without its version."""
    return name[:-2] if name[-1:].isdigit() and name[-2:-1] == "V" else name


@cache
def by_number() -> dict[int, str]:
    """Names of operators, without versions, by both numbers that a file may call them by: one is of a C string, with its end."""
    found = {xxh64(name.encode() + b"\0"): plain(name) for name in CLASSES}
    found.update({xxh64(plain(name).encode()): plain(name) for name in CLASSES})
    return found
