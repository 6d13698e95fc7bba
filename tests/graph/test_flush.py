"""Cutting: what runs, when, and how often."""

from __future__ import annotations

import numpy as np
import pytest

import megengine as mge
from megengine import Tensor, graph
from megengine.graph import program
from megengine.graph.program import clear


def _ran(seen: graph.Watch) -> list[int]:
    return [len(r.function.equations) for r in seen.ran]


def test_nothing_runs_until_a_value_is_read() -> None:
    with graph.watch() as seen:
        y = (Tensor([1.0, 2.0]) + 1) * 3
        assert len(seen) == 0
        assert y.shape == (2,)
        assert len(seen) == 0
        np.testing.assert_array_equal(y.numpy(), [6.0, 9.0])
        assert _ran(seen) == [2]


def test_reading_twice_runs_once() -> None:
    with graph.watch() as seen:
        y = Tensor([1.0, 2.0]) + 1
        y.numpy()
        y.numpy()
        assert len(seen) == 1


def test_a_read_in_the_middle_computes_nothing_again() -> None:
    x = Tensor([1.0, 2.0])
    with graph.watch() as seen:
        h = x + 1
        h.numpy()
        y = h * h
        y.numpy()
    assert _ran(seen) == [1, 1]


def test_dead_values_are_not_outputs_but_living_ones_are_computed_together() -> None:
    with graph.watch() as seen:
        a = Tensor([1.0, 2.0]) + 1
        b = a * 2
        c = b * 3
        del b
        c.numpy()
        assert len(seen[0].program.live) == 2
        a.numpy()
        assert len(seen) == 1


def test_a_cut_at_the_limit_returns_only_what_lives() -> None:
    with graph.watch() as seen:
        x = Tensor([0.5, 1.0])
        for _ in range(graph.options.pending_limit):
            x = x * 1.0
        # The result, and the operand that the last line still names.
        assert len(seen[0].program.live) == 2


def test_a_read_of_one_result_gives_all_living_ones() -> None:
    with graph.watch() as seen:
        a = Tensor([1.0, 2.0]) + 1
        b = Tensor([1.0, 2.0]) * 5
        np.testing.assert_array_equal(a.numpy(), [2, 3])
        np.testing.assert_array_equal(b.numpy(), [5, 10])
    assert len(seen) == 1


def test_a_hundred_thousand_ops_without_a_read() -> None:
    x = Tensor([0.0, 1.0])
    for _ in range(100_000):
        x = x + 1
    np.testing.assert_array_equal(x.numpy(), [100_000, 100_001])


def test_the_number_of_pending_ops_is_bounded() -> None:
    before = graph.counters.flushes["limit"]
    x = Tensor([0.0, 1.0])
    for _ in range(2 * graph.options.pending_limit + 1):
        x = x + 1
    assert graph.counters.flushes["limit"] - before == 2
    assert x.numpy()[0] == 2 * graph.options.pending_limit + 1


def test_changing_numbers_compile_nothing() -> None:
    x = Tensor([1.0, 2.0])
    (x * 0.5 + 2).numpy()
    before = graph.counters.compilations.total()
    for k in range(5):
        np.testing.assert_allclose((x * (0.1 * k) + k).numpy(), np.float32([1, 2]) * np.float32(0.1 * k) + k, rtol=1e-6)
    assert graph.counters.compilations.total() == before


def test_changing_an_index_compiles_nothing() -> None:
    x = Tensor(np.arange(12, dtype=np.float32).reshape(3, 4))
    x[0].numpy(), x[0:2, 1].numpy()
    before = graph.counters.compilations.total()
    for k in range(3):
        np.testing.assert_array_equal(x[k].numpy(), np.arange(12).reshape(3, 4)[k])
    np.testing.assert_array_equal(x[1:3, 2].numpy(), [6, 10])
    assert graph.counters.compilations.total() == before


def test_an_input_that_nothing_refers_to_is_overwritten() -> None:
    x = Tensor(np.ones((64, 64), np.float32))
    for _ in range(3):
        x._reset(x + 1)
        graph.flush("step")
    before = graph.counters.bytes_donated
    address = x._value.array.unsafe_buffer_pointer()
    x._reset(x + 1)
    graph.flush("step")
    assert graph.counters.bytes_donated - before == 64 * 64 * 4
    assert x._value.array.unsafe_buffer_pointer() == address


def test_an_input_that_someone_holds_is_not_overwritten() -> None:
    x = Tensor(np.ones((4, 4), np.float32))
    (x + 0).numpy()
    kept = x.detach()
    x._reset(x + 1)
    graph.flush("step")
    np.testing.assert_array_equal(kept.numpy(), np.ones((4, 4)))
    np.testing.assert_array_equal(x.numpy(), np.full((4, 4), 2))


def test_numpy_gives_an_array_of_its_own() -> None:
    source = np.ones(3, np.float32)
    x = Tensor(source)
    source[:] = 7
    out = x.numpy()
    out[:] = 9
    np.testing.assert_array_equal(x.numpy(), [1, 1, 1])


def test_errors_leave_the_graph_usable() -> None:
    x = Tensor([1.0, 2.0])
    y = x + 1
    with pytest.raises(RuntimeError, match=r"add\(float32\[2\], float32\[3\]\)"):
        y + Tensor([1.0, 2.0, 3.0])
    np.testing.assert_array_equal((y * 2).numpy(), [4, 6])


def test_op_by_op_gives_the_same_numbers() -> None:
    x = Tensor([1.0, 2.0, 3.0])

    def program() -> np.ndarray:
        y = x * 2 - 1
        y[0] = 5
        return (y * y).sum().numpy()

    whole = program()
    with graph.eager(), graph.watch() as seen:
        np.testing.assert_array_equal(program(), whole)
    assert max(_ran(seen)) == 1 and len(seen) >= 4


def test_nan_is_found_with_its_op_and_line() -> None:
    with pytest.raises(FloatingPointError, match=r"div at .*test_flush\.py:\d+ gave NaN"), graph.check_nan():
        x = Tensor([0.0, 1.0]) * 2
        y = (x - x) / (x - x)
        (y + 1).numpy()


def test_nan_in_an_input_is_called_so() -> None:
    with (
        pytest.raises(FloatingPointError, match=r"an input float32\[2\] of mul at .*test_flush\.py:\d+ holds NaN"),
        graph.check_nan(),
    ):
        (Tensor([np.nan, 1.0]) * 2).numpy()


def test_programs_are_bounded_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clear()
    monkeypatch.setattr(graph.options, "programs_bytes", 4 * program.BYTES_OF_EXECUTABLE - 1)
    x = Tensor([1.0, 2.0])
    for n in range(1, 6):
        y = x
        for _ in range(n):
            y = y + 1
        assert y.numpy()[0] == 1 + n
    import gc

    gc.collect()
    assert graph.counters.executables <= 4
    np.testing.assert_array_equal((x + 1).numpy(), [2, 3])


def test_counters_are_public_numbers() -> None:
    (mge.Tensor([1.0]) + 1).numpy()
    snapshot = graph.counters.snapshot()
    assert set(snapshot) > {"ops", "flushes", "compilations", "hits", "executables", "bytes_donated", "replays"}
    assert all(isinstance(number, int | float | dict) for number in snapshot.values())
    assert snapshot["ops"] > 0
