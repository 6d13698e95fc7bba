"""launcher in its one process."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.distributed as dist
import megengine.functional as F
import megengine.module as M
from megengine.autodiff import GradManager
from megengine.distributed import launcher as launcher_class
from megengine.optimizer import SGD


def test_the_three_ways_to_write_it() -> None:
    @dist.launcher
    def plain(x: int, *, y: int) -> tuple[int, bool]:
        return x + y, dist.is_distributed()

    @dist.launcher(n_gpus=1)
    def with_settings() -> int:
        return dist.get_world_size()

    assert plain(1, y=2) == [(3, True)]
    assert with_settings() == [1]
    assert dist.launcher(lambda: "called")() == ["called"]
    assert plain.__name__ == "plain"
    assert not dist.is_distributed()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"world_size": 2, "rank_start": 2, "port": 1},
            "rank_start=2 with n_gpus=1 processes here and world_size=2 in all",
        ),
        (
            {"n_gpus": 3, "world_size": 2, "port": 1},
            "rank_start=0 with n_gpus=3 processes here and world_size=2 in all",
        ),
        ({"world_size": 2}, "world_size=2 with n_gpus=1: the other machines have to know the port"),
        ({"n_gpus": -1}, "n_gpus must be at least 0, got -1"),
        ({"world_size": 0}, "world_size must be at least 1, got 0"),
        ({"port": -5}, "port must be at least 0, got -5"),
    ],
)
def test_ranks_that_cannot_be(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dist.launcher(lambda: None, **settings)


@pytest.mark.parametrize("name", ["n_gpus", "world_size", "rank_start", "port"])
def test_counts_are_integers(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be an integer, got '2'"):
        dist.launcher(lambda: None, **{name: "2"})


def test_no_gpus_is_one_process() -> None:
    assert dist.launcher(lambda: 1, n_gpus=0)() == [1]


def test_an_error_comes_out_and_the_group_goes() -> None:
    mge.set_default_device("cpu1")

    @dist.launcher
    def fails() -> None:
        raise KeyError("lost")

    for _ in range(2):
        with pytest.raises(KeyError, match="lost"):
            fails()
        assert not dist.is_distributed()
        assert mge.get_default_device() == "cpu1"


def test_exit_ends_the_function_only(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("megengine.distributed.launcher")
    logger.addHandler(caplog.handler)
    try:
        assert dist.launcher(lambda: exit(0))() == [None]
    finally:
        logger.removeHandler(caplog.handler)
    assert "did not return a value" in caplog.text
    with pytest.raises(AssertionError, match="process 0 exited with code 3"):
        dist.launcher(lambda: exit(3))()


def test_launching_within_a_process_is_refused() -> None:
    with pytest.raises(AssertionError, match="cannot launch another"):
        dist.launcher(lambda: dist.launcher(lambda: 1)())()


def test_each_gpu_has_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    module = __import__("sys").modules["megengine.distributed.launcher"]
    monkeypatch.setattr(module, "what_is_xpu", lambda: "cuda")
    monkeypatch.setattr(module, "get_device_count", lambda kind: 4)
    assert dist.launcher(lambda: 1).n_gpus == 4
    assert dist.launcher(lambda: 1, device_type="cpu").n_gpus == 1
    assert dist.launcher(lambda: 1, n_gpus=1)() == [1]


def test_not_a_function() -> None:
    with pytest.raises(TypeError, match="launcher takes a function, not 3"):
        launcher_class(3)


def train(launched: bool) -> list[np.ndarray]:
    """Three steps as a data-parallel program writes them, with the launcher or without."""

    def main(steps: int) -> list[np.ndarray]:
        mge.random.seed(1)
        model = M.Linear(3, 2)
        model.weight._reset(F.linspace(-1, 1, 6).reshape(2, 3))
        callbacks: Any = []
        if launched:
            dist.bcast_list_(model.tensors())
            callbacks = [dist.make_allreduce_cb("MEAN", dist.WORLD)]
        gm = GradManager().attach(model.parameters(), callbacks=callbacks)
        optimizer = SGD(model.parameters(), lr=0.1)
        for _ in range(steps):
            with gm:
                loss = (model(mge.Tensor([[1.0, 2.0, 3.0]])) ** 2).mean()
                gm.backward(loss)
            optimizer.step().clear_grad()
            total = F.distributed.all_reduce_sum(loss) / dist.get_world_size()
            assert total.item() == loss.item()
        return [p.numpy() for p in model.parameters()]

    return dist.launcher(main)(3)[0] if launched else main(3)


def test_a_data_parallel_program_trains_as_a_plain_one() -> None:
    for launched, plain in zip(train(True), train(False), strict=True):
        np.testing.assert_array_equal(launched, plain)


@pytest.mark.parametrize("method", ["max", "product"])
def test_methods_of_the_callback(method: str) -> None:
    with pytest.raises(AssertionError, match="reduce_method should be sum or mean"):
        dist.make_allreduce_cb(method)
