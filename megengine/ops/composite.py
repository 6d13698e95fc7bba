"""Primitives of JAX that stand for several: compiled as what they are made of, while elsewhere something may know better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

PLAIN: dict[str, Callable[..., Any]] = {}


def composite(name: str, plain: Callable[..., Sequence[Any]], like: Sequence[int | Callable[..., Any]]) -> Primitive:
    """A primitive with several results.

    Args:
        name: its name.
        plain: what it is made of: a function of arrays, and of its parameters by name, that gives a sequence of arrays.
        like: for each result, the operand that has its shape and dtype, or a function that gives its abstract value from those
            of the operands, and from the parameters by name.
    """
    primitive = Primitive(name)
    primitive.multiple_results = True
    PLAIN[name] = plain
    primitive.def_impl(lambda *arrays, **params: jax.jit(partial(primitive.bind, **params))(*arrays))

    def abstract(*avals, **params):
        found = [avals[k] if isinstance(k, int) else k(*avals, **params) for k in like]
        return [aval.update(weak_type=False) for aval in found]

    def batched(arrays, dims, **params):
        found = jax.vmap(partial(plain, **params), in_axes=dims)(*arrays)
        return found, [0] * len(found)

    primitive.def_abstract_eval(abstract)
    mlir.register_lowering(primitive, mlir.lower_fun(plain, multiple_results=True))
    batching.primitive_batchers[primitive] = batched

    def jvp(primals, tangents, **params):
        dense = [jnp.zeros_like(p) if type(t) is ad.Zero else t for p, t in zip(primals, tangents, strict=True)]
        return jax.jvp(partial(plain, **params), tuple(primals), tuple(dense))

    ad.primitive_jvps[primitive] = jvp
    return primitive
