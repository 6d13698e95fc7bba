"""What of MegEngine's API is here, by looking at the package itself."""

from __future__ import annotations

import ast
import importlib
import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..._help.keywords import keyword_error
from ...module import Module

__all__ = ["INSTANCE", "Found", "fits", "look_up"]

INSTANCE = "()"  # behind the dotted name of a class, for what a call of it gave


@dataclass(frozen=True)
class Found:
    """What a dotted name of MegEngine is here.

    Attributes:
        state: ``"here"``, ``"missing"``, or ``"unknown"`` for what only a running program can tell.
        value: the object, if it is here.
        upto: the part of the name that is missing, or that could be looked at.
        note: what to say about it.
    """

    state: str
    value: Any = None
    upto: str = ""
    note: str = ""


@cache
def look_up(name: str) -> Found:
    """What a full dotted name is here.

    Args:
        name: for instance ``"megengine.functional.relu"``; ``()`` behind a part stands for what calling it gives.

    Example:
        >>> look_up("megengine.functional.relu").state, look_up("megengine.functional.rely").state
        ('here', 'missing')
    """
    value: Any = importlib.import_module("megengine")
    parts = name.split(".")
    for i, part in enumerate(parts[1:], 2):
        upto = ".".join(parts[:i])
        called = part.endswith(INSTANCE)
        part = part.removesuffix(INSTANCE)
        found = _part(value, part)
        if found is None and i > 2 and not inspect.ismodule(value):
            # "from megengine.tensor import Tensor": a module behind a function of its name
            module = _part_of_package(".".join(parts[: i - 1]))
            found = None if module is None else _part(module, part)
        if found is None:
            plain = upto.removesuffix(INSTANCE)
            return Found("missing", None, plain, _spelling(value, part))
        value = found[0]
        if called or not (inspect.ismodule(value) or inspect.isclass(value)):
            rest = parts[i:]
            if called and rest and inspect.isclass(value) and not _has_member(value, rest[0].removesuffix(INSTANCE)):
                return Found(
                    "missing", None, name.removesuffix(INSTANCE), f"{upto.removesuffix(INSTANCE)} has no {rest[0]} here"
                )
            return Found("unknown" if rest else "here", value, upto, _only_named(value))
    return Found("here", value, name, _only_named(value))


_SAID = "MegEngine's spelling is "


def _spelling(owner: Any, name: str) -> str:
    """What to write for a name of PyTorch's, as the error says of a program that runs."""
    try:
        getattr(owner, name)
    except AttributeError as error:
        spelling = str(error).partition(_SAID)[2]
        return spelling and f"write {spelling.partition('  # ')[0]}"
    return ""


def _part(owner: Any, name: str) -> tuple[Any] | None:
    try:
        return (getattr(owner, name),)
    except AttributeError:
        if not inspect.ismodule(owner):
            return None
    try:
        return (importlib.import_module(f"{owner.__name__}.{name}"),)
    except ImportError:
        return None


def _part_of_package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _has_member(kind: type, name: str) -> bool:
    """Whether objects of a class have an attribute, also one that a method sets."""
    if hasattr(kind, name) or issubclass(kind, Module):  # a module may be given any
        return True
    for base in kind.__mro__[:-1]:
        try:
            if f"self.{name}" in inspect.getsource(base):
                return True
        except (OSError, TypeError):  # no source to look into
            if base.__module__ != "typing":
                return True
    return False


def _only_named(value: Any) -> str:
    """What to say of a function that is there in name only."""
    text = inspect.getdoc(value) or "" if inspect.isroutine(value) else ""
    if "NotImplementedError: always" in text:
        return "calling it is an error: " + text.partition("\n")[0]
    return ""


def fits(value: Any, call: ast.Call) -> str:
    """What of a call a function or class does not take, or an empty text.

    Args:
        value: the function or class.
        call: how the program calls it.

    Example:
        >>> call = ast.parse("relu(x, inplace=True)").body[0].value
        >>> fits(look_up("megengine.functional.relu").value, call)
        'takes no inplace=; write an assignment, as in x = F.relu(x): results are new tensors'
    """
    try:
        parameters = inspect.signature(value).parameters
    except (ValueError, TypeError):  # not everything has one
        return ""
    named = _keywords(value)
    unknown = [k.arg for k in call.keywords if k.arg is not None and named is not None and k.arg not in named]
    if unknown:
        spelling = str(keyword_error(value.__name__, named or (), unknown)).partition(_SAID)[2]
        return "takes no " + ", ".join(f"{name}=" for name in unknown) + (spelling and f"; write {spelling}")
    kinds = {p.kind for p in parameters.values()}
    if inspect.Parameter.VAR_POSITIONAL not in kinds and not any(isinstance(a, ast.Starred) for a in call.args):
        places = [p for p in parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        if len(call.args) > len(places):
            return f"takes {len(places)} arguments by position, not {len(call.args)}"
    return ""


def _keywords(value: Any) -> set[str] | None:
    """The keyword arguments that are taken, or None for any; a class hands on what it does not know to the next one."""
    names: set[str] = set()
    if inspect.isclass(value) and value.__new__ is not object.__new__:
        return None
    made_by = (
        [c.__dict__["__init__"] for c in value.__mro__ if "__init__" in c.__dict__]
        if inspect.isclass(value)
        else [value]
    )
    for function in made_by:
        parameters = inspect.signature(function).parameters.values()
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if all(p.kind is not p.VAR_KEYWORD or p.name == "unknown" for p in parameters):  # collected to be refused
            return names
    return None
