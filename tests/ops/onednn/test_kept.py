"""Kernels that are kept in the library's layout: they are those of the array of now, and go with it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import jax
import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, graph
from megengine.autodiff import GradManager
from megengine.graph import serials
from megengine.ops.onednn import custom_call, kept
from megengine.optimizer import SGD

pytestmark = pytest.mark.skipif(not custom_call.ready(), reason="oneDNN is not installed")


@pytest.fixture(autouse=True)
def compiled() -> Iterator[None]:
    gc.collect()
    before = kept.kept_bytes()
    with graph.tier("compiled"):
        yield
    gc.collect()
    assert kept.kept_bytes() == before


class Net(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = M.Conv2d(16, 24, 3, padding=1, bias=False)
        self.norm = M.BatchNorm2d(24)
        self.second = M.Conv2d(24, 24, 3, groups=2)
        self.last = M.ConvTranspose2d(24, 16, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.second(F.relu(self.norm(self.first(x)))))


def wanted(net: Net, x: np.ndarray) -> np.ndarray:
    with graph.tier("host"):
        return net(Tensor(x)).numpy()


def run(net: Net, x: np.ndarray, times: int = 4) -> None:
    value = wanted(net, x)
    for _ in range(times):
        np.testing.assert_allclose(net(Tensor(x)).numpy(), value, 1e-4, 1e-4)


def test_an_update_in_place_is_noticed(rng: np.random.Generator) -> None:
    net, x = Net(), rng.standard_normal((2, 16, 12, 12), np.float32)
    net.eval()
    start = kept.kept_bytes()
    run(net, x)
    both = kept.kept_bytes() - start
    assert both >= 4 * (24 * 16 * 9 + 24 * 12 * 9 + 24 * 16 * 4)
    net.first.weight[...] = net.first.weight.numpy() * 2
    run(net, x)
    net.second.weight *= -1
    run(net, x)
    net.norm.weight *= 3
    run(net, x)
    assert kept.kept_bytes() - start == both  # what was kept for the old ones has gone
    run(net, x[:1])
    assert kept.kept_bytes() - start == both  # one layout serves all batches
    del net


def test_a_donated_kernel_is_noticed(rng: np.random.Generator) -> None:
    net, x = Net(), rng.standard_normal((2, 16, 12, 12), np.float32)
    net.eval()
    run(net, x)
    donated = graph.counters.bytes_donated
    gm, optimizer = GradManager().attach(net.parameters()), SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        with gm:
            gm.backward((net(Tensor(x)) ** 2).mean())
            optimizer.step().clear_grad()
        run(net, x, 3)
    assert graph.counters.bytes_donated > donated


def test_a_program_that_overwrites_its_input_keeps_kernels(rng: np.random.Generator) -> None:
    net = M.Conv2d(16, 16, 3, padding=1)
    start, donated = kept.kept_bytes(), graph.counters.bytes_donated
    x, value = rng.standard_normal((2, 16, 12, 12), np.float32), None
    for _ in range(5):
        found = net(Tensor(x)).numpy()
        value = found if value is None else value
        np.testing.assert_array_equal(found, value)
    assert kept.kept_bytes() > start and graph.counters.bytes_donated > donated
    del net


def trained(x: np.ndarray, state: dict[str, np.ndarray]) -> tuple[np.ndarray, int]:
    """The last kernel after some steps of what alone is trained, and how many bytes were kept for what is not."""
    net, start = Net(), kept.kept_bytes()
    net.load_state_dict(state)
    gm, optimizer = GradManager().attach(net.last.parameters()), SGD(net.last.parameters(), lr=0.1, momentum=0.9)
    for _ in range(6):
        with gm:
            gm.backward((net(Tensor(x)) ** 2).mean())
            optimizer.step().clear_grad()
    return net.last.weight.numpy(), kept.kept_bytes() - start


def test_kernels_that_are_not_trained_are_kept(rng: np.random.Generator) -> None:
    x, state = rng.standard_normal((2, 16, 12, 12), np.float32), Net().state_dict()
    found, size = trained(x, state)
    with graph.tier("host"):
        wanted, _ = trained(x, state)
    np.testing.assert_allclose(found, wanted, 1e-4, 1e-5)
    assert not np.allclose(found, state["last.weight"], 1e-4, 1e-4)
    assert 4 * (24 * 16 * 9 + 24 * 12 * 9) <= size < 4 * (24 * 16 * 9 + 24 * 12 * 9 + 24 * 16 * 4)


def test_arrays_have_numbers_of_their_own() -> None:
    one, other = (jax.device_put(np.ones(3, np.float32)) for _ in range(2))
    numbers = [serials.serial_of(a) for a in (one, other, one, other)]
    assert numbers[:2] == numbers[2:] and len(set(numbers)) == 2 and 0 not in numbers
    assert serials.serial_of(np.ones(3)) == 0
    key = id(one)
    del one
    gc.collect()
    assert key not in serials._serials or serials._serials[key][1] != numbers[0]


def test_what_comes_once_is_not_kept_and_the_sum_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    of = custom_call.convolution(
        "convolve", np.dtype(np.float32), x_shape=(1, 16, 9, 9), kernel_shape=(16, 16, 3, 3), stride=(1, 1),
        padding=(1, 1), dilation=(1, 1), groups=1,
    )  # fmt: skip
    assert of is not None
    plan = kept.Kept(0, of).plan()
    assert plan is not None
    x, w, y = (
        np.ones((1, 9, 9, 16), np.float32),
        np.ones((16, 16, 3, 3), np.float32),
        np.empty((1, 9, 9, 16), np.float32),
    )
    start, serial = kept.kept_bytes(), np.array([2**31 - 5], np.int32)

    def call() -> int:
        plan.run(*(a.ctypes.data for a in (x, w, serial, y)))
        assert y.max() == 144
        return kept.kept_bytes() - start

    assert call() == 0
    with monkeypatch.context() as patch:
        patch.setattr(kept, "MOST_BYTES", start + w.nbytes - 1)
        assert call() == 0
    assert call() == call() == w.nbytes
    kept.forget(2**31 - 5)
    assert kept.kept_bytes() == start
