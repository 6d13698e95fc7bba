"""Passes: each a function from :class:`megengine.graph.ir.Function` to Function, in a file of its own.

``PIPELINE`` lists those that every program goes through, in order. To add one, write it as its neighbours are and list it there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..ir import Function
from ..options import options
from .casts import explicit_casts
from .common import common_subexpressions
from .dead import dead_code
from .rematerialise import rematerialise
from .transposes import cancel_transposes
from .updates import updates_last

__all__ = [
    "PIPELINE",
    "Pass",
    "cancel_transposes",
    "common_subexpressions",
    "dead_code",
    "explicit_casts",
    "rematerialise",
    "run",
    "updates_last",
]

Pass = Callable[[Function], Function]
PIPELINE: tuple[Pass, ...] = (dead_code,)


def run(function: Function, passes: Iterable[Pass] = PIPELINE) -> Function:
    """Apply passes one after the other; each result is verified where ``MEGENGINE_VERIFY=1`` asks for it.

    Raises:
        VerificationError: a pass made a function that is not well formed.
    """
    if options.verify:
        function.verify()
    for each in passes:
        function = each(function)
        if options.verify:
            try:
                function.verify()
            except Exception as error:
                error.add_note(f"after the pass {each.__name__}")
                raise
    return function
