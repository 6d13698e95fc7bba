"""Every op of the table lowers for CPU, CUDA and TPU, forward and gradient; none of these devices is needed for that.

`signatures.txt` has a line for each op and class of dtypes, `name: operands; attributes`, as golden cases meet them. An operand
is a dtype with its shape, or f, i, b for a Python number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from jax import export, lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from megengine.ops.op import Op, op
from megengine.ops.promote import FLOATS, SCALAR_DTYPE
from megengine.ops.quantized import Key

from .test_table import table

PLATFORMS = ("cpu", "cuda", "tpu")
# What does not lower: (op, "forward" or "gradient", platform) -> why.
NOT_LOWERED: dict[tuple[str, str, str], str] = {}

LINES = (Path(__file__).parent / "signatures.txt").read_text(encoding="utf-8").splitlines()
OPS = {o.name: o for o in table().values()}
NAMES = {"Key": Key, "WHOLE": NamedSharding(Mesh(np.array(jax.devices()[:1]), "d"), PartitionSpec())}  # in attributes


def operand(word: str) -> Any:
    """A dtype with a shape, or the kind of a Python number."""
    if word in SCALAR_DTYPE:
        return word
    found = re.fullmatch(r"(\w+)\[([\d,]*)\]", word)
    assert found is not None, word
    dtype = np.dtype(getattr(ml_dtypes, found[1], found[1]))
    return jax.ShapeDtypeStruct(tuple(int(n) for n in found[2].split(",") if n), dtype)


def parsed(line: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Name, operands and attributes of a line."""
    name, _, rest = line.partition(":")
    operands, _, attrs = rest.partition(";")
    pairs = (word.partition("=") for word in attrs.split())
    return name, [operand(w) for w in operands.split()], {n: eval(value, NAMES) for n, _, value in pairs}


def functions(o: Op, operands: list[Any], attrs: dict[str, Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The op as a function of arrays, and its gradient where it has one."""
    kinds = [x if isinstance(x, str) else x.dtype for x in operands]
    targets = o.promote(o.name, kinds) if o.promote is not None else [None] * len(kinds)
    forward = o.bind(o.in_order(attrs), targets)
    yield "forward", forward
    flags = o.differentiable if isinstance(o.differentiable, tuple) else (o.differentiable,) * len(operands)
    wrt = [k for k, (kind, flag) in enumerate(zip(kinds, flags, strict=False)) if flag and kind in FLOATS]

    def gradient(*arrays: Any) -> Any:
        def of_some(*some: Any) -> list[Any]:
            full = list(arrays)
            for k, x in zip(wrt, some, strict=True):
                full[k] = x
            return [x for x in jax.tree.leaves(forward(*full)) if jnp.issubdtype(x.dtype, jnp.floating)]

        results, pullback = jax.vjp(of_some, *(arrays[k] for k in wrt))
        return pullback([jnp.ones_like(x) for x in results])

    if wrt:
        yield "gradient", gradient


def structs_of(operands: list[Any]) -> list[Any]:
    """What an op is lowered for: a Python number is a scalar."""
    return [jax.ShapeDtypeStruct((), SCALAR_DTYPE[x]) if isinstance(x, str) else x for x in operands]


def refusals(o: Op, operands: list[Any], attrs: dict[str, Any]) -> set[tuple[str, str, str]]:
    """What of an op does not lower, and for which platform."""
    structs, found = structs_of(operands), set()
    for part, function in functions(o, operands, attrs):
        if not _lowers(function, structs, PLATFORMS):
            found |= {(o.name, part, p) for p in PLATFORMS if not _lowers(function, structs, (p,))}
    return found


def _lowers(function: Callable[..., Any], structs: list[Any], platforms: tuple[str, ...]) -> bool:
    try:
        export.export(jax.jit(function), platforms=platforms)(*structs)
    except (NotImplementedError, ValueError):
        return False
    return True


def test_every_op_has_a_line() -> None:
    assert {line.partition(":")[0] for line in LINES} == OPS.keys()


def all_lower(o: Op, calls: list[tuple[list[Any], dict[str, Any]]]) -> bool:
    """Whether all calls of an op lower, as one function: that takes half the time of one after another."""
    parts = [[f for _, f in functions(o, *call)] for call in calls]
    structs = [structs_of(operands) for operands, _ in calls]

    def everything(*arrays: list[Any]) -> list[Any]:
        return [part(*operands) for parts_of, operands in zip(parts, arrays, strict=True) for part in parts_of]

    return _lowers(everything, structs, PLATFORMS)


@pytest.mark.parametrize("name", sorted(OPS))
def test_lowers_for_every_platform(name: str) -> None:
    calls = [parsed(line)[1:] for line in LINES if line.startswith(name + ":")]
    found = set() if all_lower(OPS[name], calls) else set().union(*(refusals(OPS[name], *call) for call in calls))
    assert found == {known for known in NOT_LOWERED if known[0] == name}


def test_an_op_for_one_platform_only_is_found() -> None:
    @op(name="only_on_a_cpu")
    def only_on_a_cpu(x, *, times):
        return lax.platform_dependent(x, cpu=lambda x: x * times)

    (x,) = (jax.ShapeDtypeStruct((2,), np.dtype("float32")),)
    parts = [(only_on_a_cpu.name, part, p) for part in ("forward", "gradient") for p in ("cuda", "tpu")]
    assert refusals(only_on_a_cpu, [x], {"times": 2.0}) == set(parts)
    assert not all_lower(only_on_a_cpu, [([x], {"times": 2.0})])
