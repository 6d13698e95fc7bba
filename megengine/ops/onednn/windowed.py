"""What the sizes of a convolution tell, of floats and of integers."""

from __future__ import annotations

from math import prod

from ..windows import out_size

# Fewer products than these take less time than a call.
WORTH_A_CALL = 1 << 16


class Windowed:
    """A convolution by its sizes; ``x_shape`` is ``(N, C, *sizes)`` and ``kernel_shape`` ``(C_out, C / groups, *windows)``."""

    x_shape: tuple[int, ...]
    kernel_shape: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def y_shape(self) -> tuple[int, ...]:
        """The shape of the forward convolution's result."""
        axes = zip(self.x_shape[2:], self.kernel_shape[2:], self.stride, self.padding, self.dilation, strict=True)
        return (self.x_shape[0], self.kernel_shape[0], *(out_size(*axis) for axis in axes))

    @property
    def products(self) -> int:
        """How many multiplications it takes."""
        return prod(self.y_shape) * prod(self.kernel_shape[1:])

    def worth_it(self) -> bool:
        """Whether it is more than a call of the library costs."""
        return self.products >= WORTH_A_CALL
