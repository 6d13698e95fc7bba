"""Pictures of calls, which change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
import megengine.optimizer as optim
from megengine import Tensor, jit, random
from megengine.autodiff import GradManager

X = np.ones((2, 3, 8, 8), np.float32)


def _net() -> M.Module:
    return M.Sequential(M.Conv2d(3, 4, 3), M.BatchNorm2d(4), M.Dropout(0.5))


def test_a_module_shows_a_call_by_name_and_module() -> None:
    picture = _net().picture(X)
    names = {node["name"]: node for node in picture.nodes}
    assert names["inp"]["kind"] == "input" and names["0.weight"]["kind"] == "param"
    assert names["0.weight"]["path"] == names["conv"]["path"] == ["Sequential", "0"]
    assert repr(picture).startswith("<picture of Sequential: 3 operations")


def test_showing_leaves_statistics_streams_weights_and_gradients_as_they_were() -> None:
    net = _net()
    gm = GradManager().attach(net.parameters())
    opt = optim.Adam(net.parameters(), lr=0.1)

    @jit.trace
    def step(x: Tensor) -> Tensor:
        with gm:
            loss = (net(x) ** 2).mean()
            gm.backward(loss)
        opt.step()
        return loss

    before = {name: value.numpy().copy() for name, value in net.named_tensors()}
    random.seed(3)
    expected = random.normal(size=(4,)).numpy()
    random.seed(3)
    picture = step.picture(X)
    ops = {node["op"] for node in picture.nodes}
    assert {"conv", "conv.grad", "adam"} <= ops
    assert {node["path"][0] for node in picture.nodes if node["path"]} == {"Sequential", "backward", "update"}
    assert all(np.array_equal(value.numpy(), before[name]) for name, value in net.named_tensors())
    assert all(p.grad is None for p in net.parameters())
    np.testing.assert_array_equal(random.normal(size=(4,)).numpy(), expected)
    step(Tensor(X))
    assert not np.array_equal(net[0].weight.numpy(), before["0.weight"])


def test_a_body_that_reads_a_value_is_shown_as_it_ran() -> None:
    def choose(x: Tensor) -> Tensor:
        return x * 2 if x.sum().item() > 0 else x - 1

    assert [node["op"] for node in jit.trace(choose).picture(X).nodes] == ["input", "mul"]


def test_an_error_of_the_body_leaves_the_engine_usable() -> None:
    def fails(x: Tensor) -> Tensor:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        jit.trace(fails).picture(X)
    np.testing.assert_array_equal((Tensor([1.0]) + 1).numpy(), [2.0])


def test_showing_inside_of_a_trace_is_refused() -> None:
    net = M.Linear(3, 2)

    @jit.trace(symbolic=True)
    def f(x: Tensor) -> Tensor:
        net.picture(x)
        return net(x)

    with pytest.raises(RuntimeError, match="show it outside"):
        f(Tensor(np.ones((1, 3), np.float32)))


def test_arguments_have_their_names(tmp_path: Path) -> None:
    def f(x: Tensor, pair: list[Tensor], *more: Tensor, scale: Tensor) -> Tensor:
        return F.concat([x, *pair, *more]) * scale

    one = np.ones(2, np.float32)
    picture = jit.trace(f).picture(one, [one, one], one, scale=one[:1])
    assert [v.name for v in picture.function.inputs] == ["x", "pair.0", "pair.1", "more.0", "scale"]
    text = jit.trace(f).save(tmp_path / "f.txt", one, [one, one], one, scale=one[:1]).read_text()
    assert "concat(x, pair.0, pair.1, more.0" in text
