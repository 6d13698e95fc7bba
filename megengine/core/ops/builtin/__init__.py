"""MegEngine's operators as objects, for programs that apply them one by one; see :mod:`~megengine.core.ops.opdef`."""

from ..opdef import OpDef
from ._elemwise import *
from ._elsewhere import *
from ._index import *
from ._matrix import *
from ._quantization import *
from ._reduce import *
from ._shape import *
from ._update import *
