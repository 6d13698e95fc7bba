"""Deformable position-sensitive pooling of regions."""

from __future__ import annotations

from typing import Any

from ..functional import deformable_psroi_pooling
from ..tensor import Tensor
from .module import Module


class DeformablePSROIPooling(Module):
    """Deformable position-sensitive RoI pooling, see :func:`~megengine.functional.nn.deformable_psroi_pooling`.

    Called with the input ``(N, C, H, W)``, the regions ``(R, 5)`` and the moves ``(R, 2, pooled_h, pooled_w)``.

    Args:
        no_trans: do not move the bins.
        part_size: how many different moves there are along a dimension.
        pooled_h: bins along the height.
        pooled_w: bins along the width.
        sample_per_part: points along each dimension of a bin.
        spatial_scale: pixels of the input for a unit of the regions.
        trans_std: unit of the moves, in sizes of the region. Default: 0.1

    Example:
        >>> pool = M.DeformablePSROIPooling(True, 1, 1, 1, 2, 1.0)
        >>> x = Tensor(np.arange(4, dtype="float32").reshape(1, 1, 2, 2))
        >>> pool(x, Tensor([[0.0, 0.0, 0.0, 1.0, 1.0]]), F.zeros((1, 2, 1, 1)))
        Tensor([[[[0.75]]]], device=xpux:0)
    """

    def __init__(
        self,
        no_trans: bool,
        part_size: int,
        pooled_h: int,
        pooled_w: int,
        sample_per_part: int,
        spatial_scale: float,
        trans_std: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.no_trans = no_trans
        self.part_size = part_size
        self.pooled_h = pooled_h
        self.pooled_w = pooled_w
        self.sample_per_part = sample_per_part
        self.spatial_scale = spatial_scale
        self.trans_std = trans_std

    def forward(self, inp: Tensor, rois: Tensor, trans: Tensor) -> Tensor:
        bins = (self.no_trans, self.part_size, self.pooled_h, self.pooled_w, self.sample_per_part)
        return deformable_psroi_pooling(inp, rois, trans, *bins, self.spatial_scale, self.trans_std)
