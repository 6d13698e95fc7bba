"""Traced modules in files: those that MegEngine wrote, our own, and ones that name what they may not."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.traced_module as tm
from megengine import Tensor
from megengine.core.ops import builtin
from megengine.serialization import RefusedError
from megengine.traced_module import expr as exprs
from megengine.traced_module import pytree, serialization

from .nets import CASES, flat

FILES = Path(__file__).parent / "files"


def same(traced: Any, inputs: Any, expected: Any) -> None:
    found = flat(traced(*[Tensor(x) for x in inputs]))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        assert one.dtype == other.dtype


@pytest.mark.parametrize("path", sorted(FILES.glob("*.tm")), ids=lambda path: path.stem)
def test_files_of_megengine_give_its_numbers(path: Path) -> None:
    recorded = np.load(FILES / f"{path.stem.removesuffix('_flat')}.npz")
    inputs = [recorded[key] for key in sorted(recorded.files) if key.startswith("arr")]
    expected = [recorded[f"out{k}"] for k in range(len(recorded.files) - len(inputs))]
    same(mge.load(path), inputs, expected)


@pytest.mark.parametrize("name", CASES)
def test_our_files_come_back(name: str, tmp_path: Path) -> None:
    make, inputs = CASES[name]
    net = make()
    net.eval()
    tensors = [Tensor(x) for x in inputs]
    expected = flat(net(*tensors))
    traced = tm.trace_module(net, *tensors)
    for module in (traced, traced.flatten(), pickle.loads(pickle.dumps(traced))):
        mge.save(module, tmp_path / "net.tm")
        back = mge.load(tmp_path / "net.tm")
        assert str(back.graph) == str(module.graph)
        same(back, inputs, expected)


def test_a_traced_module_does_not_need_the_source(tmp_path: Path) -> None:
    class Local(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1

    mge.save(tm.trace_module(Local(), Tensor([1.0])), tmp_path / "net.tm")
    del Local
    assert mge.load(tmp_path / "net.tm")(Tensor([2.0])).tolist() == [3.0]


def tampered(change: Any) -> io.BytesIO:
    """The file of a traced module with another state of its first call."""
    traced = tm.trace_module(M.Sequential(M.ReLU()), Tensor([1.0]))
    change(traced)
    file = io.BytesIO()
    mge.save(traced, file)
    file.seek(0)
    return file


def call_of(func: Any) -> exprs.CallFunction:
    found = exprs.CallFunction(F.relu)
    found.func = func
    found.arg_def, found.out_def = pytree.tree_flatten((("touch made",), {}))[1], None
    found.const_val = [(0, "touch made")]
    found.outputs = []
    return found


@pytest.mark.parametrize(
    "name", [("os", "system"), ("builtins", "eval"), ("megengine.functional.nn", "apply"), ("posix", "open")]
)
def test_functions_that_are_not_megengines_are_refused(name: tuple[str, str]) -> None:
    file = tampered(lambda traced: traced.graph._exprs.append(call_of(name)))
    with pytest.raises((pickle.UnpicklingError, ImportError), match=name[1]):
        mge.load(file)
    assert not os.path.exists("made")


def test_methods_that_do_not_compute_are_refused() -> None:
    def change(traced: Any) -> None:
        traced.graph._exprs[-1].method = "__reduce__"

    with pytest.raises(pickle.UnpicklingError, match="__reduce__"):
        mge.load(tampered(change))


def test_classes_that_are_no_modules_are_refused() -> None:
    def change(traced: Any) -> None:
        traced.__dict__["other"] = serialization._ModuleState(("subprocess", "Popen"), {}, "1.13.0")

    with pytest.raises(pickle.UnpicklingError, match="Popen"):
        mge.load(tampered(change))


def test_other_names_in_the_file_are_refused() -> None:
    def change(traced: Any) -> None:
        traced.__dict__["other"] = os.system

    with pytest.raises((RefusedError, AssertionError), match="system"):
        mge.load(tampered(change))


def test_loaders_change_what_is_loaded() -> None:
    class Net(M.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.exp(x) + 1

    @serialization.register_functional_loader(("megengine.functional.elemwise", "exp"))
    def halve(expr: Any) -> None:
        node = expr.inputs[0]
        half = exprs.CallMethod(node, "__mul__")
        half.set_args_kwargs(node, 0.5)
        half.return_val = type(node)(half, shape=node.shape, dtype=node.dtype)
        expr.set_arg("x", half.outputs[0])

    try:
        loaded = pickle.loads(pickle.dumps(tm.trace_module(Net(), Tensor([1.0]))))
    finally:
        del serialization.FUNCTIONAL_LOADER["megengine.functional.elemwise", "exp"]
    np.testing.assert_allclose(loaded(Tensor([2.0])).numpy(), np.exp([1.0]) + 1, rtol=1e-6)


def test_early_files_have_their_arguments_in_another_order() -> None:
    class Net(M.Module):
        def forward(self, x: Tensor, w: Tensor) -> Tensor:
            return F.conv_transpose2d(x, w, None, 1, 1)

    x, w = Tensor(np.ones((1, 1, 4, 4), "float32")), Tensor(np.ones((1, 1, 3, 3), "float32"))
    traced = tm.trace_module(Net(), x, w)
    call = traced.graph._exprs[-1]
    state = call.__getstate__()
    without = [value for k, value in enumerate(call.args) if k != 5]
    leaves, structure = pytree.tree_flatten((tuple(without), {}))
    state["arg_def"], state["const_val"] = structure, [(k, v) for k, v in enumerate(leaves) if k > 1]
    del state["version"]
    type(call).__getstate__, kept = (lambda self: state), type(call).__getstate__  # type: ignore[method-assign]
    try:
        data = pickle.dumps(traced)
    finally:
        type(call).__getstate__ = kept  # type: ignore[method-assign]
    loaded = pickle.loads(data)
    assert loaded.graph._exprs[-1].named_args["output_padding"] == 0
    assert loaded(x, w).shape == (1, 1, 4, 4)


@pytest.mark.parametrize(
    "op", [builtin.Elemwise("add"), builtin.Convolution(stride_h=9), builtin.BatchNorm(epsilon=0.5)]
)
def test_operators_keep_their_settings(op: Any) -> None:
    back = pickle.loads(pickle.dumps(op))
    assert back == op and vars(back) == vars(op)
