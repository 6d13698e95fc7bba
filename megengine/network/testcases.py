"""Data to test a dump with, embedded in it: MegEngine's ``input_data`` of ``trace.dump``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..graph.exchange import Model
from ..graph.ir import Var
from ..logger import get_logger
from ..tensor import Tensor
from .running import Runnable

logger = get_logger(__name__)
_RANDOM = re.compile(r"^#rand\(([-0-9.]*)\s*,\s*([-0-9.]*)\s*(,[^\)]+)?\)$")
EXPECTED = ":expect"


def with_tests(
    model: Model,
    specs: Sequence[str] | str,
    repeat: int = 1,
    no_assert: bool = False,
    resize_input: bool = False,
    input_transform: str | None = None,
) -> Model:
    """The model with test data, and what it computes of them, as ``name:expect``.

    Args:
        model: the model.
        specs: ``"var0:file0;var1:file1"``, ``"#rand(min, max, shape...)"``, or ``"@file"`` with one of these a line.
        repeat: how often data of files are repeated along the first axis.
        no_assert: without the results.
        resize_input: make images as large as the input.
        input_transform: a Python expression of ``data`` and ``np`` that makes the input of what is in a file.

    Raises:
        ValueError: a spec is none of these, or there are none.
    """
    inputs = {var.name: var for var in model.function.inputs}
    tests = []
    for spec in _lines([specs] if isinstance(specs, str) else specs):
        test = {}
        for name, path in _paths(spec, list(inputs)):
            test[name] = _data(inputs[name], path, repeat, resize_input, input_transform)
        if not no_assert:
            outs = Runnable(model)([Tensor(test[name], dtype=var.aval.dtype) for name, var in inputs.items()])
            named = zip(model.function.outputs, outs, strict=True)
            test.update({f"{var.name or k}{EXPECTED}": out.numpy() for k, (var, out) in enumerate(named)})
        tests.append(test)
        logger.info("add testcase: %s", {name: array.shape for name, array in test.items()})
    if not tests:
        raise ValueError("testcases can not be empty")
    return replace(model, tests=tests)


def _lines(specs: Sequence[str]) -> Iterator[str]:
    for spec in specs:
        if spec.startswith("@"):
            with open(spec[1:]) as file:
                yield from (line.rstrip() for line in file if line.strip())
        else:
            yield spec


def _paths(spec: str, names: Sequence[str]) -> list[tuple[str, str]]:
    """Which data each input gets."""
    parts = spec.split(";")
    if len(parts) == 1 and parts[0].startswith("#"):
        return [(name, parts[0]) for name in names]
    if len(parts) == 1 and ":" not in parts[0] and len(names) == 1:
        return [(names[0], parts[0])]
    found = [tuple(part.split(":", 1)) for part in parts]
    if sorted(f[0] for f in found) != sorted(names) or any(len(f) != 2 for f in found):
        raise ValueError(f"required inputs: {list(names)}; data paths: {parts}")
    return found  # type: ignore[return-value]


def _data(var: Var, path: str, repeat: int, resize: bool, transform: str | None) -> np.ndarray:
    shape, dtype = var.aval.shape, var.aval.dtype
    if path.startswith("#"):
        return _random(path, shape).astype(dtype)
    data = np.load(path) if path.endswith(".npy") else _image(path, shape, resize)
    data = np.repeat(data, repeat, axis=0)
    if len(shape) != data.ndim:
        raise ValueError(f"input/data shapes mismatch: {shape} vs {data.shape}")
    if transform:
        data = eval(transform, {"data": data, "np": np})
    return np.asarray(data, dtype)


def _random(spec: str, shape: tuple[int, ...]) -> np.ndarray:
    match = _RANDOM.match(spec)
    if match is None:
        raise ValueError(f"bad spec {spec}: it is #rand(min, max) or #rand(min, max, shape...)")
    low, high, sizes = match.groups()
    if sizes:
        given = [s.strip() for s in sizes[1:].split(",")]
        rest = list(shape[len(given) - 1 :]) if given[-1] == "..." else []
        shape = (*map(int, given[: -1 if given[-1] == "..." else None]), *rest)
    return np.random.default_rng().uniform(float(low), float(high), shape)


def _image(path: str, shape: tuple[int, ...], resize: bool) -> np.ndarray:
    """An image as a batch of one, in the layout and size of an input."""
    from ..data.opencv import opencv, read_image

    channels_first = len(shape) == 4 and shape[1] in (1, 3)
    gray = (shape[1] if channels_first else shape[-1]) == 1
    image = read_image(path, gray)
    if resize:
        height, width = shape[2:] if channels_first else shape[1:3]
        image = opencv("resizing pictures").resize(image, (width, height))
    batch = image.reshape(1, *image.shape[:2], -1)
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2) if channels_first else batch)
