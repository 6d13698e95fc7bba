"""PyTorch's names and MegEngine's spelling of the same, for the errors that unknown names raise.

Each spelling is code: ``x`` and ``y`` are tensors, ``axis`` an axis, ``mask`` a tensor of bools, ``net`` a module, ``gm`` a
GradManager and so on; a test runs every one of them. Nothing here makes a name work.
"""

from __future__ import annotations

from .functions import FUNCTIONAL, PACKAGE
from .keywords import INPLACE, KEYWORDS, SORTING, WITHOUT
from .modules import INIT, MODULE, NETWORK
from .tensors import TENSOR
from .training import AUTODIFF, DATA, DISTRIBUTED, JIT, MANAGER, OPTIMIZER, RANDOM, SCALER, SCHEDULES, TRANSFORM, UTILS

__all__ = [
    "AUTODIFF",
    "DATA",
    "DISTRIBUTED",
    "FUNCTIONAL",
    "INIT",
    "INPLACE",
    "JIT",
    "KEYWORDS",
    "MANAGER",
    "MODULE",
    "NETWORK",
    "OF_MODULES",
    "OPTIMIZER",
    "PACKAGE",
    "RANDOM",
    "SCALER",
    "SCHEDULES",
    "SORTING",
    "TENSOR",
    "TRANSFORM",
    "UTILS",
    "WITHOUT",
]

# The table of a module by its name after ``megengine``.
OF_MODULES = {
    "": PACKAGE,
    "amp": {"custom_fwd": "mge.amp.autocast()"},
    "autodiff": AUTODIFF,
    "data": DATA,
    "data.dataset": {name: code for name, code in DATA.items() if name not in ("ConcatDataset", "Dataset")},
    "data.transform": TRANSFORM,
    "distributed": DISTRIBUTED,
    "functional": FUNCTIONAL,
    "functional.nn": FUNCTIONAL,
    "functional.loss": FUNCTIONAL,
    "functional.tensor": FUNCTIONAL,
    "functional.math": FUNCTIONAL,
    "functional.elemwise": FUNCTIONAL,
    "jit": JIT,
    "module": MODULE,
    "module.init": INIT,
    "optimizer": OPTIMIZER,
    "optimizer.lr_scheduler": SCHEDULES,
    "random": RANDOM,
    "utils": UTILS,
}
