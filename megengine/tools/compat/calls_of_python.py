"""Calls that the standard library of Python 3.6 to 3.10 took and that of today refuses."""

from __future__ import annotations

import ast
from importlib import import_module

from .calls_of_numpy import has
from .names_of_python import std

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Used = Callable[..., None]

RANDOM = std("random")


def _seed(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def seed(a: Any = None, version: int = 2) -> None:
        if a is not None and not isinstance(a, int | float | str | bytes | bytearray):
            used("(any object)")
            a = hash(a)
        return present(a, version)

    return seed


RANDOM.call("seed", "3.11", "an int, a float, a str or bytes")(_seed)


@RANDOM.call("shuffle", "3.11", "random.shuffle(x)", lambda call: len(call.args) > 1 or has("random")(call))
def _shuffle(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def shuffle(x: Any, random: Callable[[], float] | None = None) -> None:
        if random is None:
            return present(x)
        used("(x, random)")
        for i in reversed(range(1, len(x))):
            j = int(random() * (i + 1))
            x[i], x[j] = x[j], x[i]

    return shuffle


@RANDOM.call(
    "sample",
    "3.11",
    "random.sample(sorted(a_set), k)",
    lambda call: bool(call.args) and isinstance(call.args[0], ast.Set),
)
def _sample(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def sample(population: Any, k: int, **kwargs: Any) -> list[Any]:
        if isinstance(population, import_module("collections.abc").Set):
            used("(a set)")
            population = tuple(population)
        return present(population, k, **kwargs)

    return sample


def _whole(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    """Floats that are whole numbers, where an integer is wanted."""

    def function(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(a, float) and a.is_integer() for a in args):
            used("(a float)")
            args = tuple(int(a) if isinstance(a, float) and a.is_integer() else a for a in args)
        return present(*args, **kwargs)

    return function


for _name in ("randrange", "randint"):
    RANDOM.call(_name, "3.12", "int(...)")(_whole)
std("math").call("factorial", "3.12", "int(...)")(_whole)


def _encoding(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def load(*args: Any, **kwargs: Any) -> Any:
        if "encoding" in kwargs:
            used("(encoding=)")
            del kwargs["encoding"]
        return present(*args, **kwargs)

    return load


for _name in ("load", "loads"):
    std("json").call(_name, "3.9", "the call without encoding=", has("encoding"))(_encoding)


def _loop(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        if "loop" in kwargs:
            used("(loop=)")
            del kwargs["loop"]
        return present(*args, **kwargs)

    return function


for _name in ("sleep", "wait", "wait_for", "gather", "as_completed", "shield", "open_connection", "start_server"):
    std("asyncio").call(_name, "3.10", "the call without loop=", has("loop"))(_loop)


def _codeset(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        if "codeset" in kwargs:
            used("(codeset=)")
            del kwargs["codeset"]
        return present(*args, **kwargs)

    return function


for _name in ("translation", "install"):
    std("gettext").call(_name, "3.11", "the call without codeset=", has("codeset"))(_codeset)


def _universal(call: ast.Call) -> bool:
    mode = call.args[1] if len(call.args) > 1 else next((k.value for k in call.keywords if k.arg == "mode"), None)
    return isinstance(mode, ast.Constant) and isinstance(mode.value, str) and "U" in mode.value


std("builtins").add("open", "3.11", 'a mode without "U"', None, "call", _universal)


@std("io").call("open", "3.11", 'a mode without "U"', _universal)
def _open(present: Callable[..., Any], used: Used) -> Callable[..., Any]:
    def open_file(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if "U" in mode:
            used('(mode="U")')
            mode = mode.replace("U", "") or "r"
            mode = mode if set(mode) & set("rwax") else f"r{mode}"
        return present(file, mode, *args, **kwargs)

    return open_file
