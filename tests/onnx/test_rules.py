"""Every rule by which an op is written, against onnxruntime on the cases of ``tests/ops/signatures.txt``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from megengine import Tensor, onnx
from megengine.graph.apply import apply
from megengine.graph.exchange import Model
from megengine.graph.infer import infer
from megengine.graph.ir import Equation, Function, Scalar, Var
from megengine.graph.value import aval
from megengine.onnx.writing import RULES
from tests.ops.test_platforms import LINES, OPS, parsed

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

# What trains, draws or decomposes, and what has no form in ONNX: a call of it is refused at its line.
WITHOUT_RULE = {
    "adadelta", "adagrad", "adam", "adamw", "batch_norm_training", "beta", "complex", "correlation", "ctc_loss", "cvt_color",
    "deformable_conv2d", "deformable_psroi_pooling", "drop_where", "dropout", "gamma", "imag", "lamb", "lamb_mixed", "matinv",
    "poisson", "polar", "real", "region_restricted_conv", "remap", "roi_align", "roi_pooling", "sgd", "sgd_momentum", "svd",
    "unscale", "warp",
}  # fmt: skip
DRAWN = {"normal", "uniform"}
# onnxruntime on the CPU has no kernel for these dtypes; the file is checked all the same.
NOT_RUN = {"sliding_window_transpose: float16"}
REFUSED = ("mean_pool: int8", "conv_transpose: int8")


def test_which_ops_have_a_rule() -> None:
    assert set(RULES) < set(OPS) and set(OPS) - set(RULES) >= WITHOUT_RULE
    assert len(RULES) == 153


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


@pytest.mark.parametrize("name", sorted(set(RULES) - DRAWN))
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
            np.testing.assert_allclose(found.astype("f8"), want.astype("f8"), near, near, err_msg=line)


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


def test_what_has_no_rule_is_refused_at_its_line() -> None:
    model, *_ = single("matinv: float32[2,2,2]")
    with pytest.raises(onnx.OnnxError, match=r"the op matinv \(program.py:1\) has no form in ONNX"):
        onnx.export(model, None)
    model, *_ = single("mean_pool: int8[1,1,5,5]; window=(3,3) stride=(2,2) padding=(0,0) count_padding=True")
    with pytest.raises(onnx.OnnxError, match=r"mean_pool \(program.py:1\) cannot be written: the mean of integers"):
        onnx.export(model, None)
