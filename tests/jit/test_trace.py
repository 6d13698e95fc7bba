"""jit.trace in each mode: the same numbers as without it, and where the body is skipped, no recording."""

from __future__ import annotations

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
from megengine import Parameter, Tensor, graph
from megengine.autodiff import GradManager
from megengine.jit import TraceError, exclude_from_trace, trace

MODES = [{}, {"symbolic": True}, {"without_host": True}, {"symbolic": True, "without_host": True}]
modes = pytest.mark.parametrize("mode", MODES, ids=["default", "symbolic", "without_host", "both"])


def _trainer(traced: bool, **options: object):
    p = Parameter(np.ones((3, 2), np.float32))
    m = Tensor(np.zeros((3, 2), np.float32))
    gm = GradManager().attach(p)

    def step(x: Tensor) -> Tensor:
        with gm:
            loss = ((x @ p) ** 2).mean()
            gm.backward(loss)
        m._reset(m * 0.9 + p.grad)
        p._reset(p - 0.1 * m)
        p.grad = None
        return loss

    return (trace(step, **options) if traced else step), p


@modes
def test_training_gives_the_same_numbers(mode: dict[str, bool]) -> None:
    x = np.random.randn(4, 3).astype(np.float32)
    fast, p = _trainer(True, **mode)
    plain, q = _trainer(False)
    before = graph.counters.replays
    a = [fast(Tensor(x)).item() for _ in range(6)]
    b = [plain(Tensor(x)).item() for _ in range(6)]
    assert a == b
    np.testing.assert_array_equal(p.numpy(), q.numpy())
    assert graph.counters.replays - before == (4 if "without_host" in mode else 0)


def test_replays_record_and_compile_nothing() -> None:
    step, _ = _trainer(True, without_host=True)
    x = Tensor(np.ones((4, 3), np.float32))
    for _ in range(3):
        step(x)
    before = graph.counters.snapshot()
    for _ in range(5):
        step(x)
    after = graph.counters.snapshot()
    assert after["ops"] == before["ops"] and after["compilations"] == before["compilations"]


@modes
def test_the_traced_step_uses_the_imperative_executable(mode: dict[str, bool]) -> None:
    plain, _ = _trainer(False)
    x = Tensor(np.ones((5, 3), np.float32))
    for _ in range(2):
        loss = plain(x)
        graph.flush("step")
    del loss
    before = graph.counters.compilations.total()
    fast, _ = _trainer(True, **mode)
    for _ in range(4):
        fast(x)
        graph.flush("step")
    assert graph.counters.compilations.total() - before <= 1


@modes
def test_new_shapes_and_python_arguments_are_recorded_anew(mode: dict[str, bool]) -> None:
    f = trace(lambda x, k: x * k, **mode)
    for _ in range(4):
        np.testing.assert_array_equal(f(Tensor([1.0, 2.0]), 3).numpy(), [3, 6])
    np.testing.assert_array_equal(f(Tensor([1.0, 2.0, 3.0]), 3).numpy(), [3, 6, 9])
    np.testing.assert_array_equal(f(Tensor([1.0, 2.0]), 4).numpy(), [4, 8])


@modes
def test_structures_of_results(mode: dict[str, bool]) -> None:
    @trace(**mode)
    def f(x: Tensor) -> dict:
        return {"a": [x + 1, 7], "b": (x, None)}

    for _ in range(4):
        out = f(Tensor([1.0]))
        assert out["a"][0].item() == 2 and out["a"][1] == 7 and out["b"][0].item() == 1 and out["b"][1] is None


@modes
def test_outside_tensors_are_read_at_each_call(mode: dict[str, bool]) -> None:
    w = Tensor([1.0])
    f = trace(lambda x: x + w, **mode)
    for k in range(5):
        w[...] = float(k)
        assert f(Tensor([10.0])).item() == 10 + k


@modes
def test_a_held_value_survives_replays(mode: dict[str, bool]) -> None:
    step, p = _trainer(True, **mode)
    x = Tensor(np.ones((4, 3), np.float32))
    for _ in range(3):
        step(x)
    kept = p.detach()
    before = kept.numpy()
    step(x)
    step(x)
    np.testing.assert_array_equal(kept.numpy(), before)


@modes
def test_gradients_are_left_as_by_the_body(mode: dict[str, bool]) -> None:
    w = Parameter([2.0])
    gm = GradManager().attach(w)

    @trace(**mode)
    def f(x: Tensor) -> None:
        w.grad = None
        with gm:
            gm.backward((w * x).sum())

    for k in range(5):
        f(Tensor([float(k)]))
        assert w.grad.item() == k
        w.grad = None


@modes
def test_aliases_inside_the_body_stay_current(mode: dict[str, bool]) -> None:
    w, ema = Tensor([1.0]), Tensor([0.0])

    @trace(**mode)
    def f() -> None:
        ema._reset(ema * 0.5 + w.detach() * 0.5)

    expected = 0.0
    for k in range(6):
        w[...] = float(k)
        f()
        expected = expected * 0.5 + k * 0.5
        assert ema.item() == expected


@modes
def test_swapping_tensors(mode: dict[str, bool]) -> None:
    a, b = Tensor([1.0]), Tensor([2.0])

    @trace(**mode)
    def swap() -> None:
        c = a.detach()
        a._reset(b + 0)
        b._reset(c + 0)

    for _ in range(5):
        swap()
    assert (a.item(), b.item()) == (2, 1)


@modes
def test_random_streams_go_on(mode: dict[str, bool]) -> None:
    f = trace(lambda: mge.random.normal(size=(2,)), **mode)
    mge.random.seed(1)
    a = [f().tolist() for _ in range(5)]
    mge.random.seed(1)
    assert a == [mge.random.normal(size=(2,)).tolist() for _ in range(5)]
    mge.random.seed(1)
    assert f().tolist() == a[0]


def test_symbolic_refuses_to_read_values() -> None:
    f = trace(lambda x: x * x.sum().item(), symbolic=True)
    with pytest.raises(TraceError, match="symbolic"):
        f(Tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match="symbolic"):  # what MegEngine raises
        f(Tensor([1.0, 2.0]))
    assert (Tensor([1.0]) + 1).item() == 2


@pytest.mark.parametrize("without_host", [False, True])
def test_reading_values_without_symbolic_runs_the_body_each_time(without_host: bool) -> None:
    calls: list[float] = []

    @trace(without_host=without_host)
    def f(x: Tensor) -> Tensor:
        calls.append((x * 2).sum().item())
        return x + calls[-1]

    for k in range(6):
        assert f(Tensor([float(k)])).item() == 3 * k
    assert len(calls) == 6


@modes
def test_exclude_from_trace_runs_each_time(mode: dict[str, bool]) -> None:
    calls: list[int] = []

    @trace(**mode)
    def f(x: Tensor) -> Tensor:
        with exclude_from_trace():
            calls.append(1)
        return x + 1

    for _ in range(5):
        f(Tensor([1.0]))
    assert len(calls) == 5


@modes
def test_an_exception_leaves_things_usable(mode: dict[str, bool]) -> None:
    fail = True

    @trace(**mode)
    def f(x: Tensor) -> Tensor:
        y = x + 1
        if fail:
            raise KeyError("inside")
        return y

    with pytest.raises(KeyError):
        f(Tensor([1.0]))
    fail = False
    for _ in range(4):
        assert f(Tensor([1.0])).item() == 2


@modes
def test_differentiating_through_a_traced_function(mode: dict[str, bool]) -> None:
    f = trace(lambda x: x * x, **mode)
    x = Tensor([3.0])
    for _ in range(3):
        f(x)
    gm = GradManager().attach(x)
    with gm:
        gm.backward(f(x))
    assert x.grad.item() == 6


@modes
def test_traced_methods(mode: dict[str, bool]) -> None:
    class Scaler:
        def __init__(self, k: float) -> None:
            self.k = Tensor([k])

        @trace(**mode)
        def run(self, x: Tensor) -> Tensor:
            return x * self.k

    a, b = Scaler(2.0), Scaler(3.0)
    for _ in range(4):
        assert a.run(Tensor([1.0])).item() == 2
        assert b.run(Tensor([1.0])).item() == 3


def test_arguments_of_trace_are_checked() -> None:
    with pytest.raises(TypeError, match="int"):
        trace(3)


@modes
def test_an_arguments_value_that_decides_a_shape_is_read_at_each_call(mode: dict[str, bool]) -> None:
    @trace(**mode)
    def widen(x: Tensor, shape: Tensor) -> Tensor:
        return F.broadcast_to(x, shape)

    for shape in ((2, 1, 3), (1, 2, 3), (2, 2, 3), (2, 1, 3)):
        assert widen(F.ones((3,)), Tensor(shape)).shape == shape


@pytest.mark.parametrize("without_host", [False, True])
def test_a_number_read_from_outside_is_read_at_each_call(without_host: bool) -> None:
    limit = Tensor(1.0)

    @trace(without_host=without_host)
    def scaled(x: Tensor) -> Tensor:
        return x * 2 if limit.item() > 0 else x

    for number in (1.0, 1.0, 1.0, -1.0, 1.0):
        limit._reset(number)
        assert scaled(Tensor(3.0)).item() == (6.0 if number > 0 else 3.0)


def test_constants_of_the_body_may_be_read() -> None:
    @trace(symbolic=True, without_host=True)
    def reshaped(x: Tensor) -> Tensor:
        return x.reshape(Tensor([3, 2]))

    before = graph.counters.replays
    for _ in range(4):
        assert reshaped(F.ones((2, 3))).shape == (3, 2)
    assert graph.counters.replays > before


@pytest.mark.parametrize("symbolic", [False, True])
def test_profile_of_the_last_call(symbolic: bool) -> None:
    traced = trace(lambda x: F.exp(x) + 1, symbolic=symbolic, profiling=True)
    with pytest.raises(RuntimeError, match="call the function first"):
        traced.get_profile()
    for _ in range(2):
        traced(Tensor([1.0, 2.0]))
    (program,) = (e for e in traced.get_profile()["profiler"] if e["ph"] == "X")
    assert program["args"]["ops"] == {"exp": 1, "add": 1} and program["dur"] > 0
    with pytest.raises(RuntimeError, match="profiling=True"):
        trace(lambda x: x).get_profile()
