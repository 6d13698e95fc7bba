"""Checkpoints of tensors that are divided among devices: every device's part in a file of its own, none of them gathered.

A folder holds ``index.json``, which has the state with numbers for its tensors and where the pieces of each are, and files of
pieces in the safetensors format. Orbax would do that and much more, for the price of a dozen packages.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from .._support.files import write_atomically
from ..graph.exchange import GraphFileError
from ..graph.exchange.weights import pack, unpack_lazily
from ..graph.partition import Piece, is_shared, laid_out_as, pieces_of
from ..graph.spanning import compare, is_first
from ..tensor import Tensor
from .errors import CheckpointError

__all__ = ["load_sharded", "save_sharded"]

FORMAT, VERSION = "megengine-xla sharded checkpoint", 1
_PLAIN = (type(None), bool, int, float, str)


def save_sharded(state: Any, folder: str | os.PathLike[str]) -> None:
    """Save nested dicts and lists of tensors, each device's part of them in a file of its own.

    A folder that holds such a checkpoint holds the old one until the new one is whole. Where tensors are divided among processes,
    all of these call it, with one folder that all can write, and each writes its parts; it returns when the checkpoint is whole.

    Args:
        state: dicts, lists and tuples of tensors, arrays, numbers and texts, such as ``module.state_dict(keep_var=True)``.
        folder: made if it is not there.

    Raises:
        TypeError: the state holds something else; the message says where.
        OSError: the folder cannot be written.
        CheckpointError: another process cannot write its part, or saves another state.

    Example:
        >>> net = M.Linear(2, 3)
        >>> megengine.serialization.save_sharded(net.state_dict(keep_var=True), "checkpoint")
        >>> sorted(megengine.serialization.load_sharded("checkpoint"))
        ['bias', 'weight']
    """
    place = Path(folder)
    together = any(is_shared(tensor) for tensor in _tensors(state))
    tensors: list[dict[str, Any]] = []
    parts: dict[int, dict[str, np.ndarray]] = {}
    tree = _written(state, "state", tensors, parts, together)
    known = {"format": FORMAT, "version": VERSION, "tensors": tensors, "state": tree}
    token = _agreed(secrets.token_hex(4), known) if together else secrets.token_hex(4)
    with _all_or_none("the parts of a sharded checkpoint", together):
        place.mkdir(parents=True, exist_ok=True)
        for number, arrays in parts.items():
            write_atomically(place / _name(token, number), pack(arrays))
    with _all_or_none("the index of a sharded checkpoint", together):
        if not together or is_first():
            _finish(place, token, known)


def _finish(place: Path, token: str, known: dict[str, Any]) -> None:
    """Write the index, by which the new checkpoint takes the place of the old one."""
    for number in {piece[0] for entry in known["tensors"] for piece in entry["pieces"]}:
        if not (place / _name(token, number)).is_file():
            raise FileNotFoundError(f"{place / _name(token, number)}: the folder is not the same one for all processes")
    write_atomically(place / "index.json", json.dumps({**known, "part": token}))
    for path in place.glob("part-*-*.safetensors"):
        if not path.name.startswith(f"part-{token}-"):
            path.unlink()


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors of a state."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def _agreed(token: str, known: dict[str, Any]) -> str:
    """The token of the first process, if all save the same."""
    digest = hashlib.sha256(json.dumps(known).encode()).hexdigest()
    told = compare("save_sharded", [token, digest])
    for rank, (_, theirs) in told.items():
        if theirs != digest:
            raise CheckpointError(f"rank {rank} saves another state than this process: names, shapes or numbers differ")
    found: str = told[min(told)][0]
    return found


@contextmanager
def _all_or_none(what: str, together: bool) -> Iterator[None]:
    """A block that fails in all processes if it fails in one."""
    error = None
    try:
        yield
    except OSError as failed:
        error = failed
    if together:
        for rank, said in compare(f"save_sharded: {what}", None if error is None else str(error)).items():
            if said is not None and error is None:
                raise CheckpointError(f"rank {rank} could not write {what}: {said}")
    if error is not None:
        raise error


def _name(token: str, number: int) -> str:
    return f"part-{token}-{number}.safetensors"


def _written(
    value: Any, where: str, tensors: list[dict[str, Any]], parts: dict[int, dict[str, np.ndarray]], together: bool
) -> Any:
    """A value as JSON; its tensors are added to the lists."""
    if isinstance(value, dict):
        return {"dict": [[key, _written(v, f"{where}[{key!r}]", tensors, parts, together)] for key, v in value.items()]}
    if isinstance(value, (list, tuple)):
        items = [_written(v, f"{where}[{k}]", tensors, parts, together) for k, v in enumerate(value)]
        return {type(value).__name__ if type(value) in (list, tuple) else "tuple": items}
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        number = len(tensors)
        pieces: list[list[Any]] = []
        for device, start, shape, elements in _pieces(value, together):
            name = f"{number}.{len(pieces)}"
            if elements is not None:
                parts.setdefault(device, {})[name] = elements
            pieces.append([device, name, list(start), list(shape)])
        tensors.append({"shape": list(value.shape), "dtype": np.dtype(value.dtype).name, "pieces": pieces})
        return {"tensor" if isinstance(value, Tensor) else "array": number}
    if isinstance(value, _PLAIN):
        return {"value": value}
    raise TypeError(f"a sharded checkpoint cannot hold {where}, a {type(value).__name__}")


def _pieces(value: Any, together: bool) -> Iterable[Piece]:
    if isinstance(value, Tensor):
        return pieces_of(value, together)
    elements = None if together and not is_first() else np.asarray(value)
    return [Piece(0, (0,) * value.ndim, value.shape, elements)]


def load_sharded(folder: str | os.PathLike[str], like: Any = None) -> Any:
    """Load what :func:`save_sharded` saved, on any number of devices.

    Args:
        folder: of the checkpoint.
        like: a state of the same structure: a tensor is divided as the one at its place there is, and each device reads its part
            only. Default: none is divided

    Returns:
        the state for ``load_state_dict``: tensors that are divided as such, the others as arrays.

    Raises:
        CheckpointError: the folder holds no whole checkpoint, or one of a newer version.
        OSError: it cannot be read.

    Example:
        >>> net, other = M.Linear(2, 3), M.Linear(2, 3)
        >>> megengine.serialization.save_sharded(net.state_dict(keep_var=True), "checkpoint")
        >>> state = megengine.serialization.load_sharded("checkpoint", like=other.state_dict(keep_var=True))
        >>> other.load_state_dict(state)
        >>> bool((net.weight.numpy() == other.weight.numpy()).all())
        True
    """
    place = Path(folder)
    try:
        index = json.loads((place / "index.json").read_text(encoding="utf-8"))
        if index["format"] != FORMAT:
            raise ValueError(f"its format is {index['format']!r}")
        if index["version"] > VERSION:
            raise CheckpointError(
                f"cannot load {folder}: it was written by a newer release, in version {index['version']}"
            )
        return _Reader(place, index).read(index["state"], like)
    except (ValueError, KeyError, TypeError, IndexError, GraphFileError) as error:
        raise CheckpointError(f"cannot load {folder}: it is no whole sharded checkpoint: {error}") from error


class _Reader:
    """The pieces of a checkpoint."""

    def __init__(self, place: Path, index: dict[str, Any]) -> None:
        self.place = place
        self.token = index["part"]
        self.tensors = index["tensors"]
        self.parts: dict[int, dict[str, np.ndarray]] = {}

    def read(self, node: dict[str, Any], like: Any) -> Any:
        ((kind, value),) = node.items()
        if kind == "dict":
            known = like if isinstance(like, dict) else {}
            return {key: self.read(of, known.get(key)) for key, of in value}
        if kind in ("list", "tuple"):
            beside = like if isinstance(like, (list, tuple)) and len(like) == len(value) else [None] * len(value)
            items = [self.read(of, one) for of, one in zip(value, beside, strict=True)]
            return items if kind == "list" else tuple(items)
        if kind == "value":
            return value
        entry = self.tensors[value]
        shape, dtype = tuple(entry["shape"]), np.dtype(getattr(ml_dtypes, entry["dtype"], entry["dtype"]))
        whole = tuple(slice(0, n) for n in shape)
        divided = None
        if kind == "tensor" and isinstance(like, Tensor) and like.shape == shape:
            divided = laid_out_as(like, dtype, lambda index: self.part_of(entry, _filled(index, shape), dtype))
        return self.part_of(entry, whole, dtype) if divided is None else divided

    def part_of(self, entry: dict[str, Any], wanted: tuple[slice, ...], dtype: np.dtype) -> np.ndarray:
        """The elements within these bounds, of the pieces that have some of them."""
        out = np.empty([s.stop - s.start for s in wanted], dtype)
        found = 0
        for number, name, start, shape in entry["pieces"]:
            common = [slice(max(s.start, a), min(s.stop, a + n)) for s, a, n in zip(wanted, start, shape, strict=True)]
            if all(s.start < s.stop for s in common):
                target = tuple(slice(c.start - s.start, c.stop - s.start) for c, s in zip(common, wanted, strict=True))
                source = tuple(slice(c.start - a, c.stop - a) for c, a in zip(common, start, strict=True))
                out[target] = self.part(number)[name][source]
                found += prod(c.stop - c.start for c in common)
        if found != out.size:
            raise ValueError(f"{out.size - found} elements of a tensor of shape {tuple(entry['shape'])} are missing")
        return out

    def part(self, number: int) -> dict[str, np.ndarray]:
        if number not in self.parts:
            path = self.place / _name(self.token, number)
            if not path.is_file():
                raise ValueError(f"{path.name} is missing")
            self.parts[number] = unpack_lazily(path)
        return self.parts[number]


def _filled(index: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(*s.indices(n)[:2]) for s, n in zip(index, shape, strict=True))
