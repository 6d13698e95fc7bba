"""Special functions, which SciPy has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .narrow import FLOAT32, is_narrow
from .rules import RULES, Equation, Run


def of_scipy(name: str) -> Callable[..., Any]:
    """A function of ``scipy.special``, which is imported, for a third of a second, when one is first called."""

    def call(*arrays: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*arrays)

    return call


_gammaln = of_scipy("gammaln")


def _lgamma(x: Any) -> Any:
    return _gammaln(np.where(np.isneginf(x), x.dtype.type(np.inf), x))


SPECIAL: dict[str, Callable[..., Any]] = {
    "erf_inv": of_scipy("erfinv"),
    "lgamma": _lgamma,
    "digamma": of_scipy("digamma"),
    "polygamma": of_scipy("polygamma"),
    "zeta": of_scipy("zeta"),
    "igamma": of_scipy("gammainc"),
    "igammac": of_scipy("gammaincc"),
    "regularized_incomplete_beta": of_scipy("betainc"),
    "bessel_i0e": of_scipy("i0e"),
    "bessel_i1e": of_scipy("i1e"),
}


def _special(fn: Callable[..., Any]) -> Callable[[Equation], Run]:
    def make(eqn: Equation) -> Run:
        dtype = eqn.outvars[0].aval.dtype
        wide = FLOAT32 if is_narrow(dtype) else dtype
        return lambda *arrays: fn(*(a.astype(wide, copy=False) for a in arrays)).astype(dtype, copy=False)

    return make


for _name, _fn in SPECIAL.items():
    RULES[_name] = _special(_fn)
