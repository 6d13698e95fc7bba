"""Every rule by which an op is written, against onnxruntime on the cases of ``tests/ops/signatures.txt``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor, onnx
from megengine.autodiff import GradManager
from megengine.graph.apply import apply
from megengine.graph.exchange import Model
from megengine.graph.infer import infer
from megengine.graph.ir import Equation, Function, Scalar, Var
from megengine.graph.value import aval
from megengine.jit import trace
from megengine.onnx.writing import RULES
from tests.ops.test_platforms import LINES, OPS, parsed

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

# Without a rule of their own: written by the primitives of JAX that they are made of.
DECOMPOSED = [
    "adam", "ctc_loss", "cvt_color", "deformable_conv2d", "deformable_psroi_pooling", "drop_where", "lamb_mixed",
    "region_restricted_conv", "remap", "roi_align", "sgd_momentum", "unscale", "warp",
]  # fmt: skip
REFUSED_OPS = ["batch_norm_training", "correlation", "matinv", "roi_pooling", "svd"]
DRAWN = {"normal", "uniform"}
# What these give depends on sizes that their operands hold: tried as parts of a program, below.
SIZED = {"arange_by", "broadcast_by", "leading", "linspace_by", "nms_places", "reshape_by", "true_places"}
# Halves go to the even integer there, and away from zero here.
STEPS = {"batch_conv_bias", "conv_bias", "quantize", "quantized_conv_transpose"}
# onnxruntime on the CPU has no kernel for these dtypes; the file is checked all the same.
NOT_RUN = {"sliding_window_transpose: float16"}
REFUSED = ("mean_pool: int8", "conv_transpose: int8")


def test_which_ops_have_a_rule() -> None:
    assert set(RULES) < set(OPS) and set(OPS) - set(RULES) >= {*DECOMPOSED, *REFUSED_OPS}
    assert len(RULES) == 170


def single(line: str) -> tuple[Model, list[np.ndarray], list[Any], list[np.ndarray]]:
    """A line of the table as a graph of one op, data for its inputs, the op's operands, and what it gives."""
    name, operands, attributes = parsed(line)
    rng, op = np.random.default_rng(0), OPS[name]
    floats, ints, inputs, data, given, graph = [], [], [], [], [], []
    for k, spec in enumerate(operands):
        if isinstance(spec, str):
            number: Any = 0.5 if spec == "f" else 1
            (floats if spec == "f" else ints).append(number)
            graph.append(Scalar(spec, len(floats if spec == "f" else ints) - 1))
            given.append(bool(number) if spec == "b" else number)
            continue
        if spec.dtype.kind in "fV":
            array = rng.uniform(0.1, 0.9, spec.shape)
        else:  # divisors and indices are in range
            array = rng.integers(name in ("mod", "floor_div"), 1 if name == "take_along" else 2, spec.shape)
        data.append(np.asarray(array, spec.dtype))
        inputs.append(Var(aval(tuple(spec.shape), spec.dtype), f"x{k}"))
        graph.append(inputs[-1])
        given.append(Tensor(data[-1], dtype=spec.dtype))
    if name == "assert_equal":
        data[1], given[1] = data[0], given[0]
    specs = tuple(o.aval if isinstance(o, Var) else o.kind for o in graph)
    signature = infer(op, op.in_order(attributes), specs)
    outputs = tuple(Var(a, f"y{k}") for k, a in enumerate(signature.avals))
    equation = Equation(signature, tuple(graph), outputs, 0, "program.py:1")
    model = Model(Function(inputs, [equation], outputs, len(floats), len(ints)), floats, ints)
    results = apply(op, *given, **attributes)
    return model, data, given, [r.numpy() for r in (results if isinstance(results, tuple) else (results,))]


def run(model: Any, data: list[np.ndarray]) -> list[np.ndarray]:
    """What onnxruntime makes of it."""
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = runtime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, dict(zip([i.name for i in session.get_inputs()], data, strict=True)))


@pytest.mark.parametrize("name", sorted(set(RULES) - DRAWN - SIZED))
def test_same_numbers_as_onnxruntime(name: str) -> None:
    lines = [line for line in LINES if line.partition(":")[0] == name and not line.startswith(REFUSED)]
    assert lines
    for line in lines:
        model, data, _, wanted = single(line)
        made = onnx.export(model, None)
        if line.startswith(tuple(NOT_RUN)):
            continue
        for found, want in zip(run(made, data), wanted, strict=True):
            assert (found.shape, found.dtype) == (want.shape, want.dtype), line
            near = 1e-3 if "float16" in line else 1e-5
            apart = 1 if name in STEPS else near
            np.testing.assert_allclose(found.astype("f8"), want.astype("f8"), near, apart, err_msg=line)


@pytest.mark.parametrize("opset", [13, 17, 20])
def test_other_versions_of_the_operators(opset: int) -> None:
    for name in (
        "mean",
        "sum",
        "max",
        "layer_norm",
        "gelu",
        "hswish",
        "split",
        "group_norm",
        "batch_norm",
        "expand_dims",
        "pad",
    ):
        line = next(line for line in LINES if line.startswith(f"{name}: float32"))
        model, data, _, wanted = single(line)
        made = onnx.export(model, None, opset=opset)
        assert made.opset_import[0].version == opset
        for found, want in zip(run(made, data), wanted, strict=True):
            np.testing.assert_allclose(found, want, 1e-5, 1e-5, err_msg=line)


@pytest.mark.parametrize("name", DECOMPOSED)
def test_ops_without_a_rule_by_primitives(name: str) -> None:
    for line in (found for found in LINES if found.startswith(f"{name}: float32")):
        model, data, _, wanted = single(line)
        for found, want in zip(run(onnx.export(model, None), data), wanted, strict=True):
            assert (found.shape, found.dtype) == (want.shape, want.dtype), line
            np.testing.assert_allclose(found, want, 1e-5, 1e-5, err_msg=line)


@pytest.mark.parametrize("name", REFUSED_OPS)
def test_what_has_no_form_is_refused_at_its_line(name: str) -> None:
    model, *_ = single(next(line for line in LINES if line.startswith(f"{name}: float32")))
    with pytest.raises(onnx.OnnxError, match=rf"the op {name} \(program.py:1\) cannot be written: \w+ of JAX"):
        onnx.export(model, None)


def test_what_a_rule_cannot_write_is_refused_at_its_line() -> None:
    model, *_ = single("mean_pool: int8[1,1,5,5]; window=(3,3) stride=(2,2) padding=(0,0) count_padding=True")
    with pytest.raises(onnx.OnnxError, match=r"mean_pool \(program.py:1\) cannot be written: the mean of integers"):
        onnx.export(model, None)


def gradient(x: Tensor) -> Tensor:
    with GradManager().attach([x]) as gm:
        gm.backward((x * x).sum())
    return x.grad


def test_gradients_are_refused_at_their_line() -> None:
    with pytest.raises(
        onnx.OnnxError, match=r"gradient of \w+ \(.*test_rules.py:\d+\): gradients have no form in ONNX"
    ):
        onnx.export(gradient, None, [np.ones(3, np.float32)])


def test_boxes_that_are_chosen_are_as_many_as_the_numbers_say() -> None:
    def chosen(boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        _, high = F.cond_take(scores > 0.3, scores)
        boxes, scores = boxes[high], scores[high]
        kept = F.vision.nms(boxes, scores, 0.5, max_output=12)
        return boxes[kept], scores[kept]

    rng, model = np.random.default_rng(0), None
    for _ in range(3):
        corners = rng.uniform(0, 1, (25, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(0.1, 0.5, (25, 2))], 1).astype(np.float32)
        scores = rng.uniform(0, 1, 25).astype(np.float32)
        model = model or onnx.export(chosen, None, [boxes, scores])
        wanted = chosen(Tensor(boxes), Tensor(scores))
        for found, want in zip(run(model, [boxes, scores]), wanted, strict=True):
            np.testing.assert_array_equal(found, want.numpy())


def test_sizes_that_are_no_multiple_of_the_batch_are_refused() -> None:
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(onnx.OnnxError, match=r"\(.*test_rules.py:\d+\) cannot be written: an attribute is|a size is"):
        onnx.export(lambda x: x.sum() + F.zeros((x.shape[0] ** 2,)), None, [x], dynamic_batch=True)
    with pytest.raises(onnx.OnnxError, match=r"cvt_color .* fixed sizes: export it with dynamic_batch=False"):
        onnx.export(
            lambda x: F.vision.cvt_color(x, "RGB2GRAY"), None, [np.zeros((2, 2, 2, 3), np.float32)], dynamic_batch=True
        )


@pytest.mark.parametrize(
    ("function", "first", "then"),
    [
        (lambda a, b: F.arange(a, b, 2), (1, 9), (0, 5)),
        (lambda a, n: F.linspace(a, 9, n), (1.0, 9), (3.0, 1)),
        (lambda a, n: F.broadcast_to(F.reshape(a, (n, -1)), (2, n, 1)), (3.0, 1), (4.0, 1)),
    ],
    ids=["arange", "linspace", "reshape and broadcast"],
)
def test_sizes_that_are_given(function: Any, first: tuple[Any, ...], then: tuple[Any, ...]) -> None:
    def arrays(args: tuple[Any, ...]) -> list[np.ndarray]:
        return [Tensor(a).numpy() for a in args]

    traced = trace(function, symbolic=True, capture_as_const=True)
    traced(*map(Tensor, arrays(first)))
    made = onnx.export(traced, None)
    for args in (first, then):
        (found,) = run(made, arrays(args))
        np.testing.assert_allclose(found, function(*map(Tensor, arrays(args))).numpy(), rtol=1e-6)
