"""The interpreter's results against XLA's."""

from __future__ import annotations

import jax
import numpy as np

from megengine.graph.counters import counters
from megengine.graph.host.interpreter import interpret

ROUNDING = {2: 4e-3, 1: 4e-3, 4: 2e-6, 8: 2e-6}


def agree(f, *operands, rtol=None, atol=None):
    """Check that a function interpreted is what it is compiled, with no primitive compiled alone and operands left as they are.

    Args:
        f: the function of arrays, with a tree of arrays as its result.
        operands: NumPy arrays.
        rtol: relative difference allowed; default by dtype.
        atol: difference allowed, in parts of the largest magnitude of the result; default ``rtol``.
    """
    before = [np.array(a) for a in operands]
    alone = dict(counters.compiled_alone)
    closed = jax.make_jaxpr(f)(*operands)
    found = interpret(closed)(*operands)
    assert dict(counters.compiled_alone) == alone
    expected = jax.tree.leaves(jax.jit(f)(*operands))
    for k, (a, b) in enumerate(zip(found, map(np.asarray, expected), strict=True)):
        assert isinstance(a, np.ndarray | np.generic)
        assert (a.shape, a.dtype) == (b.shape, b.dtype), k
        _close(np.asarray(a), b, rtol, atol, f"result {k}")
    for a, b in zip(operands, before, strict=True):
        np.testing.assert_array_equal(a, b)


def _close(a, b, rtol, atol, message):
    if b.dtype.kind in "biu":
        np.testing.assert_array_equal(a, b, message)
        return
    rtol = ROUNDING[b.dtype.itemsize] if rtol is None else rtol
    kind = np.complex128 if b.dtype.kind == "c" else np.float64
    a, b = a.astype(kind), b.astype(kind)
    finite = np.abs(b[np.isfinite(b)])
    scale = finite.max() if finite.size else 0.0
    np.testing.assert_allclose(a, b, rtol, (rtol if atol is None else atol) * scale, err_msg=message)
