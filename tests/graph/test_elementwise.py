"""One trace of an elementwise op serves all shapes, and is what that shape's own would be."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import megengine.module as M
import megengine.optimizer as O
from megengine import graph, ops
from megengine.graph import elementwise, infer, traced
from megengine.graph.caches import Cache
from megengine.graph.stored import families
from megengine.graph.value import aval
from megengine.ops import optimize
from megengine.ops.op import Op, op

UPDATES = [value for value in vars(optimize).values() if isinstance(value, Op) and value.elementwise]
F32 = np.dtype(np.float32)


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elementwise, "_traced", Cache(64))
    monkeypatch.setattr(traced, "_traced", Cache(64))
    monkeypatch.setattr(families, "enabled", False)


def _specs(update: Op, shape: tuple[int, ...], dtype: np.dtype) -> tuple[object, ...]:
    names = update.lower.__code__.co_varnames[: update.lower.__code__.co_argcount]
    numbers = ("lr", "weight_decay", "momentum", "beta0", "beta1", "eps", "rho", "lr_decay")
    kinds = (
        {"step": aval((), F32)}
        | dict.fromkeys(numbers, "f")
        | {"param": aval(shape, dtype), "grad": aval(shape, dtype)}
    )
    return tuple(kinds.get(n, aval(shape, F32)) for n in names)


@pytest.mark.parametrize("update", UPDATES, ids=[u.name for u in UPDATES])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_it_is_what_the_shape_itself_would_be_traced_to(
    update: Op, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attrs = update.in_order(dict.fromkeys(update.attrs, True))
    counted = []
    make = jax.make_jaxpr
    monkeypatch.setattr(jax, "make_jaxpr", lambda *a, **k: counted.append(1) or make(*a, **k))
    for shape in ((3, 4), (5,), (2, 1, 7), (1,), (0, 2)):
        specs = _specs(update, shape, np.dtype(dtype))
        found, multi = traced.forward(update, attrs, (None,) * len(specs), specs)
        direct = make(update.bind(attrs, (None,) * len(specs)))(*map(traced.struct_of, specs))
        assert str(found.closed) == str(direct)
        assert found.results() == [(tuple(a.shape), a.dtype) for a in direct.out_avals]
        assert multi == (len(direct.out_avals) > 1)
    assert len(counted) == 1


def test_what_depends_on_the_shape_otherwise_is_traced_for_each() -> None:
    @op(elementwise=True)
    def centred(x: jax.Array) -> jax.Array:
        return x - x.mean()

    for shape in ((3,), (4, 2)):
        specs = (aval(shape, F32),)
        found, _ = traced.forward(centred, (), (None,), specs)
        x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        np.testing.assert_allclose(found.interpreted(x)[0], x - x.mean(), rtol=1e-6)


def test_a_training_traces_its_update_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    bind = Op.bind

    def counted(self: Op, *args: object) -> object:
        if self is ops.optimize.adam:
            seen.append(self)
        return bind(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Op, "bind", counted)
    monkeypatch.setattr(infer, "inferred", Cache(64))
    net = M.Sequential(M.Linear(3, 5), M.Linear(5, 7))
    optimizer = O.Adam(net.parameters(), lr=0.1)
    with graph.tier("host"):
        for parameter in net.parameters():
            parameter.grad = parameter.detach() * 1
        optimizer.step()
        graph.flush()
    assert len(seen) == 1
