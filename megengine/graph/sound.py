"""Compile for the CPU without those fusions of XLA that compute wrong numbers or end the process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax

# XLA hands products, convolutions and reductions, with what surrounds them, to a library (YNNPACK). In jaxlib 0.10.2 to 0.12.0:
# a product fused with a reduction is wrong for operands that are broadcast and for long rows, and a reduction of seven dimensions
# or more overruns the library's arrays of eight. A product or a convolution alone is right, and so are other reductions.
OPTION = "xla_cpu_experimental_ynn_fusion_type"
PRODUCTS_ALONE = {OPTION: "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT"}
MOST_DIMENSIONS = 6

_BODY = re.compile(r"^%(\S+) \(.*?^\}", re.DOTALL | re.MULTILINE)
_FUSION = re.compile(r"calls=%([^\s,]+).*__ynn_fusion")
_SHAPE = re.compile(r"\w\[([\d,]+)\]")
_REDUCES = re.compile(r" reduce(-window)?\(")
_MULTIPLIES = re.compile(r" (dot|convolution)\(")


def first_options(names: Iterable[str]) -> dict[str, str] | None:
    """Compiler options to try first for ops of these names.

    Attention nearly always has a product fused with a reduction, and would be compiled twice; where there are convolutions their
    fusions are worth the try.
    """
    families = {name.partition(".")[0] for name in names}
    attends = not families.isdisjoint(("matmul", "einsum")) and not any("conv" in family for family in families)
    return PRODUCTS_ALONE if attends and _concerned() else None


def sound(jitted: Any, args: Sequence[Any]) -> bool:
    """Compile for these arguments and say whether what came out can be relied on; ``PRODUCTS_ALONE`` always can.

    Args:
        jitted: from ``jax.jit``; calling it with ``args`` then compiles nothing more.
        args: what it will be called with; nothing is run or donated.
    """
    return not _concerned() or not unsound(jitted.lower(*args).compile().as_text() or "")


def _concerned() -> bool:
    # Who sets the option for the whole process has chosen.
    return jax.default_backend() == "cpu" and OPTION not in os.environ.get("XLA_FLAGS", "")


def unsound(text: str) -> bool:
    """Whether a compiled program, as HLO, has a fusion that cannot be relied on."""
    return any(map(_unsound, _library_fusions(text)))


def _library_fusions(text: str) -> Iterator[str]:
    names = set(_FUSION.findall(text))
    return (body[0] for body in _BODY.finditer(text) if body[1] in names) if names else iter(())


def _unsound(body: str) -> bool:
    if not _REDUCES.search(body):
        return False
    dimensions = max((sizes.count(",") + 1 for sizes in _SHAPE.findall(body)), default=0)
    return dimensions > MOST_DIMENSIONS or bool(_MULTIPLIES.search(body))
