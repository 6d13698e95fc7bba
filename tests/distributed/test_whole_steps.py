"""Collectives are equations: a data-parallel step is one program a rank, and ranks may cut their graphs in different places."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.distributed as dist
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor
from megengine.autodiff import GradManager
from megengine.distributed import runtime
from megengine.distributed.helper import gradients_of
from megengine.graph import counters, tier
from megengine.graph.program import loaded
from megengine.optimizer import SGD

RANKS = 2
STEPS = 5
COLLECTIVES = 3  # in a step: SyncBatchNorm's there and back, and one message of gradients
state = {
    name: np.random.default_rng(len(name)).standard_normal(shape, np.float32)
    for name, shape in (("first.weight", (5, 3)), ("last.weight", (2, 5)))
}
data = np.random.default_rng(0).standard_normal((8, 3), np.float32)


class Net(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = M.Linear(3, 5), M.SyncBatchNorm(5), M.Linear(5, 2)
        self.load_state_dict(state, strict=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.norm(self.first(x))))


class Training:
    """Of a network, on this rank's part of the data."""

    def __init__(self) -> None:
        self.net, self.mine = Net(), Tensor(data[dist.get_rank() :: dist.get_world_size()])
        callbacks = [dist.make_allreduce_cb("mean")]
        self.manager = GradManager().attach(self.net.parameters(), callbacks=callbacks)
        self.optimizer = SGD(self.net.parameters(), lr=0.1, momentum=0.9)

    def step(self, looks_at_result: bool = False, looks_at_gradient: bool = False) -> Tensor:
        with self.manager:
            y = self.net(self.mine)
            if looks_at_result:
                y.numpy()
            loss = (y**2).mean()
            self.manager.backward(loss)
            if looks_at_gradient:
                self.net.first.weight.grad.numpy()
            self.optimizer.step().clear_grad()
        return loss

    def result(self) -> dict[str, np.ndarray]:
        return dict(self.net.state_dict())


def trained(tiers: list[str], looks: bool = False) -> dict[str, Any]:
    """A training; the first step is interpreted, the others are run by a tier that each rank has of its own.

    Args:
        tiers: by rank.
        looks: whether rank 0 looks at values amid steps, where the others look at nothing.
    """
    training, found = Training(), []
    rank = dist.get_rank()
    for number in range(STEPS):
        with tier(tiers[rank] if number else "host"):
            before = sum(counters.flushes.values()), sum(runtime.ran.values())
            also = looks and rank == 0
            loss = training.step(also and number % 2 == 0, also and number > 2).item()
            after = sum(counters.flushes.values()), sum(runtime.ran.values())
        found.append((loss, after[0] - before[0], after[1] - before[1]))
    programs = [(len(p.ranks), bool(p.seconds)) for p in loaded() if p.ranks]
    return {"steps": found, "state": training.result(), "programs": programs}


def waits_for_another(folder: str) -> tuple[float, bool]:
    """Rank 1 records a collective and waits for a file, which rank 0 writes when it has the result."""
    x, path = Parameter([1.0 + dist.get_rank()]), Path(folder, "written")
    with GradManager().attach([x]):
        total = F.distributed.all_reduce_sum(x * 2)
        if dist.get_rank() == 0:
            total.numpy()
            path.touch()
        end = time.monotonic() + 60
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.01)
        began = total._value.array is not None
    return total.item(), began


def read_by_a_thread() -> list[float]:
    """The value of a collective that this thread has only recorded."""
    x, got = Parameter([1.0 + dist.get_rank()]), []
    with GradManager().attach([x]):
        total = F.distributed.all_reduce_sum(x * 2)
        reader = threading.Thread(target=lambda: got.append(total.item()))
        reader.start()
        reader.join()
    return got


def of_other_parameters() -> str:
    """The ranks have gradients of other parameters, of one shape."""
    parameters = [Parameter(np.full(4, k, np.float32)) for k in range(3)]
    manager = GradManager().attach(parameters, callbacks=[dist.make_allreduce_cb("sum")])
    with manager:
        manager.backward((parameters[0] * parameters[1 + dist.get_rank()]).sum())
    with pytest.raises(RuntimeError, match="the ranks do different things") as info:
        parameters[0].grad.numpy()
    return str(info.value)


def interrupted() -> dict[str, Any]:
    """Ctrl-C in a step in which a rank waits for the others: the parameters are as they were, and the ranks go on together."""
    training = Training()
    training.step().item()
    before = training.result()
    dist.group_barrier()
    if dist.get_rank() == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job does without
        threading.Timer(1.0, lambda: signal.raise_signal(signal.SIGINT)).start()
        main = threading.main_thread()
        with pytest.raises(KeyboardInterrupt):
            training.step().item()
        assert main.is_alive()
    else:
        time.sleep(3)
        training.step().item()
    after = training.result()
    same = all(np.array_equal(before[name], after[name]) for name in before)
    return {"same": same, "after it": F.distributed.all_reduce_sum(Tensor([1.0])).item()}


def traced() -> tuple[list[float], int]:
    """A whole step as a traced function, which is run again without its body."""
    training = Training()

    @mge.jit.trace(without_host=True)
    def step() -> Tensor:
        return training.step()

    losses, replays = [], counters.replays
    for _ in range(STEPS):
        losses.append(step().item())
    return losses, counters.replays - replays


def everything(folder: str) -> dict[str, Any]:
    return {
        "whole": trained(["compiled", "compiled"]),
        "other tiers": trained(["compiled", "host"], looks=True),
        "waits": waits_for_another(folder),
        "thread": read_by_a_thread(),
        "traced": traced(),
        "interrupted": interrupted(),
        "other parameters": of_other_parameters(),
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return dist.launcher(everything, n_gpus=RANKS)(str(tmp_path_factory.mktemp("ranks")))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    return trained(["host"])


@pytest.mark.parametrize("how", ["whole", "other tiers"])
def test_training_is_that_of_one_process(how: str, results: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    losses = np.mean([[loss for loss, *_ in r[how]["steps"]] for r in results], axis=0)
    np.testing.assert_allclose(losses, [loss for loss, *_ in alone["steps"]], rtol=1e-6, atol=1e-6)
    for r in results:
        for name, value in alone["state"].items():
            np.testing.assert_allclose(r[how]["state"][name], value, rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_step_is_one_executable(results: list[dict[str, Any]]) -> None:
    for r in results:
        assert [steps[1:] for steps in r["whole"]["steps"]] == [(1, COLLECTIVES)] * STEPS
        assert set(r["whole"]["programs"]) == {(COLLECTIVES, True)}


def test_ranks_cut_their_graphs_in_different_places(results: list[dict[str, Any]]) -> None:
    first, second = (r["other tiers"]["steps"] for r in results)
    assert [flushes for _, flushes, _ in second] == [1] * STEPS
    assert [flushes for _, flushes, _ in first] == [2, 1, 2, 2, 3]
    assert [collectives for *_, collectives in first] == [COLLECTIVES] * STEPS


def test_a_collective_begins_while_its_rank_waits_for_something_else(results: list[dict[str, Any]]) -> None:
    assert [r["waits"] for r in results] == [(6.0, True)] * RANKS
    assert [r["thread"] for r in results] == [[6.0]] * RANKS


def test_traced_steps_run_again_with_their_collectives(results: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    losses = np.mean([r["traced"][0] for r in results], axis=0)
    np.testing.assert_allclose(losses, [loss for loss, *_ in alone["steps"]], rtol=1e-6, atol=1e-6)
    assert [r["traced"][1] >= STEPS - 3 for r in results] == [True] * RANKS


def test_an_interrupted_step_changes_nothing(results: list[dict[str, Any]]) -> None:
    assert [r["interrupted"] for r in results] == [{"same": True, "after it": 2.0}, {"same": False, "after it": 2.0}]


def test_gradients_of_other_parameters_are_not_added(results: list[dict[str, Any]]) -> None:
    for rank, r in enumerate(results):
        here, _, there = r["other parameters"].partition(" here, ")
        parts = (here, there) if rank == 0 else (there, here)
        assert all("ALL_REDUCE_SUM of float32[8] of the gradients of parameters" in part for part in parts)
        assert ["2" in part.partition("parameters")[2].partition(" at ")[0] for part in parts] == [False, True]
        assert all("test_whole_steps.py:" in part for part in parts)


def test_what_a_message_holds_is_told_shortly() -> None:
    assert gradients_of([0, 1, 2, 5, 3, 2]) == "the gradients of parameters 0 to 2, 5, 3 to 2"
    many = gradients_of(list(range(0, 200, 2)))
    assert many.startswith("gradients (") and many != gradients_of(list(range(1, 200, 2)))
