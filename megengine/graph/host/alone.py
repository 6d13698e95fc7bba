"""A primitive without a rule, compiled alone."""

from __future__ import annotations

import threading
from typing import Any

import jax
import numpy as np

from ..counters import counters, counting
from .rules import Equation, Run

# What costs least to compile: it is one primitive.
QUICKLY: dict[str, str | bool] = {"xla_backend_optimization_level": "0", "xla_cpu_parallel_codegen_split_count": "1"}
LIMIT = 1024
_compiled: dict[Any, Any] = {}
_changing = threading.Lock()


def compiled_alone(eqn: Equation) -> Run:
    """What runs this equation by an executable of its own; ``counters.compiled_alone`` counts them by the primitive's name."""
    primitive, params = eqn.primitive, dict(eqn.params)
    avals = [(v.aval.shape, v.aval.dtype) for v in eqn.invars]
    key = (primitive, str(sorted(params.items(), key=lambda pair: pair[0])), tuple((s, str(d)) for s, d in avals))

    def run(*arrays: Any) -> Any:
        with _changing:
            call = _compiled.get(key)
            if call is None:
                jitted = jax.jit(lambda *operands: primitive.bind(*operands, **params))
                structs = [jax.ShapeDtypeStruct(s, d) for s, d in avals]
                call = jitted.lower(*structs).compile(compiler_options=QUICKLY)
                if len(_compiled) >= LIMIT:
                    _compiled.pop(next(iter(_compiled)))
                _compiled[key] = call
                with counting:
                    counters.compiled_alone[primitive.name] += 1
        outs = call(*arrays)
        return [np.asarray(o) for o in outs] if primitive.multiple_results else np.asarray(outs)

    return run
