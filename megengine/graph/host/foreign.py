"""What calls back into Python: on the host it is that call."""

from __future__ import annotations

from typing import Any

import numpy as np

from .rules import Equation, Run, rule


@rule("pure_callback")
def pure_callback(eqn: Equation) -> Run:
    callback, avals = eqn.params["callback"], eqn.params["result_avals"]

    def run(*arrays: Any) -> list[np.ndarray]:
        found = [np.asarray(a) for a in callback(*arrays)]
        for array, aval in zip(found, avals, strict=True):
            if array.shape != aval.shape or array.dtype != aval.dtype:
                raise TypeError(
                    f"a callback gave {array.dtype}{list(array.shape)}, where {aval.str_short()} was declared"
                )
        return found

    return run
