"""Empty batches: what a function makes of n images says what it must make of none, shapes and gradients."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from golden.runner import Attempt, namespace, tensors, used
from golden.spec import Array, Case, Wrong, text

import megengine.functional as F
import megengine.module as M
from megengine import Tensor, random
from megengine.autodiff import GradManager
from megengine.graph.build import build
from megengine.graph.lower import Plan
from megengine.graph.recorder import Recorder, thread
from megengine.optimizer import SGD

# Batches: the first dimension of images, matrices, boxes and maps; where states or masks share its size it is theirs as well.
FAMILIES = (
    "activations",
    "attention",
    "convolution",
    "linear_algebra",
    "normalisation",
    "pooling",
    "sync_norm",
    "vision",
)
# Boxes need images to be in, and how many nms keeps is not a question of the batch.
WITHOUT = ("roi_align", "roi_pooling", "deformable_psroi_pooling", "nms")
TRIED = 3  # expressions of each case


def _cases() -> Iterator[Any]:
    for family in FAMILIES:
        for case in importlib.import_module("golden.cases." + family).CASES:
            if "error" not in case.name and any(_shape(a) for a in case.inputs.values()):
                yield pytest.param(case, id=f"{family}-{case.name}")


def _shape(spec: Array) -> tuple[int, ...]:
    return spec.shape if spec.values is None else np.shape(spec.values)


def _with_batch(case: Case, names: list[str], size: int) -> Case:
    """The case with another size of the first dimension of these inputs."""
    inputs = dict(case.inputs)
    for name in names:
        spec = inputs[name]
        if spec.values is None:
            inputs[name] = replace(spec, shape=(size, *spec.shape[1:]))
        else:
            rows = np.resize(np.asarray(spec.values), (size, *_shape(spec)[1:]))
            inputs[name] = replace(spec, values=rows)
    return replace(case, inputs=inputs, grad=True)


def _attempt(case: Case, source: str, names: dict[str, Any]) -> tuple[list[tuple[int, ...]] | None, Attempt]:
    attempt = Attempt(case, source, names)
    if attempt.error is not None:
        return None, attempt
    return [t.shape for t in tensors(attempt.value)], attempt


def _forget_recorded() -> None:
    thread.recorder = Recorder(thread.recorder.device)


def _lower_recorded() -> None:
    """Turn what is recorded, gradients too, into a function of arrays, without compiling it."""
    function = build(thread.recorder.node)
    function = function.having(outputs=function.producer())
    run = Plan(function, len(function.outputs), False).callable(jnp, attrgetter("staged"))
    scalars = [(n, t) for n, t in ((function.floats, np.float32), (function.ints, np.int32)) if n]
    packed = [jax.ShapeDtypeStruct((n,), t) for n, t in scalars]
    jax.eval_shape(run, *packed, *(jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in function.inputs))


def _said_by(
    case: Case, source: str, batch: list[str], size: int, names: dict[str, Any]
) -> list[tuple[int, ...]] | None:
    """The shapes of the results for no images, from those for ``size`` and for one more; None if they say nothing about it."""
    (some, first), (more, second) = (_attempt(_with_batch(case, batch, n), source, names) for n in (size, size + 1))
    differentiable = first.grad_error is None and second.grad_error is None
    del first, second
    _forget_recorded()
    if not some or not more or not differentiable or [len(s) for s in some] != [len(m) for m in more]:
        return None
    shapes = [tuple(a - (b - a) * size for a, b in zip(s, m, strict=True)) for s, m in zip(some, more, strict=True)]
    return None if any(n < 0 for shape in shapes for n in shape) else shapes


def _check(
    case: Case, source: str, batch: list[str], expected: list[tuple[int, ...]], names: dict[str, Any]
) -> Attempt:
    empty = _with_batch(case, batch, 0)
    shapes, attempt = _attempt(empty, source, names)
    assert attempt.error is None and attempt.grad_error is None, f"{source}: {attempt.error or attempt.grad_error}"
    assert shapes == expected, source
    for name, grad in (attempt.grads or {}).items():
        assert grad is None or grad.shape == _shape(empty.inputs[name]), f"{source}: gradient of {name}"
    _lower_recorded()
    del attempt
    _forget_recorded()


@pytest.mark.parametrize("case", [*_cases()])
def test_of_no_images_as_of_some(case: Case) -> None:
    names = namespace()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for expr in case.exprs[:TRIED]:
            source = text(expr)
            shapes = {name: _shape(spec) for name, spec in used(case, source).items()}
            size = next((s[0] for s in shapes.values() if s), 0)
            if size == 0 or (isinstance(expr, Wrong) and expr.raises) or any(b in source for b in WITHOUT):
                continue
            batch = [name for name, s in shapes.items() if s and s[0] == size]
            expected = _said_by(case, source, batch, size, names)
            if expected is not None:
                _check(case, source, batch, expected, names)
                return
    pytest.skip("says nothing about batches")


def _zeros(*shape: int) -> Tensor:
    return Tensor(np.zeros(shape, np.float32))


_WHOLE = np.zeros((0, 5, 5), np.int32)
# Layers, and the shapes of their inputs: of no images, then of two.
LAYERS: dict[str, tuple[Callable[[], M.Module], tuple[int, ...]]] = {
    "Linear": (lambda: M.Linear(3, 4), (0, 3)),
    "Conv1d": (lambda: M.Conv1d(2, 4, 3), (0, 2, 8)),
    "Conv2d": (lambda: M.Conv2d(2, 4, 3, stride=2, padding=1), (0, 2, 8, 8)),
    "Conv2d, grouped": (lambda: M.Conv2d(4, 4, 3, groups=2), (0, 4, 8, 8)),
    "Conv2d, depthwise": (lambda: M.Conv2d(4, 8, 3, groups=4), (0, 4, 8, 8)),
    "Conv2d, pointwise": (lambda: M.Conv2d(4, 8, 1), (0, 4, 8, 8)),
    "Conv3d": (lambda: M.Conv3d(2, 4, 3), (0, 2, 4, 4, 4)),
    "ConvTranspose2d": (lambda: M.ConvTranspose2d(2, 4, 3, groups=2), (0, 2, 5, 5)),
    "LocalConv2d": (lambda: M.LocalConv2d(2, 4, 8, 8, 3), (0, 2, 8, 8)),
    "BatchNorm1d": (lambda: M.BatchNorm1d(2), (0, 2)),
    "BatchNorm2d": (lambda: M.BatchNorm2d(2), (0, 2, 3, 3)),
    "SyncBatchNorm": (lambda: M.SyncBatchNorm(2), (0, 2, 3, 3)),
    "ConvBnRelu2d": (lambda: M.ConvBnRelu2d(2, 4, 3), (0, 2, 8, 8)),
    "GroupNorm": (lambda: M.GroupNorm(2, 4), (0, 4, 3, 3)),
    "InstanceNorm": (lambda: M.InstanceNorm(4), (0, 4, 3, 3)),
    "LayerNorm": (lambda: M.LayerNorm(4), (0, 3, 4)),
    "GeneralNorm": (lambda: M.GeneralNorm(4, 1), (0, 4)),
    "PReLU": (lambda: M.PReLU(4), (0, 4, 3, 3)),
    "RNN": (lambda: _Only(M.RNN(3, 4, bidirectional=True)), (5, 0, 3)),
    "LSTM": (lambda: _Only(M.LSTM(3, 4, num_layers=2)), (5, 0, 3)),
    "LSTM, no steps": (lambda: _Only(M.LSTM(3, 4)), (0, 2, 3)),
    "MultiHeadAttention": (lambda: _Attend(), (0, 3, 4)),
    "MultiHeadAttention, no keys": (lambda: _Attend(), (2, 0, 4)),
    "DeformableConv2d": (lambda: _Deform(), (0, 2, 5, 5)),
    "RegionRestrictedConv": (lambda: _Regions(), (0, 2, 5, 5)),
}


class _Only(M.Module):
    """A recurrent layer without its states."""

    def __init__(self, layer: M.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0]


class _Attend(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = M.MultiHeadAttention(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x, x)[0]


class _Deform(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = M.DeformableConv2d(2, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, _zeros(len(x), 18, 3, 3), _zeros(len(x), 9, 3, 3))


class _Regions(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = M.RegionRestrictedConv(2, 4, 3, groups=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, Tensor(_WHOLE), Tensor(_WHOLE[:, :3, :3]))


def test_layers_learn_nothing_from_no_images() -> None:
    made = []
    for name, (make, shape) in LAYERS.items():
        layer, x = make(), _zeros(*shape)
        gm = GradManager().attach([x, *layer.parameters()])
        with gm:
            y = layer(x)
            gm.backward(y)
        assert y.size == 0, name
        made.append((name, layer, x))
    for name, layer, x in made:
        assert x.grad.shape == x.shape, name
        grads = {n: p.grad for n, p in layer.named_parameters()}
        assert any(g is not None for g in grads.values()), name
        for parameter, grad in grads.items():
            assert grad is None or not grad.numpy().any(), f"{name}: {parameter}"
        for buffer, value in layer.named_buffers():
            assert np.isfinite(value.numpy()).all(), f"{name}: {buffer}"


FUNCTIONS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "reshape": (lambda: _zeros(0, 3, 4).reshape(0, -1), (0, 12)),
    "reshape, split": (lambda: _zeros(0, 3, 4).reshape(0, 3, 2, -1), (0, 3, 2, 2)),
    "reshape, last": (lambda: F.reshape(_zeros(4, 0), (-1, 2, 0)), (2, 2, 0)),
    "softmax": (lambda: F.softmax(_zeros(0, 3), 0), (0, 3)),
    "split": (lambda: F.split(_zeros(0, 3), 2, 0)[1], (0, 3)),
    "correlation": (lambda: F.vision.correlation(_zeros(0, 2, 5, 5), _zeros(0, 2, 5, 5), 1, 1, 1, 1, 1), (0, 9, 5, 5)),
    "ctc_loss": (lambda: F.nn.ctc_loss(_zeros(3, 0, 4), *[Tensor(np.zeros(0, np.int32))] * 3, reduction="none"), (0,)),
    "roi_align": (lambda: F.vision.roi_align(_zeros(2, 3, 4, 4), _zeros(0, 5), 2), (0, 3, 2, 2)),
    "remap": (lambda: F.vision.remap(_zeros(0, 3, 4, 4), _zeros(0, 2, 2, 2)), (0, 3, 2, 2)),
    "warp": (lambda: F.vision.warp_perspective(_zeros(0, 3, 4, 4), _zeros(0, 3, 3), (2, 2)), (0, 3, 2, 2)),
    "dropout": (lambda: F.dropout(_zeros(0, 3), 0.5), (0, 3)),
    "normal": (lambda: random.normal(size=(0, 3)), (0, 3)),
    "matmul": (lambda: F.matmul(_zeros(4, 0), _zeros(0, 3)), (4, 3)),
}


def test_functions() -> None:
    made = {name: call() for name, (call, _) in FUNCTIONS.items()}
    for name, (_, shape) in FUNCTIONS.items():
        assert made[name].numpy().shape == shape, name
    assert not made["matmul"].numpy().any()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: F.reshape(_zeros(4, 0), (0, -1)), "beside a size of 0, what -1 stands for is left open"),
        (lambda: F.reshape(_zeros(2, 3), (0, -1)), r"cannot reshape \(2, 3\) \(6 elements\) to \(0, -1\)"),
        (lambda: F.max(_zeros(0, 3), 0), r"max of no elements: a tensor of shape \(0, 3\)"),
        (lambda: F.argmin(_zeros(2, 0), 1), "argmin of no elements"),
        (lambda: F.vision.roi_align(_zeros(0, 3, 4, 4), _zeros(1, 5), 2), "no pixels"),
        (
            lambda: F.deformable_psroi_pooling(
                _zeros(0, 4, 5, 5), _zeros(1, 5), _zeros(1, 2, 2, 2), True, 2, 2, 2, 2, 1.0
            ),
            "no pixels",
        ),
    ],
)
def test_what_means_nothing_is_refused_by_name(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(RuntimeError, match=said):
        call()


def test_a_training_step_of_no_images_changes_nothing() -> None:
    model = M.Sequential(M.Conv2d(1, 2, 3), M.BatchNorm2d(2), M.ReLU(), M.Linear(6, 3))
    optimizer = SGD(model.parameters(), lr=0.1)
    gm = GradManager().attach(model.parameters())
    before = {name: value.copy() for name, value in model.state_dict().items()}
    with gm:
        loss = F.nn.cross_entropy(model(_zeros(0, 1, 5, 8)).reshape(0, 3, 6), Tensor(np.zeros((0, 6), np.int32)))
        gm.backward(loss)
    optimizer.step().clear_grad()
    assert np.isnan(loss.item())  # a mean of nothing, as in MegEngine
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name], name)
