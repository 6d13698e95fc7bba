"""Traces that the package comes with: they are of today's sources, and give what tracing gives."""

from __future__ import annotations

import json
import random
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import infer, polymorphic, traced
from megengine.graph.caches import Cache
from megengine.graph.host.interpreter import interpret
from megengine.graph.stored import families
from megengine.graph.stored.jaxprs import dumps, loads
from megengine.graph.symbols import Symbols
from tests.processes import Programs
from traces import layers
from traces.sizes import tensor

needs_a_file = pytest.mark.skipif(not families.path().exists(), reason=f"no traces for JAX {jax.__version__}")


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Forgets what was traced before."""

    def forget() -> None:
        monkeypatch.setattr(polymorphic, "_families", OrderedDict())
        monkeypatch.setattr(traced, "_traced", Cache(8192))
        monkeypatch.setattr(infer, "inferred", Cache(32_768))
        graph.program.clear()

    forget()
    with graph.tier("host"):
        yield forget


@needs_a_file
def test_they_are_of_todays_sources() -> None:
    file = families.File(families.path())
    assert file.is_current(), f"operators have changed: `python -m traces` makes {families.path().name} anew"
    assert len(file.names) > 1000


FIRST_STEP = """
    import json
    import jax
    import numpy as np
    import megengine as mge
    import megengine.functional as F
    import megengine.module as M
    from megengine.autodiff import GradManager
    from megengine.optimizer import Adam

    traced = []
    make = jax.make_jaxpr
    jax.make_jaxpr = lambda *a, **k: traced.append(1) or make(*a, **k)
    net = M.Sequential(M.Conv2d(3, 9, 3, padding=1), M.ReLU(), M.MaxPool2d(2), M.AdaptiveAvgPool2d(1))
    head = M.Linear(9, 11)
    manager = GradManager().attach([*net.parameters(), *head.parameters()])
    optimizer = Adam([*net.parameters(), *head.parameters()], lr=1e-3)
    x, y = np.full((7, 3, 18, 20), 0.5, np.float32), np.arange(7, dtype=np.int32)
    with manager:
        loss = F.loss.cross_entropy(head(F.flatten(net(mge.tensor(x)), 1)), mge.tensor(y))
        manager.backward(loss)
    optimizer.step().clear_grad()
    print(json.dumps([float(loss.numpy()), len(traced), dict(mge.graph.counters.compiled_alone)]))
"""


@needs_a_file
def test_the_first_step_of_a_small_network_traces_nothing(programs: Programs) -> None:
    process = programs.start(FIRST_STEP, MEGENGINE_CACHE="0")
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    loss, count, alone = json.loads(out.splitlines()[-1])
    assert np.isfinite(loss) and count == 0 and not alone


def _gradients(model: M.Module, x: Tensor) -> list[np.ndarray]:
    for parameter in model.parameters():
        parameter.grad = None
    manager = GradManager().attach([x, *model.parameters()])
    with manager:
        found = model(x)
        manager.backward(F.sum(found * found))
    return [found.numpy(), *(g.numpy() for g in [x.grad, *(p.grad for p in model.parameters())] if g is not None)]


@needs_a_file
@pytest.mark.parametrize("seed", range(6))
def test_networks_of_other_sizes_give_what_tracing_gives(
    seed: int, anew: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(seed)
    n, b, c, d = (draw.choice([1, 2, 3, 5, 8]), *(2 * draw.randrange(1, 9) for _ in range(3)))
    side = draw.randrange(9, 21)
    kernel, stride = draw.choice([1, 3, 5]), draw.choice([1, 2])
    image = [
        M.Conv2d(b, c, kernel, stride, kernel // 2), M.BatchNorm2d(c), M.LeakyReLU(), M.Conv2d(c, c, 3, 1, 1, groups=c),
        F.nn.silu, M.MaxPool2d(2), M.GroupNorm(2, c), lambda x: F.softmax(x.reshape(x.shape[0], -1), axis=1),
    ]  # fmt: skip
    words = [M.LayerNorm(d), M.Linear(d, 2 * d), F.nn.gelu, lambda x: F.matmul(x, x.transpose(0, 2, 1)), F.tanh]
    cases = [(layers._Net(*image), (n, b, side, side + 2)), (layers._Net(*words), (n, c, d))]
    rng = np.random.default_rng(seed)
    for model, shape in cases:
        for parameter in model.parameters():
            parameter[...] = Tensor(rng.normal(0, 0.3, parameter.shape).astype(np.float32))
        x = rng.normal(0, 1, shape).astype(np.float32)
        results = []
        for enabled in (True, False):
            monkeypatch.setattr(families, "enabled", enabled)
            anew()
            results.append(_gradients(model, Tensor(x)))
        for one, other in zip(*results, strict=True):
            np.testing.assert_allclose(one, other, 2e-5, 2e-5)


@needs_a_file
@pytest.mark.parametrize(
    "function", [F.relu, F.nn.silu, F.nn.gelu, F.tanh, F.exp, F.softmax, F.nn.softplus, F.nn.hswish, F.abs]
)
def test_second_derivatives_are_those_of_what_is_traced(
    function: Callable[..., Tensor], anew: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def second() -> np.ndarray:
        x = tensor(0, "ab")
        outer, inner = GradManager().attach([x]), GradManager().attach([x])
        with outer:
            with inner:
                inner.backward(F.sum(function(x) ** 2))
            assert x.grad is not None
            first, x.grad = x.grad, None
            outer.backward(F.sum(first * first))
        assert x.grad is not None
        return x.grad.numpy()

    found = second()
    monkeypatch.setattr(families, "enabled", False)
    anew()
    np.testing.assert_allclose(found, second(), 1e-5, 1e-6)


def test_of_other_sources_nothing_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = families.Kept((3,), ("s0",), (3,), "content")
    file = tmp_path / "some.traces"
    families.write({b"one": (("ops/op.py",), [kept]), b"two": (("ops/op.py", "ops/conv.py"), [kept, kept])}, file)
    assert families.File(file).entry(b"one") == [kept] and families.File(file).entry(b"two") == [kept, kept]
    assert families.File(file).entry(b"three") == [] and families.File(file).is_current()
    own = families.digest_of
    monkeypatch.setattr(families, "digest_of", lambda name: b"other" if name == "ops/conv.py" else own(name))
    changed = families.File(file)
    assert changed.entry(b"one") == [kept] and changed.entry(b"two") == [] and not changed.is_current()


@needs_a_file
def test_under_other_settings_of_jax_nothing_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the precision of products, which the user may choose."""
    parts = "forward", (None, None), (("bool", False), ("bool", False)), ()
    monkeypatch.setattr(families, "name_of", lambda identity, parts: families.File(families.path()).names[0])
    assert families.find("one", *parts)
    with jax.default_matmul_precision("bfloat16"):
        assert not families.find("one", *parts)


def _loops(x: jax.Array, n: int) -> jax.Array:
    y = jax.lax.fori_loop(0, 3, lambda _, v: jnp.sin(v) * n, x)
    z, _ = jax.lax.scan(lambda c, row: (c + row, None), jnp.zeros(x.shape[1]), y)
    return jax.lax.cond(z[0] > 0, lambda v: v, lambda v: -v, z)[None] + jnp.sort(y, axis=1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jax.nn.softmax(x @ x.T, axis=-1), lambda x: _loops(x, 2), lambda x: x[:, ::2].reshape(-1),
        lambda x: jnp.where(x > 0.5, x, jnp.inf), lambda x: (x.astype(jnp.bfloat16), x > 0.5, (x * 9).astype(jnp.int32) // 2),
        lambda x: jnp.stack([x, x[::-1]]), lambda x: jax.nn.relu(x),
        lambda x: jnp.take(x, jnp.array([0, 1, 0]), axis=0),
    ],
)  # fmt: skip
def test_a_jaxpr_that_is_read_computes_what_was_written(function: Callable[..., Any]) -> None:
    for sizes in ((), (4, 6)):
        symbols = Symbols(sizes)
        struct = jax.ShapeDtypeStruct(symbols.sizes or (4, 6), np.float32)
        closed = symbols.trace(partial(jax.make_jaxpr(function), struct))
        if closed is None:  # JAX cannot trace it with symbols
            assert sizes
            continue
        other = Symbols(sizes)
        read = loads(dumps(closed, True), other)
        assert [str(a) for a in read.out_avals] == [str(a) for a in closed.out_avals]
        if not sizes:
            x = np.random.default_rng(0).uniform(0, 1, (4, 6)).astype(np.float32)
            for one, two in zip(interpret(read)(x), interpret(closed)(x), strict=True):
                np.testing.assert_array_equal(one, two)


def test_a_function_in_a_jaxpr_that_is_differentiated_is_not_written() -> None:
    closed = jax.make_jaxpr(jax.nn.relu)(jax.ShapeDtypeStruct((3,), np.float32))
    assert loads(dumps(closed, True), Symbols(())).out_avals == closed.out_avals
    with pytest.raises((AttributeError, TypeError)):
        dumps(closed, False)
