"""Products of matrices."""

from __future__ import annotations

from typing import Any

from ... import functional as F
from ...graph.apply import apply
from ...ops.linalg import einsum
from ...tensor import Tensor
from .rules import Node, computes


@computes("MatMul")
def _matmul(e: Node) -> Any:
    x, y = e.tensors()
    return F.matmul(x, y)


@computes("Gemm")
def _gemm(e: Node) -> Any:
    x, y = e.tensor(0), e.tensor(1)
    if not e.get("transA", 0) and e.get("transB", 0) and e.get("alpha", 1.0) == e.get("beta", 1.0) == 1.0:
        if e.has(2) and e.inputs[2].ndim == 1 and x.dtype.kind == "f":
            return F.linear(x, y, e.tensor(2))
    product = F.matmul(x, y, transpose_a=bool(e.get("transA", 0)), transpose_b=bool(e.get("transB", 0)))
    product = _scaled(product, e.get("alpha", 1.0))
    return product + _scaled(e.tensor(2), e.get("beta", 1.0)) if e.has(2) else product


def _scaled(x: Tensor, factor: float) -> Tensor:
    return x if factor == 1 else x * (factor if x.dtype.kind == "f" else int(factor))


@computes("Einsum")
def _einsum(e: Node) -> Any:
    return apply(einsum, *e.tensors(), equation=e.get("equation").replace(" ", ""))


@computes("MatMulInteger")
def _matmul_integer(e: Node) -> Any:
    x, y = (e.tensor(k).astype("int32") for k in (0, 1))
    if e.has(2):
        zero = e.tensor(2).astype("int32")
        x = x - (F.expand_dims(zero, -1) if zero.ndim == 1 and zero.size > 1 else zero)
    if e.has(3):
        y = y - e.tensor(3).astype("int32")
    return F.matmul(x, y)
