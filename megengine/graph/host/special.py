"""Special functions, which SciPy has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from .narrow import FLOAT32, is_narrow
from .rules import RULES, Equation, Run


def _lgamma(x: Any) -> Any:
    return scipy.special.gammaln(np.where(np.isneginf(x), x.dtype.type(np.inf), x))


def _digamma(x: Any) -> Any:
    return scipy.special.digamma(np.where(x == 0, x.dtype.type(np.nan), x))


SPECIAL: dict[str, Callable[..., Any]] = {
    "erf_inv": scipy.special.erfinv,
    "lgamma": _lgamma,
    "digamma": _digamma,
    "polygamma": scipy.special.polygamma,
    "zeta": scipy.special.zeta,
    "igamma": scipy.special.gammainc,
    "igammac": scipy.special.gammaincc,
    "regularized_incomplete_beta": scipy.special.betainc,
    "bessel_i0e": scipy.special.i0e,
    "bessel_i1e": scipy.special.i1e,
}


def _special(fn: Callable[..., Any]) -> Callable[[Equation], Run]:
    def make(eqn: Equation) -> Run:
        dtype = eqn.outvars[0].aval.dtype
        wide = FLOAT32 if is_narrow(dtype) else dtype
        return lambda *arrays: fn(*(a.astype(wide, copy=False) for a in arrays)).astype(dtype, copy=False)

    return make


for _name, _fn in SPECIAL.items():
    RULES[_name] = _special(_fn)
