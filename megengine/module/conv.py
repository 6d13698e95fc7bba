"""Convolutions, also transposed, locally connected and deformable."""

from __future__ import annotations

import math
from typing import Any

from ..functional import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose2d,
    conv_transpose3d,
    deformable_conv2d,
    local_conv2d,
    region_restricted_conv,
    relu,
)
from ..functional._settings import require_mode, sizes
from ..tensor import Tensor
from ._conv_base import PaddedConv, _ConvNd


class Conv1d(PaddedConv):
    """1-D convolution layer, of sequences, see :func:`~megengine.functional.nn.conv1d`.

    The weight, of shape ``(out_channels, in_channels, kernel_size)`` or with groups ``(groups, out_channels / groups,
    in_channels / groups, kernel_size)``, starts with draws from a normal distribution of std
    1 / sqrt(in_channels kernel_size); the bias, of shape ``(1, out_channels, 1)``, with zeros.

    Args:
        in_channels: channels of the input ``(N, in_channels, L)``.
        out_channels: channels of the output.
        kernel_size: length of the kernel.
        stride: step between windows. Default: 1
        padding: elements added on both sides. Default: 0
        dilation: spacing between the elements of a window. Default: 1
        groups: number of groups that the channels are divided into. Default: 1
        bias: whether to add a bias. Default: True
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"``, or ``"float32"`` to sum float16 products in float32.
        padding_mode: ``"zeros"``, ``"reflect"`` or ``"replicate"``. Default: ``"zeros"``

    Raises:
        ValueError: channels that the groups do not divide.
        SettingError: a size or padding mode that does not exist.

    Example:
        >>> conv = M.Conv1d(3, 1, kernel_size=3)
        >>> conv(Tensor(np.ones((2, 3, 4), "float32"))).shape
        (2, 1, 2)
    """

    _spatial = 1
    _function = staticmethod(conv1d)


class Conv2d(PaddedConv):
    """2-D convolution layer, of images, see :func:`~megengine.functional.nn.conv2d`.

    The weight, of shape ``(out_channels, in_channels, h, w)`` or with groups ``(groups, out_channels / groups,
    in_channels / groups, h, w)``, starts with draws from a normal distribution of std 1 / sqrt(in_channels h w); the
    bias, of shape ``(1, out_channels, 1, 1)``, with zeros.

    Args:
        in_channels: channels of the input ``(N, in_channels, H, W)``.
        out_channels: channels of the output.
        kernel_size: height and width of the kernel, or one number for both.
        stride: step between windows. Default: 1
        padding: rows and columns added on both sides. Default: 0
        dilation: spacing between the elements of a window. Default: 1
        groups: number of groups that the channels are divided into; as many as channels give a depthwise convolution. Default: 1
        bias: whether to add a bias. Default: True
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"``, or ``"float32"`` to sum float16 products in float32.
        padding_mode: ``"zeros"``, ``"reflect"`` or ``"replicate"``. Default: ``"zeros"``

    Raises:
        ValueError: channels that the groups do not divide.
        SettingError: a size or padding mode that does not exist.

    Example:
        >>> conv = M.Conv2d(3, 8, kernel_size=3, padding=1)
        >>> conv(Tensor(np.ones((2, 3, 4, 4), "float32"))).shape
        (2, 8, 4, 4)
        >>> conv
        Conv2d(3, 8, kernel_size=(3, 3), padding=(1, 1))
    """

    _function = staticmethod(conv2d)


class ConvRelu2d(Conv2d):
    """:class:`Conv2d` followed by relu, which quantisation treats as one.

    Example:
        >>> bool((M.ConvRelu2d(3, 8, 3)(Tensor(np.ones((2, 3, 4, 4), "float32"))).numpy() >= 0).all())
        True
    """

    def forward(self, inp: Tensor) -> Tensor:
        return relu(self.calc_conv(inp, self.weight, self.bias))


class Conv3d(_ConvNd):
    """3-D convolution layer, of volumes, see :func:`~megengine.functional.nn.conv3d`.

    The weight, of shape ``(out_channels, in_channels, d, h, w)`` or with groups ``(groups, out_channels / groups,
    in_channels / groups, d, h, w)``, starts with draws from a normal distribution of std 1 / sqrt(in_channels d h w);
    the bias, of shape ``(1, out_channels, 1, 1, 1)``, with zeros.

    Args:
        in_channels: channels of the input ``(N, in_channels, D, H, W)``.
        out_channels: channels of the output.
        kernel_size: depth, height and width of the kernel, or one number for all.
        stride: step between windows. Default: 1
        padding: zeros added on both sides. Default: 0
        dilation: spacing between the elements of a window. Default: 1
        groups: number of groups that the channels are divided into. Default: 1
        bias: whether to add a bias. Default: True
        conv_mode: ``"cross_correlation"``.

    Raises:
        ValueError: channels that the groups do not divide.
        SettingError: a size that does not exist.

    Example:
        >>> M.Conv3d(3, 1, kernel_size=2)(Tensor(np.ones((2, 3, 4, 4, 4), "float32"))).shape
        (2, 1, 3, 3, 3)
    """

    _spatial = 3

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] = 1,
        padding: int | tuple[int, int, int] = 0,
        dilation: int | tuple[int, int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        conv_mode: str = "cross_correlation",
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, 0, dilation, groups, bias)
        self.conv_mode = conv_mode

    def calc_conv(self, inp: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Apply the layer's function with another weight and bias."""
        return conv3d(inp, weight, bias, self.stride, self.padding, self.dilation, self.groups, self.conv_mode)

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_conv(inp, self.weight, self.bias)


class ConvTranspose2d(_ConvNd):
    """2-D transposed convolution layer, see :func:`~megengine.functional.nn.conv_transpose2d`.

    The weight, of shape ``(in_channels, out_channels, h, w)`` or with groups ``(groups, in_channels / groups,
    out_channels / groups, h, w)``, starts with draws from a normal distribution of std 1 / sqrt(out_channels h w); the
    bias, of shape ``(1, out_channels, 1, 1)``, with zeros.

    Args:
        in_channels: channels of the input ``(N, in_channels, H, W)``.
        out_channels: channels of the output.
        kernel_size: height and width of the kernel, or one number for both.
        stride: from one spread kernel to the next. Default: 1
        padding: rows and columns cut off on both sides. Default: 0
        output_padding: rows and columns added at the end, less than the stride. Default: 0
        dilation: distance of a kernel's elements. Default: 1
        groups: number of groups that the channels are divided into. Default: 1
        bias: whether to add a bias. Default: True
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"``, or ``"float32"`` to sum float16 products in float32.

    Raises:
        ValueError: channels that the groups do not divide.
        SettingError: a size that does not exist.

    Example:
        >>> up = M.ConvTranspose2d(8, 3, kernel_size=2, stride=2)
        >>> up(Tensor(np.ones((1, 8, 4, 4), "float32"))).shape
        (1, 3, 8, 8)
    """

    output_padding: Any = 0

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        output_padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        conv_mode: str = "cross_correlation",
        compute_mode: str = "default",
        **kwargs: Any,
    ) -> None:
        extra = sizes(output_padding, self._spatial, "output_padding", 0)
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, extra, dilation, groups, bias, **kwargs
        )
        self.conv_mode = conv_mode
        self.compute_mode = compute_mode

    def _get_fanin(self) -> int:
        return math.prod(self.kernel_size) * self.out_channels

    def _infer_weight_shape(self) -> tuple[int, ...]:
        return self._kernel_shape(self.in_channels, self.out_channels)

    def calc_conv_transpose2d(self, inp: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Apply the layer's function with another weight and bias."""
        settings = (self.stride, self.padding, self.output_padding, self.dilation, self.groups)
        return conv_transpose2d(inp, weight, bias, *settings, self.conv_mode, self.compute_mode)

    def forward(self, inp: Tensor) -> Tensor:
        return self.calc_conv_transpose2d(inp, self.weight, self.bias)


class ConvTransposeRelu2d(ConvTranspose2d):
    """:class:`ConvTranspose2d` followed by relu, which quantisation treats as one.

    Example:
        >>> M.ConvTransposeRelu2d(3, 8, 3)(Tensor(np.ones((2, 3, 4, 4), "float32"))).shape
        (2, 8, 6, 6)
    """

    def forward(self, inp: Tensor) -> Tensor:
        return relu(self.calc_conv_transpose2d(inp, self.weight, self.bias))


class ConvTranspose3d(_ConvNd):
    """3-D transposed convolution layer, see :func:`~megengine.functional.nn.conv_transpose3d`.

    The weight, of shape ``(in_channels, out_channels, d, h, w)`` or with groups ``(groups, in_channels / groups,
    out_channels / groups, d, h, w)``, starts with draws from a normal distribution of std 1 / sqrt(in_channels d h w);
    the bias, of shape ``(1, out_channels, 1, 1, 1)``, with zeros.

    Args:
        in_channels: channels of the input ``(N, in_channels, D, H, W)``.
        out_channels: channels of the output.
        kernel_size: depth, height and width of the kernel, or one number for all.
        stride: from one spread kernel to the next. Default: 1
        padding: planes, rows and columns cut off on both sides. Default: 0
        output_padding: as many added at the end, less than the stride. Default: 0
        dilation: distance of a kernel's elements. Default: 1
        groups: number of groups that the channels are divided into. Default: 1
        bias: whether to add a bias. Default: True

    Raises:
        ValueError: channels that the groups do not divide.
        SettingError: a size that does not exist.

    Example:
        >>> M.ConvTranspose3d(2, 1, kernel_size=2)(Tensor(np.ones((1, 2, 3, 3, 3), "float32"))).shape
        (1, 1, 4, 4, 4)
    """

    _spatial = 3
    output_padding: Any = 0

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int, int],
        stride: int | tuple[int, int, int] = 1,
        padding: int | tuple[int, int, int] = 0,
        output_padding: int | tuple[int, int, int] = 0,
        dilation: int | tuple[int, int, int] = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        extra = sizes(output_padding, self._spatial, "output_padding", 0)
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, extra, dilation, groups, bias)

    def _infer_weight_shape(self) -> tuple[int, ...]:
        return self._kernel_shape(self.in_channels, self.out_channels)

    def forward(self, inp: Tensor) -> Tensor:
        settings = (self.stride, self.padding, self.output_padding, self.dilation, self.groups)
        return conv_transpose3d(inp, self.weight, self.bias, *settings)


class LocalConv2d(Conv2d):
    """Locally connected 2-D layer without bias, see :func:`~megengine.functional.nn.local_conv2d`.

    The weight, of shape ``(groups, OH, OW, in_channels / groups, h, w, out_channels / groups)`` where ``(OH, OW)`` is the
    output's size, starts with draws from a normal distribution of std 1 / sqrt(in_channels h w).

    Args:
        in_channels: channels of the input ``(N, in_channels, input_height, input_width)``.
        out_channels: channels of the output.
        input_height: height of the input.
        input_width: width of the input.
        kernel_size: height and width of the kernel, or one number for both.
        stride: step between windows. Default: 1
        padding: zeros added on both sides. Default: 0
        dilation: spacing between the elements of a window. Default: 1
        groups: number of groups that the channels are divided into. Default: 1
        conv_mode: ``"cross_correlation"``.

    Raises:
        ValueError: channels that the groups do not divide, or a window larger than the input.
        SettingError: a size that does not exist.

    Example:
        >>> local = M.LocalConv2d(2, 3, input_height=4, input_width=5, kernel_size=2)
        >>> local(Tensor(np.ones((1, 2, 4, 5), "float32"))).shape
        (1, 3, 3, 4)
        >>> local.weight.shape
        (1, 3, 4, 2, 2, 2, 3)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_height: int,
        input_width: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        conv_mode: str = "cross_correlation",
        **kwargs: Any,
    ) -> None:
        self.input_height = sizes(input_height, 1, "input_height")[0]
        self.input_width = sizes(input_width, 1, "input_width")[0]
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias=False,
            conv_mode=conv_mode,
            **kwargs,
        )

    def _infer_weight_shape(self) -> tuple[int, ...]:
        inputs = (self.input_height, self.input_width)
        out = [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(inputs, self.padding, self.dilation, self.kernel_size, self.stride, strict=True)
        ]
        if min(out) < 1:
            raise ValueError(f"LocalConv2d: windows of {self.kernel_size} do not fit in an input of {inputs}")
        share = self.in_channels // self.groups, self.out_channels // self.groups
        return (self.groups, *out, share[0], *self.kernel_size, share[1])

    def forward(self, inp: Tensor) -> Tensor:
        return local_conv2d(inp, self.weight, None, self.stride, self.padding, self.dilation, self.conv_mode)


class DeformableConv2d(_ConvNd):
    """Deformable 2-D convolution layer, see :func:`~megengine.functional.nn.deformable_conv2d`.

    Weight and bias are as those of :class:`Conv2d`. Called with the input, the offsets ``(N, parts * h * w * 2, OH, OW)`` and
    the masks ``(N, parts * h * w, OH, OW)``.

    Args:
        in_channels: channels of the input ``(N, in_channels, H, W)``.
        out_channels: channels of the output.
        kernel_size: height and width of the kernel, or one number for both.
        stride: step between windows. Default: 1
        padding: zeros added on both sides. Default: 0
        dilation: spacing between the elements of a window. Default: 1
        groups: number of groups that the channels are divided into. Default: 1
        bias: whether to add a bias. Default: True
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``; sums are in float32 either way.

    Raises:
        ValueError: channels that the groups do not divide.
        SettingError: a size that does not exist.

    Example:
        >>> conv = M.DeformableConv2d(2, 4, kernel_size=3, padding=1)
        >>> offset, mask = np.zeros((1, 18, 5, 5), "float32"), np.ones((1, 9, 5, 5), "float32")
        >>> conv(Tensor(np.ones((1, 2, 5, 5), "float32")), Tensor(offset), Tensor(mask)).shape
        (1, 4, 5, 5)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        conv_mode: str = "cross_correlation",
        compute_mode: str = "default",
        **kwargs: Any,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, 0, dilation, groups, bias, **kwargs)
        self.conv_mode = conv_mode
        self.compute_mode = compute_mode

    def calc_conv(self, inp: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, bias: Tensor | None) -> Tensor:
        """Apply the layer's function with another weight and bias."""
        settings = (self.stride, self.padding, self.dilation, self.groups, self.conv_mode, self.compute_mode)
        return deformable_conv2d(inp, weight, offset, mask, bias, *settings)

    def forward(self, inp: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        return self.calc_conv(inp, self.weight, offset, mask, self.bias)


class RegionRestrictedConv(_ConvNd):
    """2-D convolution layer restricted to regions, see :func:`~megengine.functional.region_restricted_conv`.

    The weight, of shape ``(groups, out_channels / groups, in_channels / groups, h, w)`` also for one group, and the bias start as
    those of :class:`Conv2d`. Called with the input and the numbers of its and of the output's regions.

    Args:
        in_channels: channels of the input ``(N, in_channels, H, W)``.
        out_channels: channels of the output.
        kernel_size: height and width of the kernel, or one number for both.
        groups: number of groups that the channels are divided into. Default: 1
        bias: whether to add a bias. Default: True
        stride: step between windows. Default: 1
        padding: zeros added on both sides. Default: 0
        dilation: spacing between the elements of a window. Default: 1
        conv_mode: ``"cross_correlation"``.
        compute_mode: ``"default"`` or ``"float32"``; sums are in float32 either way.
        padding_mode: ``"zeros"``: what another padding is made of has no region.

    Raises:
        ValueError: channels that the groups do not divide.
        SettingError: a size or padding mode that does not exist.

    Example:
        >>> conv = M.RegionRestrictedConv(2, 4, kernel_size=3, groups=2, padding=1)
        >>> regions = Tensor(np.zeros((1, 5, 5), "int32"))
        >>> conv(Tensor(np.ones((1, 2, 5, 5), "float32")), regions, regions).shape
        (1, 4, 5, 5)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        groups: int = 1,
        bias: bool = True,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        conv_mode: str = "cross_correlation",
        compute_mode: str = "default",
        padding_mode: str = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, 0, dilation, groups, bias, **kwargs)
        self.conv_mode = conv_mode
        self.compute_mode = compute_mode
        self.padding_mode = require_mode(padding_mode, ("zeros",), "padding_mode")

    def _infer_weight_shape(self) -> tuple[int, ...]:
        share = self.out_channels // self.groups, self.in_channels // self.groups
        return (self.groups, *share, *self.kernel_size)

    def calc_conv(self, inp: Tensor, weight: Tensor, rin: Tensor, rout: Tensor, bias: Tensor | None) -> Tensor:
        """Apply the layer's function with another weight and bias."""
        settings = (self.stride, self.padding, self.dilation, self.groups, self.conv_mode, self.compute_mode)
        return region_restricted_conv(inp, weight, rin, rout, bias, *settings)

    def forward(self, inp: Tensor, rin: Tensor, rout: Tensor) -> Tensor:
        return self.calc_conv(inp, self.weight, rin, rout, self.bias)
