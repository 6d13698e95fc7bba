"""An LSTM over a sequence and its gradients, by oneDNN."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np

from ...ops.lstm import PLAIN, of_equation
from ...ops.onednn.plan import aligned
from ..spent import kernel
from .interpreter import nested
from .rules import Equation, Run, rule


@rule("lstm_sequence", "lstm_gradients")
def lstm(eqn: Equation) -> Run:
    avals = [(v.aval.shape, np.dtype(v.aval.dtype)) for v in eqn.invars]
    of, kept = of_equation(eqn.primitive.name, [shape for shape, _ in avals], **eqn.params)
    plan = of.plan_within(kept)
    if plan is None:  # of a process that had the library, or of more bytes than were expected
        plain = partial(PLAIN[eqn.primitive.name], **eqn.params)
        return nested(jax.make_jaxpr(plain)(*(jax.ShapeDtypeStruct(*of) for of in avals)))
    outs = [(v.aval.shape, np.dtype(v.aval.dtype)) for v in eqn.outvars]
    product = plan.run

    def run(*arrays: np.ndarray) -> list[np.ndarray]:
        given = list(map(np.ascontiguousarray, arrays))
        results = [aligned(*of) for of in outs]
        product(*(a.ctypes.data for a in given), *(a.ctypes.data for a in results))
        return results

    return kernel(run)
