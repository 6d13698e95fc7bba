"""The computing graph: recording, differentiation, compiling and running, and what to look at when one wonders.

A program does not need this module. It is for debugging and measuring: :func:`eager` runs op by op, :func:`check_nan` finds
the op that made a NaN, :func:`watch` shows the graphs that ran, :data:`counters` counts.
"""

from . import ending as _ending
from . import runtime as _runtime
from . import scopes as scopes
from .ahead import compile
from .background import compiling
from .checks import verify
from .counters import counters
from .errors import BadIndexError, RecompileError, TraceError
from .flushing import flush, flush_before
from .guards import note_dependence, note_hyperparameters
from .inspect import Watch, difference, watch
from .modes import check_nan, eager, on_recompile, tier
from .options import options
from .shared import CopiedWhole, claim, exclusive, publish
from .step import begin_step, end_step, gradients_cleared
from .together import call_together, reset_together, together

__all__ = [
    "BadIndexError",
    "CopiedWhole",
    "RecompileError",
    "TraceError",
    "Watch",
    "begin_step",
    "call_together",
    "check_nan",
    "claim",
    "compile",
    "compiling",
    "counters",
    "difference",
    "eager",
    "end_step",
    "flush",
    "flush_before",
    "exclusive",
    "gradients_cleared",
    "note_dependence",
    "note_hyperparameters",
    "on_recompile",
    "options",
    "publish",
    "reset_together",
    "scopes",
    "tier",
    "together",
    "verify",
    "watch",
]
