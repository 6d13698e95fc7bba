"""Functions of tensors."""

from . import activation, elemwise, loss, math, metric, nn, quantized, tensor, utils
from .elemwise import *
from .math import *
from .nn import *
from .tensor import *
from .utils import *
