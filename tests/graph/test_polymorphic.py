"""Signatures that differ in sizes only share one trace, and what is made of it is what tracing each would give."""

from __future__ import annotations

import gc
import importlib
import itertools
import random
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.optimizer as O
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import infer, lower, polymorphic, symbols, template, traced, trie
from megengine.graph.caches import Cache
from megengine.graph.host.interpreter import interpret
from megengine.graph.stored import families
from megengine.graph.value import Aval, aval
from megengine.ops.op import Op

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from golden.runner import run

GOLDEN = (
    "elementwise",
    "reductions",
    "shapes",
    "indexing",
    "selection",
    "activations",
    "losses",
    "convolution",
    "pooling",
)
SAMPLE = 24  # signatures of each family of golden cases


@pytest.fixture(autouse=True)
def _host(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The host's tier, with nothing traced before."""
    for name in ("_families", "_record_of"):
        monkeypatch.setattr(polymorphic, name, type(getattr(polymorphic, name))())
    monkeypatch.setattr(families, "enabled", False)
    monkeypatch.setattr(traced, "_traced", Cache(8192))
    monkeypatch.setattr(infer, "inferred", Cache(0))
    graph.program.clear()
    with graph.tier("host"):
        yield


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often was traced with symbols, and how often without."""
    counts = {"symbolic": 0, "concrete": 0}
    trace, share = symbols.Symbols.trace, traced.share

    def symbolic(self: Any, make: Any) -> Any:
        counts["symbolic"] += 1
        return trace(self, make)

    def shared(*args: Any) -> Any:
        found = share(*args)
        counts["concrete"] += found is None
        return found

    monkeypatch.setattr(symbols.Symbols, "trace", symbolic)
    monkeypatch.setattr(traced, "share", shared)
    monkeypatch.setattr(polymorphic, "_families", OrderedDict())  # no other test's signatures
    monkeypatch.setattr(polymorphic, "_record_of", {})
    return counts


def never(*_: Any) -> None:
    """In place of ``share``: everything is traced as it is."""


# What ops give, with symbols and without.


class Signature(SimpleNamespace):
    """An op with what it was called with; for a gradient also the operands differentiated."""

    op: Op
    attrs: tuple[Any, ...]
    casts: tuple[Any, ...]
    specs: tuple[Any, ...]
    mask: tuple[int, ...]
    multi: bool
    avals: tuple[Aval, ...]

    def made(self) -> traced.Traced:
        if self.op.check is not None:
            operands = [aval(s.shape, s.dtype) for s in map(traced.struct_of, self.specs)]
            self.op.check(*operands, **dict(zip(self.op.attrs, self.attrs, strict=True)))
        if self.mask:
            return traced.linearised(self, self.mask)
        return traced.forward(self.op, self.attrs, self.casts, self.specs)[0]


def recorded(family: str, monkeypatch: pytest.MonkeyPatch) -> list[Signature]:
    """The signatures that differ in more than sizes among those that golden cases meet, some of them."""
    found: dict[Any, Signature] = {}
    forward, linearised = infer.forward, lower.linearised

    def note(op: Op, attrs: Any, targets: Any, specs: Any, mask: Any, multi: bool, avals: Any) -> None:
        sizes: list[int] = []
        parts = polymorphic._without_ints(attrs, sizes), tuple(polymorphic._without_sizes(s, sizes) for s in specs)
        if op.jaxpr is None and op.identity:
            made = Signature(op=op, attrs=attrs, casts=targets, specs=specs, mask=mask, multi=multi, avals=avals)
            found.setdefault((op, mask, *parts), made)

    def noted_forward(op: Op, attrs: Any, targets: Any, specs: Any) -> Any:
        note(op, attrs, targets, specs, (), False, ())
        return forward(op, attrs, targets, specs)

    def noted_linearised(instr: Any, mask: Any) -> Any:
        note(instr.op, instr.attrs, instr.casts, instr.specs, mask, instr.multi, instr.avals)
        return linearised(instr, mask)

    with monkeypatch.context() as watched:
        watched.setattr(infer, "forward", noted_forward)
        watched.setattr(lower, "linearised", noted_linearised)
        cases = importlib.import_module("golden.cases." + family).CASES
        for case in random.Random(family).sample(cases, min(len(cases), 8)):
            run(case, together=not case.name.endswith("_errors"))
    chosen = list(found.values())
    return random.Random(family).sample(chosen, min(len(chosen), SAMPLE))


def resized(signature: Signature, draw: Callable[[], int]) -> Signature:
    """The same with other sizes: equal ones stay equal, products stay products, and settings that are sizes follow."""
    sizes: list[int] = []
    polymorphic._without_ints(signature.attrs, sizes)
    first = len(sizes)
    for spec in signature.specs:
        polymorphic._without_sizes(spec, sizes)
    new: dict[int, int] = {}
    for n in sorted({n for n in sizes[first:] if n >= 2}):
        factors = [(a, n // a) for a in new if n % a == 0 and n // a in new]
        new[n] = new[factors[0][0]] * new[factors[0][1]] if factors else draw()
    changed = [new.get(n, n) if k >= first or n >= 3 else n for k, n in enumerate(sizes)]
    attrs, structs = polymorphic._filled(signature.attrs, signature.specs, changed)
    specs = tuple(
        aval(s.shape, old.dtype, old.format) if isinstance(old, Aval) else old
        for s, old in zip(structs, signature.specs, strict=True)
    )
    return Signature(**{**vars(signature), "attrs": attrs, "specs": specs})


def values(signature: Signature, rng: np.random.Generator) -> list[Any]:
    structs = map(traced.struct_of, signature.specs)
    return [_numbers(s.shape, s.dtype, rng) for s in structs]


def _numbers(shape: tuple[int, ...], dtype: np.dtype, rng: np.random.Generator) -> np.ndarray:
    if dtype.kind in "iub":
        return rng.integers(0, 2, shape).astype(dtype)
    return (rng.uniform(0.1, 0.9, shape) + (1j if dtype.kind == "c" else 0)).astype(dtype)


def assert_close(found: Any, wanted: Any) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert np.shape(one) == np.shape(other) and one.dtype == other.dtype
        wide = np.complex64 if other.dtype.kind == "c" else np.float64
        tolerance = 1e-4 if other.dtype.itemsize >= 4 else 2e-2
        if other.dtype != jax.dtypes.float0:
            np.testing.assert_allclose(np.asarray(one, wide), np.asarray(other, wide), tolerance, tolerance)


def assert_equal(found: Any, wanted: Any) -> None:
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@np.errstate(all="ignore")
def agrees(signature: Signature, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Hold what is made of a signature against its own trace; says whether it was made of one with symbols."""
    traced._traced.clear()
    with monkeypatch.context() as alone:
        alone.setattr(traced, "share", never)
        wanted = signature.made()
        traced._traced.clear()
    polymorphic.new_program()
    found = signature.made()
    if not isinstance(found.source, template.AtSizes):
        return False
    count = found.count if isinstance(found, traced.Linearised) else len(found.results())
    assert found.results()[:count] == wanted.results()[:count]
    kinds = [[(a.shape, a.dtype, a.weak_type) for a in t.closed.out_avals[:count]] for t in (found, wanted)]
    assert kinds[0] == kinds[1]
    operands = values(signature, rng)
    found.host = wanted.host = None
    outs, expected = found.interpreted(*operands), wanted.interpreted(*operands)
    assert_close(outs[:count], expected[:count])
    assert_equal(interpret(found.closed)(*operands), outs)  # what XLA compiles is the same jaxpr
    if isinstance(found, traced.Linearised) and isinstance(wanted, traced.Linearised):
        assert [(r.shape, r.dtype) for r in found.residuals] == [(o.shape, o.dtype) for o in outs[count:]]
        absent = tuple(not traced._is_float(dtype) for _, dtype in found.results()[:count])
        cots = [_numbers(s, d, rng) for (s, d), a in zip(found.results(), absent, strict=False) if not a]
        everything = tuple(range(len(signature.mask)))
        for need in {everything, everything[-1:]}:
            back, expected_back = traced.pulled(found, need, absent), traced.pulled(wanted, need, absent)
            grads = back.interpreted(*outs[count:], *cots)
            assert_close(grads, expected_back.interpreted(*expected[count:], *cots))
            assert_equal(interpret(back.closed)(*outs[count:], *cots), grads)
    return True


@pytest.mark.parametrize("family", GOLDEN)
def test_a_shared_trace_gives_what_each_own_trace_gives(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ops of the golden cases at random sizes, equal ones, and 0, 1 and 2 among them."""
    monkeypatch.setattr(polymorphic, "FAILURES_LIMIT", 10**9)
    choose, rng = random.Random(family), np.random.default_rng(0)
    draws = [range(11, 24), range(3, 9), range(2, 4), (6,), range(5), range(1, 3)]
    shared = 0
    for signature in recorded(family, monkeypatch):
        polymorphic._families.clear()
        for sizes in draws:
            other = resized(signature, lambda sizes=sizes: choose.choice(sizes))  # type: ignore[misc]
            try:
                with monkeypatch.context() as alone:
                    alone.setattr(traced, "share", never)
                    other.made()
            except Exception:  # the op does not take these
                continue
            shared += agrees(other, rng, monkeypatch)
    assert shared >= SAMPLE // 2


def _op(lower: Callable[..., Any], *attrs: str) -> Op:
    return Op("tried", lower, attrs)


def _results(op: Op, attrs: tuple[Any, ...], *shapes: tuple[int, ...]) -> tuple[Any, bool]:
    polymorphic.new_program()
    specs = tuple(aval(s, np.dtype(np.float32)) for s in shapes)
    made = traced.forward(op, attrs, (None,) * len(shapes), specs)[0]
    return made, isinstance(made.source, template.AtSizes)


def test_what_python_takes_for_different_is_different_where_the_trace_is_used() -> None:
    """Branches on sizes: the trace took one of them, and serves no sizes at which the other one would be taken."""

    def lower(x: Any, y: Any) -> Any:
        rows, columns = x.shape
        if rows == columns:
            return x * 100
        if rows == 7:
            return x * 200
        if y.shape[0] != rows * columns:
            return x * 300
        if rows - 9:
            return x * 400
        return x * 500

    op = _op(lower)
    used = {}
    for rows, columns, length in [
        (3, 4, 5), (4, 5, 6), (8, 3, 9), (4, 4, 5), (7, 3, 5), (3, 4, 12), (9, 2, 18), (9, 2, 7), (5, 6, 11), (2, 9, 18)
    ]:  # fmt: skip
        made, used[rows, columns, length] = _results(op, (), (rows, columns), (length,))
        expected = lower(np.ones((rows, columns), np.float32), np.ones(length, np.float32))
        np.testing.assert_array_equal(made.interpreted(expected * 0 + 1, np.ones(length, np.float32))[0], expected)
    assert used[8, 3, 9] and used[5, 6, 11]  # those that take the branch that the first ones took
    assert not used[4, 4, 5] and not used[7, 3, 5] and not used[3, 4, 12]


def test_what_is_larger_at_one_size_is_asked_at_each() -> None:
    op = _op(lambda x: x * (2 if x.shape[0] <= 9 else 3) + (min(x.shape[0], 5) < 4))
    for rows in (5, 6, 8, 9, 10, 12, 3, 2, 100):
        made, shared = _results(op, (), (rows, 2))
        x = np.ones((rows, 2), np.float32)
        np.testing.assert_array_equal(made.interpreted(x)[0], x * (2 if rows <= 9 else 3) + (rows < 4))
        assert shared == (rows != 5)


def test_sizes_0_and_1_are_not_symbols() -> None:
    op = _op(lambda x, y: x + y)
    for rows, other in [(3, 3), (4, 4), (1, 4), (4, 1), (0, 0), (1, 1), (0, 1), (5, 5)]:
        made, shared = _results(op, (), (rows, 2), (other, 2))
        assert shared == ((rows, other) in ((4, 4), (5, 5)))
        assert made.results()[0][0] == np.broadcast_shapes((rows, 2), (other, 2))


def test_sizes_in_settings_are_symbols_too(counted: dict[str, int]) -> None:
    op = _op(lambda x, *, shape: x.reshape(shape), "shape")
    for rows, columns in [(3, 4), (5, 6), (2, 7), (8, 8), (11, 3)]:
        made, _ = _results(op, ((columns, rows, 2),), (rows * columns, 2))
        assert made.results()[0][0] == (columns, rows, 2)
        x = np.arange(rows * columns * 2, dtype=np.float32).reshape(-1, 2)
        np.testing.assert_array_equal(made.interpreted(x)[0], x.reshape(columns, rows, 2))
    assert counted["concrete"] <= 2


def test_sizes_that_are_computed_with() -> None:
    op = _op(lambda x: x.sum() / x.shape[0] + jnp.float32(x.size))
    for rows in (3, 5, 4, 9, 100):
        made, shared = _results(op, (), (rows, 2))
        assert shared == (rows != 3)
        x = np.ones((rows, 2), np.float32)
        assert made.interpreted(x)[0] == interpret(made.closed)(x)[0] == 2 + rows * 2


def test_what_expects_numbers_gets_numbers() -> None:
    op = _op(lambda x: x[: len(range(x.shape[0])) // 2])
    for rows in range(2, 12):
        made, shared = _results(op, (), (rows, 2))
        assert not shared and made.results()[0][0] == (rows // 2, 2)


def test_signatures_of_one_program_are_each_traced(counted: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers of different widths are no reason to expect further ones."""
    monkeypatch.setattr(lower, "new_program", lambda: None)  # as threads of other tests might begin one
    x = Tensor(np.ones((2, 3), np.float32))
    outs = [x @ Tensor(np.ones((3, n), np.float32)) for n in range(4, 12)]
    assert [o.shape[1] for o in outs] == list(range(4, 12))
    outs[-1].numpy()
    assert not counted["symbolic"]


# Whole programs.


def _language_model() -> Callable[[int], float]:
    embedding, layer, head = M.Embedding(11, 8), M.LSTM(8, 6), M.Linear(6, 11)
    parameters = [*embedding.parameters(), *layer.parameters(), *head.parameters()]
    manager, optimizer = GradManager().attach(parameters), O.SGD(parameters, lr=0.1)

    def step(n: int) -> float:
        words = np.arange(2 * n).reshape(n, 2) * 5 % 11
        with manager:
            out = head(layer(embedding(Tensor(words.astype(np.int32))))[0])
            loss = F.nn.cross_entropy(out.reshape(-1, 11), Tensor(words.reshape(-1).astype(np.int32)))
            manager.backward(loss)
        optimizer.step().clear_grad()
        return loss.item()

    return step


def _attention() -> Callable[[int], float]:
    project, norm = M.Linear(8, 24), M.LayerNorm(8)
    manager = GradManager().attach([*project.parameters(), *norm.parameters()])
    optimizer = O.Adam([*project.parameters(), *norm.parameters()], lr=0.01)

    def step(n: int) -> float:
        x = Tensor(np.sin(np.arange(2 * n * 8, dtype=np.float32)).reshape(2, n, 8))
        with manager:
            q, k, v = (
                t.reshape(2, n, 2, 4).transpose(0, 2, 1, 3) for t in F.split(project(norm(x)), 3, axis=2)
            )  # fmt: skip
            weights = F.softmax(F.matmul(q, k.transpose(0, 1, 3, 2)) * 0.5, axis=-1)
            out = F.matmul(weights, v).transpose(0, 2, 1, 3).reshape(2, n, 8) + x
            loss = F.square(out[:, : n - 1] - x[:, 1:]).mean() + F.full((n,), 0.25).sum() / n
            manager.backward(loss)
        optimizer.step().clear_grad()
        return loss.item()

    return step


def _read_before_backward() -> Callable[[int], float]:
    """What backward needs is kept from one graph to the next."""
    weight = Parameter(np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3))
    manager, optimizer = GradManager().attach([weight]), O.SGD([weight], lr=0.1)

    def step(n: int) -> float:
        x = Tensor(np.cos(np.arange(n * 4, dtype=np.float32)).reshape(n, 4))
        with manager:
            y = F.tanh(F.matmul(x, weight))
            chosen = np.flatnonzero(y.numpy()[:, 0] < 2)
            loss = F.exp(y[Tensor(chosen.astype(np.int32))]).sum() / n + F.softmax(y, axis=0).max()
            assert np.isfinite(loss.item())
            manager.backward(loss)
        optimizer.step().clear_grad()
        return loss.item()

    return step


PROGRAMS = [_language_model, _attention, _read_before_backward]
LENGTHS = [5, 6, 9, 2, 3, 4, 8, 1, 11, 6, 12]


@pytest.mark.parametrize("make", PROGRAMS)
def test_programs_of_changing_length_agree_with_those_traced_alone(
    make: Callable[[], Callable[[int], float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def losses() -> list[float]:
        mge.random.seed(1)
        step = make()
        return [step(n) for n in LENGTHS]

    found = losses()
    monkeypatch.setattr(traced, "share", never)
    traced._traced.clear()
    graph.program.clear()
    np.testing.assert_allclose(found, losses(), 2e-5)


@pytest.mark.parametrize("make", PROGRAMS)
def test_programs_of_changing_length_agree_when_they_are_compiled(make: Callable[[], Callable[[int], float]]) -> None:
    """The tiers take turns, and what one keeps for backward the other takes."""
    wanted = []
    for turn in range(2):
        graph.program.clear()
        mge.random.seed(1)
        step = make()
        for k, n in enumerate((5, 6, 9, 6)):
            with graph.tier("compiled" if turn and k >= 2 else "host"):
                loss = step(n)
            if turn:
                assert loss == pytest.approx(wanted[k], rel=2e-5)
            else:
                wanted.append(loss)


@pytest.mark.parametrize("make", PROGRAMS)
def test_new_shapes_are_traced_a_few_times(make: Callable[[], Callable[[int], float]], counted: dict[str, int]) -> None:
    step = make()
    for n in (5, 6, 7):
        step(n)
    counted.update(symbolic=0, concrete=0)
    for n in range(25, 40):
        step(n)
    # Where a size happens to be one that the op was traced with otherwise; each alone they would be hundreds.
    assert counted["symbolic"] + counted["concrete"] <= 10


def test_shapes_that_are_not_met_again_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph.options, "programs_bytes", 200_000)
    monkeypatch.setattr(traced._traced, "limit", 100)
    step = _read_before_backward()
    sizes = []
    for n in range(20, 60):
        step(n)
        sizes.append((trie._nodes, len(graph.program.loaded()), len(traced._traced)))
    assert max(sizes[20:]) == max(sizes[10:20]) and max(t for _, _, t in sizes) == 100
    first = step(20)  # met again: recorded and traced anew
    assert np.isfinite(first)


def test_a_gradient_that_cannot_be_had_in_part_is_taken_whole() -> None:
    signature = Signature(
        op=_op(lambda x, y: (x * y, x + y)), attrs=(), casts=(None, None), mask=(0, 1), multi=True,
        avals=(aval((4,), np.dtype(np.float32)),) * 2, specs=(),
    )  # fmt: skip
    for n in (4, 5, 6):
        polymorphic.new_program()
        signature.specs = (aval((n,), np.dtype(np.float32)),) * 2
        made = traced.linearised(signature, (0, 1))
    assert isinstance(made.forward, traced.SharedForward)
    x, y, cot = (np.arange(k, 6 + k, dtype=np.float32) for k in (1, 2, 3))
    residuals = made.interpreted(x, y)[2:]
    for part in (None, made.forward._part((1,), (False, True))):
        made.pulls.clear()
        made.forward.parts[(1,), (False, True)] = part
        back = traced.pulled(made, (1,), (False, True))
        np.testing.assert_array_equal(back.interpreted(*residuals, cot)[0], x * cot)
        assert isinstance(back.source, template.AtSizes) == (part is not None)


def test_nothing_of_the_callers_is_kept_alive() -> None:
    """JAX keeps exceptions that hold frames, and with them what these refer to; how programs are compiled depends on that."""

    class Held:
        pass

    def call(n: int) -> Any:
        held = Held()
        _results(_op(lambda x: jnp.where(x > 0, x, 0).sum(0)), (), (n, 2))
        return held

    gc.collect()
    gc.disable()
    try:
        call(3), call(4), call(5)
        assert not any(type(o) is Held for o in gc.get_objects())
    finally:
        gc.enable()


def test_symbols_of_different_traces_do_not_meet() -> None:
    one, other = symbols.Symbols((4,)), symbols.Symbols((4,))
    assert one.sizes[0] != other.sizes[0]
    assert one.trace(lambda: one.sizes[0] == 5) is False and list(one.unequal) == [("s0", "5")]
    assert one.trace(lambda: (one.sizes[0] > 3, one.sizes[0] * 2 <= 7)) == (True, False)
    assert one.answers == {"s0 > 3": True, "(2*s0) <= 7": False}
    with pytest.raises(jax.errors.InconclusiveDimensionOperation):
        one.sizes[0] > 3  # noqa: B015
    assert other.trace(lambda: bool(other.sizes[0] - 3)) is True and list(other.unequal) == [("(s0 - 3)", "0")]


def test_signatures_are_compared_while_another_thread_meets_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polymorphic, "_generation", 1)
    family: polymorphic._Family[Any] = polymorphic._Family()
    family.seen.update({(k + 2, 3): 0 for k in range(polymorphic.SEEN_LIMIT)})
    ended = threading.Event()

    def meet() -> None:
        for k in itertools.count(100):
            if ended.is_set():
                return
            with polymorphic._changing:
                family.seen[k, 3] = 0
                family.seen.popitem(last=False)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=meet)
    thread.start()
    try:
        for _ in range(500):
            assert [symbolic for _, symbolic in polymorphic._comparable(family, (50, 3))] in ([{0}], [])
    finally:
        ended.set()
        thread.join()
        sys.setswitchinterval(before)
