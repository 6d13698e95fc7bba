"""Several processes: what collectives give, that training is that of one process, and how failures end."""

from __future__ import annotations

import os
import signal
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
from megengine.data import DataLoader, RandomSampler, SequentialSampler
from megengine.data.dataset import ArrayDataset
from megengine.distributed import runtime
from megengine.distributed.processes import ProcessError
from megengine.optimizer import SGD
from megengine.quantization.observer import SyncExponentialMovingAverageObserver, SyncMinMaxObserver
from tests.processes import Programs, descendants, gone, until

C = F.distributed
RANKS = 2


def array(rank: int) -> np.ndarray:
    return np.random.default_rng(rank).standard_normal((4, 2), np.float32)


# Of each collective what this rank gets, and the gradient of ``sum((rank + 1) * weights * result)`` by definition.
def collectives() -> dict[str, Any]:
    return {
        "all_reduce_sum": C.all_reduce_sum,
        "all_reduce_max": C.all_reduce_max,
        "all_reduce_min": C.all_reduce_min,
        "broadcast": C.broadcast,
        "all_gather": lambda x: C.all_gather(x, axis=1),
        "reduce_scatter_sum": C.reduce_scatter_sum,
        "scatter": C.scatter,
        "all_to_all": lambda x: C.all_to_all(x, split_axis=0, concat_axis=1),
    }


def of_all(name: str, xs: list[np.ndarray]) -> list[np.ndarray]:
    """What the ranks get of what they have."""
    total = np.sum(xs, 0)
    halves = [np.split(x, RANKS) for x in xs]
    return {
        "all_reduce_sum": [total] * RANKS,
        "all_reduce_max": [np.maximum(*xs)] * RANKS,
        "all_reduce_min": [np.minimum(*xs)] * RANKS,
        "broadcast": [xs[0]] * RANKS,
        "all_gather": [np.concatenate(xs, 1)] * RANKS,
        "reduce_scatter_sum": np.split(total, RANKS),
        "scatter": halves[0],
        "all_to_all": [np.concatenate([half[r] for half in halves], 1) for r in range(RANKS)],
    }[name]


def reduced_gradients() -> dict[str, Any]:
    """Gradients as callbacks reduce them, and how many messages that took."""
    rank, seen = dist.get_rank(), []
    shapes: list[tuple[Any, str]] = [
        ((2, 3), "float32"),
        ((), "float32"),
        ((4,), "float16"),
        ((5,), "float32"),
        ((2,), "float16"),
    ]
    parameters = [Parameter(np.ones(shape, dtype)) for shape, dtype in shapes]
    unused = Parameter([1.0])
    found: dict[str, Any] = {}
    for method in ("sum", "mean"):
        manager = GradManager()
        manager.attach([*parameters, unused], [lambda _, grad: grad * 2, dist.make_allreduce_cb(method)])
        manager.attach(parameters[:2], lambda param, grad: seen.append(param.ndim) or grad + 1)  # after it
        with manager:
            y = sum((p * (k + 1 + 10 * rank)).astype("float32").sum() for k, p in enumerate(parameters))
            before = runtime.ran[0, 1]
            manager.backward(y)
        found[method] = [p.grad.numpy() for p in parameters], runtime.ran[0, 1] - before
        for p in parameters:
            p.grad = None
    found["seen"], found["unused"] = seen, unused.grad
    found["alone"] = dist.make_allreduce_cb("sum")(parameters[0], Tensor([1.0 + rank])).numpy()
    return found


def from_the_root(rank: int) -> dict[str, Any]:
    """Gradients of what the root alone computes, and of what nobody needs a gradient of."""
    found: dict[str, Any] = {}
    for name in ("broadcast", "scatter"):
        x, w = Tensor(array(0)), Parameter([3.0])
        manager = GradManager().attach([w])
        with manager:
            y = getattr(C, name)(x * w if rank == 0 else x)
            manager.backward((y * (rank + 1)).sum())
        found[name] = None if w.grad is None else w.grad.item()
        with manager:
            y = getattr(C, name)(x * w if rank == 1 else x)  # the root's has no gradient, so nobody waits for one
            manager.backward((y * w).sum())
        found[f"{name} of another's"] = w.grad.item() - (found[name] or 0.0)
    return found


def observed(rank: int) -> list[tuple[float, float]]:
    """Least and greatest number that observers have seen in both ranks."""
    observers: list[Any] = [SyncMinMaxObserver(dtype="qint8"), SyncExponentialMovingAverageObserver(dtype="qint8")]
    for observer in observers:
        observer(Tensor([rank - 1.0, rank + 2.0]))
    return [(observer.min_val.item(), observer.max_val.item()) for observer in observers]


def images(rank: int) -> np.ndarray:
    return np.random.default_rng(5 + rank).standard_normal((2 + rank, 3, 2, 2), np.float32) * 3 + 40


def normalised(x: np.ndarray) -> tuple[Any, ...]:
    """A normalised batch, a gradient, the running statistics, and how many messages that took; the same in half precision."""
    norm, inp = M.SyncBatchNorm(3), Tensor(x)
    before = runtime.ran[0, 1]
    manager = GradManager().attach([inp, norm.weight])
    with manager:
        y = norm(inp)
        manager.backward((F.sigmoid(y) ** 2).sum())
    messages = runtime.ran[0, 1] - before
    half = M.SyncBatchNorm(3)(Tensor(x, dtype="float16"))
    found = (y, inp.grad, norm.weight.grad, norm.running_mean, norm.running_var, half)
    return (*(t.numpy() for t in found), messages)


def batches() -> list[list[int]]:
    """This rank's part of a data set in two kinds of order, by loaders with a worker and without."""
    numbers = ArrayDataset(np.arange(9, dtype="int32"))
    samplers = [SequentialSampler(numbers, 2), RandomSampler(numbers, 2)]
    loaders = [DataLoader(numbers, sampler=s, num_workers=k) for k, s in enumerate(samplers)]
    return [[int(n) for batch in loader for n in batch[0]] for loader in loaders]


def everything() -> dict[str, Any]:
    """Every collective in a rank: results, gradients, and the exchange of values."""
    rank = dist.get_rank()
    found: dict[str, Any] = {}
    for name, collective in collectives().items():
        x = Tensor(array(rank))
        manager = GradManager().attach([x])
        with manager:
            y = collective(x)
            manager.backward((y * y * (rank + 1)).sum())
        found[name] = y.numpy(), x.grad.numpy()
    for name in ("reduce_sum", "gather"):
        x = Tensor(array(rank))
        manager = GradManager().attach([x])
        with manager:
            result = getattr(C, name)(x * 2)
            manager.backward([] if result is None else (result * result).sum())
        found[name] = None if result is None else result.numpy()
        found[f"gradient of {name}"] = x.grad.numpy()
    found["from the root"] = from_the_root(rank)
    half = C.all_reduce_sum(Tensor([0.5, rank], dtype="float16"))
    found["dtypes"] = half.dtype.name, C.all_reduce_max(Tensor([rank, -rank], dtype="int8")).numpy().tolist()
    found["empty"] = [getattr(C, name)(Tensor(np.zeros((2, 0), "float32"))).shape for name in collectives()]
    found["reduced"] = reduced_gradients()
    found["observed"] = observed(rank)
    found["batches"] = batches()
    found["normalised"] = normalised(images(rank))
    alone = dist.new_group([rank])
    found["alone"] = C.all_reduce_sum(Tensor([float(rank)]), alone).numpy().tolist()
    if rank == 0:
        C.remote_send(Tensor(array(7)), 1)
    else:
        found["received"] = C.remote_recv(0).numpy()
    dist.get_client().user_set(f"of {rank}", rank * 10)
    dist.group_barrier()
    found["other"] = dist.get_client().user_get(f"of {1 - rank}")
    found["device"] = str(half.device), mge.get_default_device()
    return found


def test_collectives_and_their_gradients() -> None:
    results = dist.launcher(everything, n_gpus=RANKS)()
    xs = [array(r) for r in range(RANKS)]
    for name in collectives():
        expected = of_all(name, xs)
        for rank in range(RANKS):
            np.testing.assert_allclose(results[rank][name][0], expected[rank], rtol=1e-6, err_msg=name)
        step = np.float32(1e-2)
        for rank in range(RANKS):
            numeric = np.zeros_like(xs[rank])
            for index in np.ndindex(numeric.shape):
                sides = []
                for sign in (1, -1):
                    moved = [x.copy() for x in xs]
                    moved[rank][index] += sign * step
                    got = of_all(name, moved)
                    sides.append(sum(float((got[r].astype(np.float64) ** 2).sum()) * (r + 1) for r in range(RANKS)))
                numeric[index] = (sides[0] - sides[1]) / (2 * step)
            np.testing.assert_allclose(results[rank][name][1], numeric, rtol=2e-2, atol=2e-2, err_msg=name)
    np.testing.assert_allclose(results[0]["reduce_sum"], 2 * sum(xs), rtol=1e-6)
    np.testing.assert_array_equal(results[0]["gather"], 2 * np.concatenate(xs))
    for rank, r in enumerate(results):
        np.testing.assert_allclose(r["gradient of reduce_sum"], 8 * sum(xs), rtol=1e-6)
        np.testing.assert_allclose(r["gradient of gather"], 8 * xs[rank], rtol=1e-6)
        parts = np.split(xs[0], RANKS)
        of_root = r["from the root"]
        assert [of_root[name] is None for name in ("broadcast", "scatter")] == [rank == 1] * 2
        np.testing.assert_allclose(of_root["broadcast of another's"], xs[0].sum(), rtol=1e-5)
        np.testing.assert_allclose(of_root["scatter of another's"], parts[rank].sum(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(results[0]["from the root"]["broadcast"], 3 * xs[0].sum(), rtol=1e-5)
    np.testing.assert_allclose(
        results[0]["from the root"]["scatter"], parts[0].sum() + 2 * parts[1].sum(), rtol=1e-4, atol=1e-5
    )
    assert results[1]["reduce_sum"] is None and results[1]["gather"] is None
    assert [r["dtypes"] for r in results] == [("float16", [1, 0])] * RANKS
    assert [r["alone"] for r in results] == [[0.0], [1.0]]
    sizes = {"all_gather": 4, "reduce_scatter_sum": 1, "scatter": 1}
    assert [r["empty"] for r in results] == [[(sizes.get(name, 2), 0) for name in collectives()]] * RANKS
    assert [r["observed"] for r in results] == [[(-1.0, 3.0)] * 2] * RANKS
    assert [r["batches"][0] for r in results] == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 0]]
    assert {n for r in results for n in r["batches"][1]} == {*range(9)}  # ranks shuffle alike without a seed
    y, dx, dw, average, variance, half, _ = normalised(np.concatenate([images(r) for r in range(RANKS)]))
    parts = [slice(0, 2), slice(2, 5)]  # a batch of two and one of three
    for part, r in zip(parts, results, strict=True):
        of_rank = r["normalised"]
        for found, expected in zip(of_rank[:2], (y, dx), strict=True):
            np.testing.assert_allclose(found, expected[part], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(of_rank[3], average, rtol=1e-5)
        np.testing.assert_allclose(of_rank[4], variance, rtol=1e-4)
        np.testing.assert_allclose(of_rank[5], half[part], atol=2e-2)
        assert of_rank[5].dtype == np.float16 and of_rank[6] == 2  # one there, one back
    np.testing.assert_allclose(sum(r["normalised"][2] for r in results), dw, rtol=1e-4)
    for reduced in (r["reduced"] for r in results):
        for method, divisor in (("sum", 1), ("mean", RANKS)):
            grads, messages = reduced[method]
            assert messages == 2  # float32, float16
            for k, grad in enumerate(grads):
                expected = 2 * (2 * (k + 1) + 10) / divisor + (k < 2)
                np.testing.assert_array_equal(grad, np.full(grad.shape, expected, grad.dtype))
            assert [(g.shape, g.dtype) for g in grads[:3]] == [((2, 3), "float32"), ((), "float32"), ((4,), "float16")]
        assert reduced["seen"] in ([2, 0] * 2, [0, 2] * 2) and reduced["unused"] is None
        assert reduced["alone"].tolist() == [3.0]
    np.testing.assert_array_equal(results[1]["received"], array(7))
    assert [r["other"] for r in results] == [10, 0]


def pipeline(data: np.ndarray) -> tuple[float | None, dict[str, np.ndarray]]:
    """A step of two layers, one in each rank."""
    mge.random.seed(dist.get_rank())
    layer = M.Linear(3, 3)
    manager = GradManager().attach(layer.parameters())
    loss = None
    with manager:
        if dist.get_rank() == 0:
            C.remote_send(F.tanh(layer(Tensor(data))), dest_rank=1)
            manager.backward([])
        else:
            loss = (layer(C.remote_recv(src_rank=0)) ** 2).mean()
            manager.backward(loss)
    return None if loss is None else loss.item(), {n: p.grad.numpy() for n, p in layer.named_parameters()}


def test_gradients_come_back_through_a_pipeline() -> None:
    data = np.random.default_rng(3).standard_normal((4, 3), np.float32)
    layers = []
    for rank in range(RANKS):
        mge.random.seed(rank)
        layers.append(M.Linear(3, 3))
    manager = GradManager().attach([p for layer in layers for p in layer.parameters()])
    with manager:
        loss = (layers[1](F.tanh(layers[0](Tensor(data)))) ** 2).mean()
        manager.backward(loss)
    (nothing, first), (found, second) = dist.launcher(pipeline, n_gpus=RANKS)(data)
    assert nothing is None
    np.testing.assert_allclose(found, loss.item(), rtol=1e-6)
    for layer, grads in zip(layers, (first, second), strict=True):
        for name, parameter in layer.named_parameters():
            assert parameter.grad is not None
            np.testing.assert_allclose(grads[name], parameter.grad.numpy(), rtol=1e-5, atol=1e-7)


class Net(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = M.Linear(3, 5), M.SyncBatchNorm(5), M.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.norm(self.first(x))))


def train(state: dict[str, np.ndarray], data: np.ndarray, steps: int) -> tuple[dict[str, np.ndarray], list[float]]:
    """A data-parallel training as programs write it; a rank has every RANKS-th example."""
    rank, world = dist.get_rank(), dist.get_world_size()
    net = Net()
    if rank == 0:
        net.load_state_dict(state)
    dist.bcast_list_(net.tensors())
    manager = GradManager().attach(net.parameters(), callbacks=[dist.make_allreduce_cb("mean")])
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(steps):
        with manager:
            loss = (net(Tensor(data[rank::world])) ** 2).mean()
            manager.backward(loss)
        optimizer.step().clear_grad()
        losses.append((C.all_reduce_sum(loss) / world).item())
    return net.state_dict(), losses


def test_training_is_that_of_one_process_with_all_examples() -> None:
    state = Net().state_dict()
    data = np.random.default_rng(0).standard_normal((8, 3), np.float32)
    alone, losses = train(state, data, 4)
    for found, their_losses in dist.launcher(train, n_gpus=RANKS)(state, data, 4):
        np.testing.assert_allclose(their_losses, losses, rtol=1e-5)
        for name, value in alone.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_the_error_of_a_rank_comes_out_and_ends_the_others() -> None:
    shift = Parameter([1.0])

    def fails(offset: float) -> None:
        if dist.get_rank() == 1:
            raise KeyError((shift + offset).numpy().tolist())
        time.sleep(600)

    started = time.monotonic()
    with pytest.raises(AssertionError, match=r"process 1 exited with code 1: KeyError: \[3.0\]") as info:
        dist.launcher(fails, n_gpus=RANKS)(2.0)
    assert isinstance(info.value.__cause__, KeyError) and time.monotonic() - started < 300
    assert not [
        pid for pid in descendants(os.getpid()) if b"distributed.rank" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def test_a_rank_that_is_killed_is_named() -> None:
    def dies() -> None:
        if dist.get_rank() == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        C.all_reduce_sum(Tensor([1.0]))

    with pytest.raises(ProcessError, match=r"process 0 was ended by signal 9 \(SIGKILL\)") as info:
        dist.launcher(dies, n_gpus=RANKS)()
    assert (info.value.rank, info.value.code) == (0, -signal.SIGKILL)


def test_ranks_that_do_different_things_are_told_so() -> None:
    def differ() -> list[str]:
        told = []
        for calls in ((C.all_reduce_sum, C.all_reduce_max), (C.all_reduce_sum, lambda _: dist.group_barrier())):
            try:
                calls[dist.get_rank()](Tensor([1.0]))
            except RuntimeError as error:
                told.append(str(error))
        dist.group_barrier()
        C.all_reduce_sum(Tensor([1.0]))
        if dist.get_rank() == 0:
            try:
                C.all_reduce_sum(Tensor([1.0]))  # the other has returned
            except RuntimeError as error:
                told.append(str(error))
        return told

    first, second = dist.launcher(differ, n_gpus=RANKS)()
    for told, names in ((first, ("ALL_REDUCE_MAX of float32[1]", "group_barrier")), (second, ("ALL_REDUCE_SUM",) * 2)):
        for error, other in zip(told, names, strict=False):
            assert error.startswith("the ranks do different things: ") and other in error.partition(" here, ")[2]
            assert error.count("test_processes.py:") == 2
    assert (len(first), len(second)) == (3, 2)
    assert "the ranks wait for each other: rank 0 in ALL_REDUCE_SUM of float32[1] at" in first[2]
    assert first[2].endswith("; rank 1 in no call any more")


def test_calls_that_end_a_rank_are_named() -> None:
    def of_other_sizes() -> None:
        for size in (1, 2):  # the ranks know of both
            C.all_reduce_sum(Tensor([1.0] * size))
        C.all_reduce_sum(Tensor([1.0] * (1 + dist.get_rank())))

    with pytest.raises(ProcessError) as info:
        dist.launcher(of_other_sizes, n_gpus=RANKS)()
    for rank in range(RANKS):
        assert f"ALL_REDUCE_SUM of float32[{rank + 1}]" in str(info.value)


def test_a_rank_that_hangs_is_named_in_time() -> None:
    def hangs() -> str:
        for _ in range(2):  # the second time nobody asks whether the other comes
            if dist.get_rank() == 1 and "MEGENGINE_DISTRIBUTED_TIMEOUT" in os.environ:
                time.sleep(600)
            C.all_reduce_sum(Tensor([1.0]))
            os.environ["MEGENGINE_DISTRIBUTED_TIMEOUT"] = "0.5"
        return "came"

    with pytest.raises(ProcessError, match="rank 1 did not come to it within 0.5 s") as info:
        dist.launcher(hangs, n_gpus=RANKS)()
    assert info.value.rank == 0 and "ALL_REDUCE_SUM of float32[1] at " in str(info.value)


PROGRAM = """
import sys, time
import numpy as np
import megengine as mge
import megengine.distributed as dist

@dist.launcher(n_gpus=2)
def work(folder):
    model = mge.module.Linear(2, 1)
    try:
        open(f"{folder}/ready{dist.get_rank()}", "w").close()
        while True:
            time.sleep(0.01)
    except KeyboardInterrupt:
        time.sleep(float(sys.argv[2 + dist.get_rank()]))
        mge.save(model.state_dict(), f"{folder}/model{dist.get_rank()}.mge")
        raise

work(sys.argv[1])
"""


@pytest.mark.parametrize("seconds", [(0, 1), (1, 0)])  # the first to end has JAX's coordinator, or it is the other
def test_ctrl_c_ends_all_ranks_which_save_what_they_have(
    seconds: tuple[int, int], programs: Programs, tmp_path: Path
) -> None:
    program = programs.start(PROGRAM, tmp_path, *seconds)
    until(lambda: all((tmp_path / f"ready{rank}").exists() for rank in range(RANKS)), "the ranks")
    ranks = descendants(program.pid)
    assert len(ranks) >= RANKS
    program.send_signal(signal.SIGINT)
    assert gone([program.pid, *ranks])
    for rank in range(RANKS):
        assert set(mge.load(str(tmp_path / f"model{rank}.mge"))) == {"weight", "bias"}
