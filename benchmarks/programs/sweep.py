"""Ops one at a time, in batches of calls: answers microseconds a call of the case, size and pass asked for.

A request is a line of JSON, ``{"case": ..., "size": ..., "grad": ..., "seconds": ...}``; the answer is
``{"micros": ..., "first": seconds of the first batch}``.
"""

from __future__ import annotations

import functools
import json
import sys
import time

from op_cases import CASES, inputs

CALLS = 50
contender = sys.argv[1]
arrays = functools.lru_cache(maxsize=None)(lambda size: inputs(size, CALLS))


def with_megengine(case, size, grad):
    import megengine
    import megengine.functional as F
    from megengine import graph
    from megengine.autodiff import GradManager

    call = eval(f"lambda x, p, y, r, w, i, c, g, m: {CASES[case][0]}", {"F": F})
    made = {}

    def tensor(array):
        return made.setdefault(id(array), megengine.Tensor(array))

    rows = [tuple(tensor(a) for a in row) for row in zip(*in_order(size), strict=True)]
    manager = GradManager().attach([row[0] for row in rows]) if grad else None

    def wait(tensors):
        graph.flush()
        for t in tensors:
            t._value.array.block_until_ready()

    def batch():
        if manager is None:
            wait([call(*row) for row in rows])
            return
        with manager:
            manager.backward([call(*row) for row in rows])
        wait([row[0].grad for row in rows])
        for row in rows:
            row[0].grad = None

    return batch


def with_torch(case, size, grad):
    import torch
    import torch.nn.functional as tf

    call = eval(f"lambda x, p, y, r, w, i, c, g, m: {CASES[case][1]}", {"torch": torch, "tf": tf})
    made = {}

    def tensor(array):
        if id(array) not in made:
            found = torch.from_numpy(array)
            made[id(array)] = found.long() if found.dtype == torch.int32 else found
        return made[id(array)]

    rows = [tuple(tensor(a) for a in row) for row in zip(*in_order(size), strict=True)]

    def batch():
        if not grad:
            return [call(*row) for row in rows]
        for row in rows:
            row[0].requires_grad_(True)
        outs = [call(*row) for row in rows]
        torch.autograd.backward(outs, [torch.ones_like(out) for out in outs])
        for row in rows:
            row[0].grad = None
        return None

    return batch


def with_jax(case, size, grad):
    import jax
    import jax.numpy as jnp

    call = eval(f"lambda x, p, y, r, w, i, c, g, m: {CASES[case][2]}", {"jax": jax, "jnp": jnp})
    made = {}

    def tensor(array):
        return made.setdefault(id(array), jnp.asarray(array))

    rows = [tuple(tensor(a) for a in row) for row in zip(*in_order(size), strict=True)]

    def differentiated(*row):
        out, pull = jax.vjp(lambda x: call(x, *row[1:]), row[0])
        return pull(jnp.ones_like(out))[0]

    run = jax.jit(differentiated if grad else call)
    return lambda: jax.block_until_ready([run(*row) for row in rows])


def in_order(size):
    """The inputs in the order of the calls' parameters."""
    found = arrays(size)
    return [found[name] for name in "xpyrwicgm"]


make = {"megengine": with_megengine, "torch": with_torch, "jax": with_jax}[contender]
prepared = functools.lru_cache(maxsize=1)(make)
print(json.dumps(contender), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    batch = prepared(request["case"], request["size"], request["grad"])
    started = time.perf_counter()
    batch()
    first = time.perf_counter() - started
    batch()
    micros = []
    end = time.perf_counter() + request["seconds"]
    while not micros or time.perf_counter() < end:
        started = time.perf_counter()
        batch()
        micros.append((time.perf_counter() - started) / CALLS * 1e6)
    print(json.dumps({"micros": sorted(micros)[len(micros) // 2], "first": first}), flush=True)
