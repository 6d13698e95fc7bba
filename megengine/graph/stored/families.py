"""The file of stored traces: what is in it for an operator's signature, if it was made of today's sources."""

from __future__ import annotations

import enum
import hashlib
import pickle
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax

from ..identity import Nameless, named, plain

FOLDER = Path(__file__).resolve().parent
PACKAGE = FOLDER.parent.parent
# Beside the files that declare an op and those that these import: what a trace looks like is decided here.
MEANING = tuple(f"graph/{m}.py" for m in ("traced", "polymorphic", "template", "symbols", "elementwise", "stored/jaxprs"))
# What entries have in common is told by so many of them, of so many bytes each; zlib takes no more than the last.
SAMPLES, SAMPLE, DICTIONARY = 64, 1024, 1 << 15
MOST_OPERANDS = 16  # to name more takes longer than to trace them
_LENGTH = struct.Struct("<I")
# Settings of JAX that become part of what is traced, as they were then; under others nothing is used.
SETTINGS = {
    "jax_default_matmul_precision": "float32",
    "jax_enable_x64": "False",
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
}
enabled = True  # whether what is stored is used


@dataclass(frozen=True)
class Kept:
    """What was traced once and serves many signatures.

    Attributes:
        example: the sizes of a signature that it was traced for.
        texts: each size of a signature as text, of symbols where it may differ.
        values: of the symbols in that example.
        content: what whoever traced it has written down.
    """

    example: tuple[int, ...]
    texts: tuple[str, ...]
    values: tuple[int, ...]
    content: Any


class File:
    """A file of stored traces: a head, which is read whole, and the entries, each of which is read when it is asked for.

    Args:
        path: of the file.

    Raises:
        OSError: there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            self._start = _LENGTH.size + _LENGTH.unpack(file.read(_LENGTH.size))[0]
            head = pickle.loads(file.read(self._start - _LENGTH.size))
        self._digests, self._sources, self._words, self._entries = head
        self._current: dict[int, bool] = {}

    def entry(self, name: bytes) -> list[Kept]:
        """What there is for a family, if the sources are those that it was traced from."""
        if name not in self._entries:
            return []
        group, start, length = self._entries[name]
        if group not in self._current:
            self._current[group] = self._are_current(self._sources[group])
        if not self._current[group]:
            return []
        with self._path.open("rb") as file:
            file.seek(self._start + start)
            content = file.read(length)
        fields = pickle.loads(zlib.decompressobj(zdict=self._words).decompress(content))
        return [Kept(*values) for values in fields]

    @property
    def names(self) -> list[bytes]:
        """Of all families."""
        return list(self._entries)

    def is_current(self) -> bool:
        """Whether all of it was traced from the sources that are there."""
        return self._are_current(self._digests)

    def _are_current(self, files: Iterable[str]) -> bool:
        return all(digest_of(file) == self._digests[file] for file in files)


def write(found: Mapping[bytes, tuple[tuple[str, ...], Sequence[Kept]]], to: Path) -> None:
    """Write a file, beside and then in the place of what is there.

    Args:
        found: by the name of a family the source files that give it its meaning, and what is kept for it.
        to: the file.
    """
    groups = {sources: k for k, sources in enumerate(sorted({sources for sources, _ in found.values()}))}
    digests = {file: digest_of(file) for file in sorted({file for sources in groups for file in sources})}
    contents = {name: pickle.dumps([_fields(k) for k in kept], 5) for name, (_, kept) in sorted(found.items())}
    every = max(1, len(contents) // SAMPLES)
    words = b"".join(content[:SAMPLE] for content in list(contents.values())[::every])[-DICTIONARY:]
    entries, parts, start = {}, [], 0
    for name, content in contents.items():
        compressor = zlib.compressobj(9, zdict=words)
        parts.append(compressor.compress(content) + compressor.flush())
        entries[name] = groups[found[name][0]], start, len(parts[-1])
        start += len(parts[-1])
    head = pickle.dumps((digests, list(groups), words, entries), 5)
    beside = to.with_suffix(".new")
    beside.write_bytes(_LENGTH.pack(len(head)) + head + b"".join(parts))
    beside.replace(to)


def _fields(kept: Kept) -> tuple[Any, ...]:
    return kept.example, kept.texts, kept.values, kept.content


def find(identity: str, *parts: Any) -> list[Kept]:
    """What is stored for the signatures of an op that differ in sizes only.

    Args:
        identity: the op's.
        parts: what the signatures have in common.
    """
    file = _file() if enabled and len(parts[-1]) <= MOST_OPERANDS and has_settings() else None
    name = name_of(identity, parts) if file is not None else None
    return file.entry(name) if file is not None and name is not None else []


def has_settings() -> bool:
    """Whether JAX is set as it was when the traces were made."""
    return _are_those(settings())


def settings() -> tuple[Any, ...]:
    """Those that become part of what is traced, in this thread."""
    return tuple([getattr(jax.config, name) for name in SETTINGS])


@cache
def _are_those(values: tuple[Any, ...]) -> bool:
    return [getattr(value, "value", str(value)) for value in values] == list(SETTINGS.values())


def name_of(identity: str, parts: Any) -> bytes | None:
    """A name for the signatures of an op that have these parts in common, which is the same in every process."""
    try:
        text = repr((named(identity), _named(parts)))
    except Nameless:
        return None
    return hashlib.blake2b(text.encode(), digest_size=12).digest()


def _named(value: Any) -> Any:
    if isinstance(value, type):
        return "type", value.__qualname__
    if isinstance(value, tuple) and not isinstance(value, enum.Enum):
        return tuple(map(_named, value))
    return plain(value)


def path() -> Path:
    """The file for the version of JAX that runs."""
    return FOLDER / f"jax-{jax.__version__}.traces"


@cache
def _file() -> File | None:
    try:
        return File(path())
    except FileNotFoundError:  # there is none for this version of JAX
        return None


@cache
def digest_of(file: str) -> bytes:
    """Of a source file of the package; empty where its text is not there."""
    try:
        return hashlib.blake2b((PACKAGE / file).read_bytes(), digest_size=12).digest()
    except OSError:
        return b""
