"""The Gaussian error linear unit and its derivative, by oneDNN where it is there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ops.onednn import gelu
from .error_function import erfc
from .rules import Equation, Run, rule

_HALF, _ROOT_OF_HALF = np.float32(0.5), np.float32(math.sqrt(0.5))
_DENSITY_AT_ZERO = np.float32(1 / math.sqrt(2 * math.pi))


def _distribution(x: Any) -> Any:
    return _HALF * erfc(-_ROOT_OF_HALF * x)


def _by_library(x: Any) -> bool:
    return x.size >= gelu.WORTH_A_CALL and gelu.available()


def _value(x: Any) -> Any:
    return gelu.value(np.ascontiguousarray(x)) if _by_library(x) else x * _distribution(x)


def _slope(x: Any) -> Any:
    if _by_library(x):
        return gelu.slope(np.ascontiguousarray(x))
    density = np.exp(-_HALF * x * x) * _DENSITY_AT_ZERO
    return _distribution(x) + x * density


@rule("gelu")
def of_value(eqn: Equation) -> Run:
    return lambda x: [_value(x)]


@rule("gelu_and_slope")
def of_value_and_slope(eqn: Equation) -> Run:
    return lambda x: [_value(x), _slope(x)]
