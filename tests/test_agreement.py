"""Names, order of arguments and defaults agree: with MegEngine's documentation, and between methods, functions and operators."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from enum import EnumMeta
from pathlib import Path
from typing import Any

import pytest

import megengine.functional as F
from megengine import Tensor, ops
from megengine.ops.op import Op

from .test_docs_examples import MISSING, resolve
from .test_docs_examples import documented as listed_names

SIGNATURES = Path(__file__).parent / "golden" / "signatures.txt"
# Static settings of an operator that are not its function's argument of that name but made of several.
SETTLED = {"conv_transpose3d": {"extra"}}


def parameters(function: Any) -> list[tuple[str, Any]]:
    """Names and defaults of what can be passed, without self."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    found = [p for p in inspect.signature(function).parameters.values() if p.kind not in kinds and p.name != "self"]
    return [(p.name, p.default) for p in found]


def documented() -> dict[str, str]:
    """The signatures of MegEngine's documentation by name."""
    lines = [line for line in SIGNATURES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {(name := line.partition("(")[0]): line.removeprefix(name) for line in lines}


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ...


HERE = [name for name in documented() if resolve(name) is not MISSING]


def test_signatures_are_missed_only_of_what_is_listed_as_missing() -> None:
    assert len(HERE) > 300
    absent = documented().keys() - set(HERE) - set(listed_names(here=False))
    assert not absent


@pytest.mark.parametrize("name", HERE, ids=[name.removeprefix("megengine.") for name in HERE])
def test_signature_is_the_documented_one(name: str) -> None:
    """Ours may go on with further arguments, which must have defaults."""
    value, signature = resolve(name), documented()[name]
    if isinstance(value, EnumMeta):
        pytest.skip("each version of Python makes enumerations from other arguments")
    wanted = ast.parse(f"def f{signature}: pass").body[0].args  # type: ignore[attr-defined]
    positional = [a.arg for a in wanted.args]
    defaults = [inspect.Parameter.empty] * (len(positional) - len(wanted.defaults)) + [*map(_literal, wanted.defaults)]
    names = positional + [a.arg for a in wanted.kwonlyargs]
    defaults += [inspect.Parameter.empty if d is None else _literal(d) for d in wanted.kw_defaults]
    ours = parameters(value)
    assert [n for n, _ in ours][: len(names)] == names
    assert all(default is not inspect.Parameter.empty for _, default in ours[len(names) :])
    for (argument, default), want in zip(ours, defaults, strict=False):
        if want is ...:
            assert default is not inspect.Parameter.empty, argument
        elif want is not inspect.Parameter.empty:
            same = tuple(default) == tuple(want) if isinstance(want, list) else default == want
            assert same, (argument, default, want)


def test_methods_take_what_their_functions_take() -> None:
    shared = [n for n in dir(Tensor) if n[0] != "_" and callable(getattr(Tensor, n)) and callable(getattr(F, n, None))]
    assert len(shared) >= 8
    for name in shared:
        if name not in ("reshape", "transpose"):  # these methods take numbers one by one too
            assert parameters(getattr(Tensor, name)) == parameters(getattr(F, name))[1:], name


def functions() -> Iterator[tuple[Op, Any]]:
    """The operators that have a public function of their name."""
    for info in pkgutil.iter_modules(ops.__path__):
        for name, value in vars(importlib.import_module(f"megengine.ops.{info.name}")).items():
            found = next((f for space in (F, F.nn, F.vision, F.loss) if (f := getattr(space, name, None))), None)
            if isinstance(value, Op) and found is not None:
                yield value, found


def test_operators_take_their_settings_in_the_order_of_their_functions() -> None:
    pairs = [*functions()]
    assert len(pairs) > 100
    for op, function in pairs:
        order = [n for n, _ in parameters(function)]
        settings = [a for a in op.attrs if a in order and a not in SETTLED.get(op.name, ())]
        assert settings == [n for n in order if n in settings], op.name
