"""ONNX's own node tests, run by what ``megengine.onnx.load`` makes of them; prints how many pass.

    python -m tests.onnx.node_tests [--only PART_OF_A_NAME] [--failures]

A test is left out whose operator has no rule, or whose tensors have elements that tensors here do not have.
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from megengine import Tensor, onnx
from megengine.onnx.package import OnnxError
from megengine.onnx.reading.types import dtype_of

RANDOM = ("test_training_dropout", "test_bernoulli")  # how their names begin


def cases() -> Iterator[Any]:
    """The cases that the package ``onnx`` comes with."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield from load_model_tests(kind="node")


def arrays(value: Any) -> Any:
    """Tensors as arrays, in lists too."""
    if isinstance(value, (list, tuple)):
        return [arrays(v) for v in value]
    return value.numpy() if isinstance(value, Tensor) else np.asarray(value)


def as_array(value: Any) -> Any:
    """A tensor of a case as an array."""
    from onnx import TensorProto, numpy_helper

    if isinstance(value, TensorProto):
        dtype_of(value.data_type)
        return numpy_helper.to_array(value)
    return value


def differs(found: Any, wanted: Any, case: Any) -> str:
    """What is wrong with a result, or nothing."""
    if isinstance(wanted, (list, tuple)):
        if len(found) != len(wanted):
            return f"{len(found)} elements, not {len(wanted)}"
        return next(filter(None, (differs(f, w, case) for f, w in zip(found, wanted, strict=True))), "")
    if found.shape != wanted.shape:
        return f"shape {found.shape}, not {wanted.shape}"
    kinds = {"i": "iu", "u": "iu", "f": "fV", "V": "fV"}
    if found.dtype.kind not in kinds.get(wanted.dtype.kind, wanted.dtype.kind):
        return f"dtype {found.dtype}, not {wanted.dtype}"
    narrow = wanted.dtype.kind == "V" or wanted.dtype.name == "bfloat16"
    rtol, atol = (1e-2, 1e-2) if narrow else (max(case.rtol, 1e-3), max(case.atol, 1e-5))
    if np.allclose(found.astype("f8"), wanted.astype("f8"), rtol, atol, equal_nan=True):
        return ""
    return f"numbers differ by {np.nanmax(np.abs(found.astype('f8') - wanted.astype('f8')))}"


def outcome(case: Any) -> tuple[str, str]:
    """``passed``, ``failed`` or ``left out``, and why."""
    if case.name.startswith(RANDOM) and "ratio" not in case.name:
        return "left out", "numbers that NumPy drew"
    try:
        net = onnx.load(case.model)
        for inputs, outputs in case.data_sets:
            found = net(*map(as_array, inputs))
            found = arrays(found if isinstance(found, tuple) else (found,))
            for f, w in zip(found, map(as_array, outputs), strict=True):
                if wrong := differs(f, w, case):
                    return "failed", wrong
    except OnnxError as error:
        return "left out", str(error)
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"
    return "passed", ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="run cases whose name holds this")
    parser.add_argument("--failures", action="store_true", help="print each failure")
    args = parser.parse_args()
    tally: Counter[str] = Counter()
    reasons: dict[str, list[str]] = defaultdict(list)
    for case in cases():
        if args.only in case.name:
            result, why = outcome(case)
            tally[result] += 1
            if result == "failed" and args.failures:
                print(f"FAILED {case.name}: {why[:200]}", flush=True)
            elif result == "left out":
                reasons[why].append(case.name)
    for why, names in sorted(reasons.items(), key=lambda item: -len(item[1])):
        print(f"left out, {len(names)}: {why}")
    print(dict(tally))


if __name__ == "__main__":
    main()
