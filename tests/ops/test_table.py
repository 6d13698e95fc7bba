"""Every op of the table: its name, its attributes, and that it lowers."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest

import megengine.ops
from megengine import Tensor
from megengine.graph.apply import apply
from megengine.ops import elemwise, promote
from megengine.ops.op import Op, op

F32, F16, I32, I8, U8, BOOL = (np.dtype(d) for d in ("float32", "float16", "int32", "int8", "uint8", "bool"))


def table() -> dict[str, Op]:
    """All ops by module and variable."""
    found = {}
    for info in pkgutil.iter_modules(megengine.ops.__path__):
        module = importlib.import_module(f"megengine.ops.{info.name}")
        found.update({f"{info.name}.{k}": v for k, v in vars(module).items() if isinstance(v, Op)})
    return found


def test_every_op_has_a_name_of_its_own() -> None:
    ops = set(table().values())
    assert len({o.name for o in ops}) == len(ops)


def test_flags_fit_the_function() -> None:
    for name, o in table().items():
        assert callable(o.lower) and isinstance(o.attrs, tuple), name
        assert isinstance(o.differentiable, bool | tuple), name


@pytest.mark.parametrize(
    ("kinds", "wanted"),
    [
        ((F32, F32), F32),
        ((F16, F16), F16),
        ((F16, F32), F32),
        ((F16, I32), F32),
        ((F16, "f"), F16),
        ((F16, "i"), F16),
        ((I8, I32), I32),
        ((I8, "i"), I8),
        ((I8, "f"), F32),
        ((BOOL, F32), F32),
        ((BOOL, "i"), F32),
        (("i", "f"), F32),
        ((U8, "i"), U8),
    ],
)
def test_arithmetic_promotion(kinds: tuple[object, ...], wanted: np.dtype) -> None:
    assert list(promote.arithmetic("add", kinds)) == [wanted] * len(kinds)
    assert list(promote.arithmetic("add", kinds[::-1])) == [wanted] * len(kinds)


@pytest.mark.parametrize("kinds", [(BOOL, BOOL), (U8, I32), (U8, I8), (BOOL, "b")])
def test_what_does_not_mix(kinds: tuple[object, ...]) -> None:
    with pytest.raises(RuntimeError, match="add: cannot combine"):
        promote.arithmetic("add", kinds)


def test_other_rules() -> None:
    assert promote.floating("exp", [I8]) == [F32] and promote.floating("exp", [F16]) == [F16]
    assert promote.comparison("equal", [BOOL, BOOL]) == [BOOL, BOOL]
    assert promote.as_float32("mean", [F16]) == [F32]
    refusals = [(promote.float_only, I32), (promote.integral, F32), (promote.logical, I32), (promote.numeric, BOOL)]
    for rule, kind in refusals:
        with pytest.raises(RuntimeError, match="cannot combine"):
            rule("op", [kind])


def test_attributes_are_bound_by_name() -> None:
    @op(name="scaled")
    def scaled(x, *, factor, offset=0):
        return x * factor + offset

    assert scaled.in_order({"offset": 3, "factor": 2}) == (2, 3)
    assert scaled.in_order({"factor": 2}) == (2, 0) and scaled.variant(name="other").in_order({"factor": 2}) == (2, 0)
    x = Tensor([1.0, 2.0])
    assert apply(scaled, x, offset=1, factor=2).tolist() == [3.0, 5.0]
    assert apply(scaled, x, factor=2).tolist() == [2.0, 4.0]
    wrong = [
        ({}, "scaled: attribute 'factor' is missing"),
        ({"offset": 1}, "scaled: attribute 'factor' is missing"),
        ({"factor": 1, "scale": 2}, "scaled has no attribute 'scale'; it has attributes factor, offset"),
        ({"factor": 1, "offset": 2, "scale": 3}, "scaled has no attribute 'scale'"),
        ({"scale": 1}, "scaled has no attribute 'scale'"),
    ]
    for named, words in wrong:
        with pytest.raises(TypeError, match=words):
            apply(scaled, x, **named)
    with pytest.raises(TypeError, match="add has no attribute 'axis'; it has no attributes"):
        apply(elemwise.add, x, x, axis=0)
