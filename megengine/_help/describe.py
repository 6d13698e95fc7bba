"""Words for objects in the representations of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def described(thing: Any) -> str:
    """An object's own representation where its class writes one, else its class and how many samples it has."""
    kind = type(thing)
    if kind.__repr__ is not object.__repr__:
        text = repr(thing)
        return text if len(text) <= 80 and "\n" not in text else kind.__name__ + counted(thing)
    return kind.__name__ + counted(thing)


def counted(thing: Any) -> str:
    """`` of 3 samples`` for what has a length, and nothing for what has none."""
    try:
        count = len(thing)
    except (TypeError, AssertionError, NotImplementedError, AttributeError):
        return ""  # a stream says so in one of these ways
    return f" of {plural(count, 'sample')}"


def plural(count: int, noun: str) -> str:
    """``1 sample``, ``2,000 samples``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def settings(values: Mapping[str, Any]) -> str:
    """``lr=0.1, momentum=0.9``."""
    return ", ".join(f"{name}={value!r}" for name, value in values.items())
