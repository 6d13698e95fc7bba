"""What the devices of a partitioned program exchange, read from what XLA compiled."""

from __future__ import annotations

import re
from collections import Counter
from math import prod
from typing import Any

_KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
_CALL = re.compile(rf"= (.+?) ({_KINDS})(-start)?\(")
_ARRAY = re.compile(r"([a-z]+)(\d*)[a-z0-9]*\[([\d,]*)\]")


def collectives_of(executable: Any) -> Counter[str]:
    """Bytes that each device receives in a run of an executable, by the kind of collective."""
    return sum((collectives_in(module.to_string()) for module in executable.hlo_modules()), Counter())


def collectives_in(text: str) -> Counter[str]:
    """The same of a program as HLO; what is within a loop counts once."""
    found: Counter[str] = Counter()
    for result, kind, begins in _CALL.findall(text):
        received = _elements(result)[1] if begins and kind != "all-reduce" else result
        found[kind] += sum(map(_bytes, _ARRAY.findall(received)))
    return found


def _elements(shape: str) -> list[str]:
    """The elements of a tuple's shape. An asynchronous collective, but an all-reduce, gives ``(operands, results, ...)``."""
    found, depth = [""], 0
    for letter in shape:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 1:
            found.append("")
        else:
            found[-1] += letter
    return found


def _bytes(array: tuple[str, str, str]) -> int:
    kind, bits, shape = array
    size = prod(int(n) for n in shape.split(",") if n)
    return size * (1 if kind == "pred" else int(bits or 32) // 8)
