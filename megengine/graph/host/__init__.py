"""The tier that needs no compiler: a jaxpr run as NumPy calls, with one rule for each of JAX's primitives.

The families of rules are imported here, so that whatever imports the interpreter has all of them.
"""

from . import (
    batch,
    bilinear,
    collective,
    control,
    convert,
    convolution,
    draws,
    elementwise,
    error_function,
    foreign,
    gathering,
    gelu,
    integers,
    layer,
    linalg,
    lstm,
    products,
    reducing,
    scattering,
    selecting,
    shaping,
    softmax,
    sorting,
    special,
    windows,
)
