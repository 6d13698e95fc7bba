"""Functions of tensors."""

from . import (
    activation,
    debug_param,
    elemwise,
    external,
    inplace,
    loss,
    math,
    metric,
    nn,
    quantized,
    tensor,
    utils,
    vision,
)
from .elemwise import *
from .math import *
from .nn import *
from .tensor import *
from .utils import *
