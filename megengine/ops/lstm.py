"""An LSTM over a sequence, and its gradients, as primitives of JAX that oneDNN computes on a CPU, and loops elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from .onednn import custom_call
from .onednn.lstm import GRADIENTS, MOST_BYTES, Lstm
from .recurrence import lstm_backward, lstm_forward, lstm_loop


def lstm(reverse, x, weight_ih, shift, h, c, weight):
    """All states h ``(T, N, hidden)``, and the last c; as :func:`megengine.ops.recurrence.lstm_loop`."""
    of = _of_library(x, h, reverse)
    if of is None:
        return lstm_loop(reverse, x, weight_ih, shift, h, c, weight)
    return _by_primitives(of, x, h, c, weight_ih, weight, shift)


def _of_library(x: Any, h: Any, reverse: bool) -> Lstm | None:
    """What the library computes of it, if it is worth it."""
    (steps, batch, inputs), hidden = x.shape, h.shape[1]
    if x.dtype != jnp.float32 or not custom_call.on_cpu():
        return None
    if not all(isinstance(n, int) for n in (batch, inputs, hidden)):
        raise NotImplementedError("the library keeps what depends on the batch in ways of its own")
    of = Lstm(steps, batch, inputs, hidden, reverse, "training")
    return of if of.worth_it() and 0 < of.kept_bytes() <= MOST_BYTES else None


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _by_primitives(of, *operands):
    return _sequence.bind(*operands, reverse=of.reverse, kept=0)[:2]


def _forward(of, *operands):
    states, last_c, kept = _sequence.bind(*operands, reverse=of.reverse, kept=of.kept_bytes())
    return (states, last_c), (*operands, states, last_c, kept)


def _backward(of, saved, cotangents):
    return tuple(_gradients.bind(*saved, *cotangents, reverse=of.reverse))


_by_primitives.defvjp(_forward, _backward)


# Without the library, as for other processes, nothing is kept of the forward pass: the gradients begin with it again.


def sequence(x, h, c, weight_ih, weight, shift, *, reverse, kept):
    """What the first primitive computes, as a loop."""
    states, last_c = lstm_loop(reverse, x, weight_ih, shift, h, c, weight)
    return states, last_c, jnp.zeros(kept, jnp.uint8)


def gradients(x, h, c, weight_ih, weight, shift, states, last_c, kept, d_states, d_last_c, *, reverse):
    """What the second primitive computes, as loops."""
    saved = lstm_forward(reverse, x, weight_ih, shift, h, c, weight)[1]
    d_x, d_weight_ih, d_shift, d_h, d_c, d_weight = lstm_backward(reverse, saved, (d_states, d_last_c))
    return d_x, d_h, d_c, d_weight_ih, d_weight, d_shift


def of_equation(name: str, shapes: Any, *, reverse: bool, kept: int = 0) -> tuple[Lstm, int]:
    """What oneDNN computes for a primitive of this name with operands of these shapes, and how many bytes are kept."""
    kind = "gradients" if name == "lstm_gradients" else "training" if kept else "inference"
    (steps, batch, inputs), (_, hidden) = shapes[:2]
    return Lstm(steps, batch, inputs, hidden, reverse, kind), shapes[8][0] if kind == "gradients" else kept


def _abstract_sequence(x, h, c, *rest, reverse, kept):
    states = x.update(shape=(*x.shape[:2], h.shape[1]), weak_type=False)
    return [states, c.update(weak_type=False), x.update(shape=(kept,), dtype=jnp.dtype(jnp.uint8), weak_type=False)]


def _abstract_gradients(*operands, reverse):
    return [a.update(weak_type=False) for a in operands[:GRADIENTS]]


PLAIN: dict[str, Callable[..., Any]] = {"lstm_sequence": sequence, "lstm_gradients": gradients}


def _primitive(name: str, abstract: Any) -> Primitive:
    primitive, plain = Primitive(name), PLAIN[name]
    primitive.multiple_results = True
    primitive.def_impl(lambda *arrays, **params: jax.jit(partial(primitive.bind, **params))(*arrays))
    primitive.def_abstract_eval(abstract)
    mlir.register_lowering(primitive, mlir.lower_fun(plain, multiple_results=True))

    def fastest_on_cpu(*arrays, **params):
        of, kept = of_equation(name, [a.shape for a in arrays], **params)
        return custom_call.call_lstm(of, kept, *arrays) if custom_call.calls_lstm(of, kept) else plain(*arrays, **params)

    mlir.register_lowering(primitive, mlir.lower_fun(fastest_on_cpu, multiple_results=True), platform="cpu")

    def batched(arrays, dims, **params):
        found = jax.vmap(partial(plain, **params), in_axes=dims)(*arrays)
        return found, [0] * len(found)

    batching.primitive_batchers[primitive] = batched
    return primitive


_sequence = _primitive("lstm_sequence", _abstract_sequence)
_gradients = _primitive("lstm_gradients", _abstract_gradients)


def _dense(primals, tangents):
    return tuple(jnp.zeros_like(p) if type(t) is ad.Zero else t for p, t in zip(primals, tangents, strict=True))


def _jvp_of_sequence(primals, tangents, *, reverse, kept):
    """What is kept has no derivative: who needs one begins with the forward pass."""
    outs = _sequence.bind(*primals, reverse=reverse, kept=kept)
    plain = partial(sequence, reverse=reverse, kept=0)
    of_outs = jax.jvp(lambda *a: plain(*a)[:2], tuple(primals), _dense(primals, tangents))[1]
    return outs, [*of_outs, np.zeros(kept, jax.dtypes.float0)]


def _jvp_of_gradients(primals, tangents, *, reverse):
    floats = [k for k, p in enumerate(primals) if p.dtype != jnp.uint8]

    def plain(*some):
        full = dict(zip(floats, some, strict=True))
        return gradients(*(full.get(k, p) for k, p in enumerate(primals)), reverse=reverse)

    given = tuple(primals[k] for k in floats)
    return jax.jvp(plain, given, _dense(given, [tangents[k] for k in floats]))


ad.primitive_jvps[_sequence] = _jvp_of_sequence
ad.primitive_jvps[_gradients] = _jvp_of_gradients
