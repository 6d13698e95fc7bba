"""Rules of JAX's primitives that read and write at computed places."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..package import OnnxError
from .graph import Graph
from .jaxprs import primitive


@primitive("dynamic_slice")
def _dynamic_slice(g: Graph, e: Any, inputs: list[str]) -> str:
    x, *starts = inputs
    shape, sizes = e.invars[0].aval.shape, e.params["slice_sizes"]
    most = g.ints(*(n - s for n, s in zip(shape, sizes, strict=True)))
    vector = g.op("Concat", *(g.unsqueeze(g.cast(s, np.int64), 0) for s in starts), axis=0) if len(starts) > 1 else (
        g.unsqueeze(g.cast(starts[0], np.int64), 0)
    )  # fmt: skip
    first = g.op("Max", g.op("Min", vector, most), g.ints(*[0] * len(sizes)))
    return g.slice(x, first, g.op("Add", first, g.ints(*sizes)), range(len(sizes)))


class _Places:
    """The places in a flat array that a gather reads, or a scatter writes.

    Args:
        shape: of the array.
        windows: sizes of the windows.
        dims: of what is read or written, which are within windows.
        missing: of the array, of which windows have none.
        mapped: of the array, that the columns of indices are of.
        batched: of the array and of the indices, which go together.
    """

    def __init__(
        self, g: Graph, indices: str, index_shape: Any, shape: Any, windows: Any, out_shape: Any, dims: Any, missing: Any,
        mapped: Any, batched: tuple[Any, Any],
    ) -> None:  # fmt: skip
        self.g, self.rank = g, len(out_shape)
        outer = [k for k in range(self.rank) if k not in dims]
        strides = np.cumprod([1, *shape[:0:-1]])[::-1]
        inner = iter(dims)
        fixed, parts, self.inside = np.zeros((1,) * self.rank, np.int64), [], ""
        wide = [out_shape[k] if k in outer else 1 for k in range(self.rank)]
        for d, size in enumerate(shape):
            if d in mapped:
                column = g.op("Gather", g.cast(indices, np.int64), g.const(np.array(list(mapped).index(d))), axis=-1)
                start = g.reshape(column, wide)
                most = size - windows[d]
                clipped = g.op("Max", g.op("Min", start, g.const(np.array(most))), g.const(np.array(0)))
                self._and(g.op("Equal", start, clipped))
                parts.append(g.op("Mul", clipped, g.const(np.array(int(strides[d])))))
            if d in batched[0]:
                place = list(batched[1])[list(batched[0]).index(d)]
                fixed = fixed + self._along(outer[place], size) * int(strides[d])
            elif d not in missing:
                fixed = fixed + self._along(next(inner), windows[d]) * int(strides[d])
        total = g.const(fixed)
        for part in parts:
            total = g.op("Add", total, part)
        self.places = g.op("Expand", total, g.ints(*out_shape))

    def _along(self, axis: int, size: int) -> np.ndarray:
        wide = [1] * self.rank
        wide[axis] = -1
        return np.arange(size, dtype=np.int64).reshape(wide)

    def _and(self, mask: str) -> None:
        self.inside = self.g.op("And", self.inside, mask) if self.inside else mask


def _is(mode: Any, name: str) -> bool:
    return name in str(mode).upper()


@primitive("gather")
def _gather(g: Graph, e: Any, inputs: list[str]) -> str:
    d, p = e.params["dimension_numbers"], e.params
    x, index = (v.aval for v in e.invars)
    out = e.outvars[0].aval
    missing = (*d.collapsed_slice_dims, *d.operand_batching_dims)
    batched = d.operand_batching_dims, d.start_indices_batching_dims
    where = _Places(
        g, inputs[1], index.shape, x.shape, p["slice_sizes"], out.shape, d.offset_dims, missing, d.start_index_map, batched
    )  # fmt: skip
    found = g.op("Gather", g.op("Reshape", inputs[0], g.ints(-1)), where.places, axis=0)
    if not _is(p["mode"], "FILL") or not where.inside:
        return found
    fill = p["fill_value"]
    if fill is None:
        fill = (
            np.nan
            if np.dtype(out.dtype).kind == "f"
            else np.iinfo(out.dtype).min
            if np.dtype(out.dtype).kind == "i"
            else 1
        )
    return g.op("Where", where.inside, found, g.like(fill, out.dtype))


@primitive("scatter", "scatter-add")
def _scatter(g: Graph, e: Any, inputs: list[str]) -> str:
    """What lies outside goes to one more element, which is then cut off."""
    if g.opset < 16:
        raise OnnxError("it needs opset 16")
    d, p = e.params["dimension_numbers"], e.params
    x, index, updates = (v.aval for v in e.invars)
    missing = (*d.inserted_window_dims, *d.operand_batching_dims)
    sizes = iter(updates.shape[k] for k in d.update_window_dims)
    windows = [1 if k in missing else next(sizes) for k in range(len(x.shape))]
    batched = d.operand_batching_dims, d.scatter_indices_batching_dims
    where = _Places(
        g, inputs[1], index.shape, x.shape, windows, updates.shape, d.update_window_dims, missing, d.scatter_dims_to_operand_dims,
        batched,
    )  # fmt: skip
    total = int(np.prod(x.shape))
    places = where.places
    if where.inside and not _is(p["mode"], "CLIP"):
        places = g.op("Where", where.inside, places, g.const(np.array(total)))
    flat = g.op("Concat", g.op("Reshape", inputs[0], g.ints(-1)), g.const(np.zeros(1, x.dtype)), axis=0)
    rows = [g.op("Reshape", v, g.ints(-1)) for v in (places, inputs[2])]
    reduction = "add" if e.primitive.name == "scatter-add" else "none"
    return g.reshape(
        g.slice(g.op("ScatterElements", flat, *rows, axis=0, reduction=reduction), [0], [total], [0]), x.shape
    )
