"""Errors of keywords that a call does not have, with MegEngine's spelling where PyTorch has the keyword.

Python refuses an unknown keyword before anything of the function runs. So functions with a parameter that PyTorch calls
otherwise are wrapped in one of the same parameters that takes unknown keywords as well, and raises Python's error with the
spelling in it; a call costs one more call of a Python function, and packs nothing. Constructors are not called as often and are
wrapped in the simplest way.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .spellings import INPLACE, KEYWORDS, SORTING, WITHOUT

_PACKAGE = __name__.partition(".")[0]
_MISSING = object()
NEAR = 0.75  # how alike a word and its misspelling are
_FOREIGN = {own for spellings in KEYWORDS.values() for own in spellings}
_FUNCTIONS = ("functional", "functional.nn", "functional.loss", "functional.vision")
_constructors: set[type] = set()  # the classes whose constructors are explained
_SIZES = ("zeros", "ones", "full")  # functions to which PyTorch's user gives sizes one by one
_CLASSES = ("amp", "data", "data.dataset", "data.transform", "module", "optimizer")


def explain_keywords(modules: Mapping[str, Any], methods_of: type) -> None:
    """Explain unknown keywords of public functions, and of methods and constructor of a class, wherever modules hold them."""
    listed = [vars(modules[f"{_PACKAGE}.{place}"]) for place in _FUNCTIONS]
    functions = [thing for names in listed for name, thing in names.items() if _has_foreign(name, thing)]
    wrapped = _explained(functions)
    for module in list(modules.values()):
        if isinstance(module, ModuleType) and module.__name__.startswith(_PACKAGE):
            names = vars(module)
            names.update({name: wrapped[f] for name, f in names.items() if type(f) is FunctionType and f in wrapped})
    methods = [method for name, method in vars(methods_of).items() if _has_foreign(name, method)]
    for method, wrapper in _explained(methods).items():
        setattr(methods_of, method.__name__, wrapper)
    new = methods_of.__new__
    setattr(methods_of, "__new__", _explained([new])[new])  # noqa: B010  # mypy refuses the assignment


def explain_constructors(modules: Mapping[str, Any]) -> None:
    """Explain unknown keywords of the constructors of public classes, once for each class."""
    places = [vars(modules[name]) for name in (f"{_PACKAGE}.{place}" for place in _CLASSES) if name in modules]
    found = [thing for names in places for thing in names.values() if isinstance(thing, type)]
    for cls in {base: None for thing in found for base in thing.__mro__ if base not in _constructors}:
        own = vars(cls).get("__init__")
        if cls.__module__.startswith(_PACKAGE) and type(own) is FunctionType:
            _constructors.add(cls)
            setattr(cls, "__init__", _explained_constructor(own))  # noqa: B010  # mypy refuses the assignment


def _has_foreign(name: str, thing: Any) -> bool:
    """Whether a public function has a keyword in PyTorch that it has not here."""
    if type(thing) is not FunctionType or name.startswith("_"):
        return False
    return name in INPLACE or name in SORTING or name in _SIZES or not _FOREIGN.isdisjoint(_parameters(thing.__code__))


def _explained(functions: Iterable[Any]) -> dict[Any, Callable[..., Any]]:
    """The wrappers of functions."""
    scope: dict[str, Any] = {"_error": _error, "_missing": _MISSING}
    source: list[str] = []
    made = dict.fromkeys(functions)
    for number, function in enumerate(made):
        scope[f"_f{number}"], scope[f"_d{number}"] = function, {**_defaults(function)}
        source.append(_source(number, function.__code__, scope[f"_d{number}"]))
    exec(compile("".join(source), __file__, "exec"), scope)  # the source is made of names of parameters
    return {function: functools.wraps(function)(scope[f"_w{number}"]) for number, function in enumerate(made)}


def _source(number: int, code: CodeType, defaults: dict[str, Any]) -> str:
    """The wrapper of a function; ``defaults`` gets one for what has to be given under a name that PyTorch has not."""
    names = _parameters(code)
    wanted = ["_unknown"]
    for name in names[: code.co_argcount]:
        if name not in defaults and (wanted[1:] or name in _FOREIGN):
            # Python would say that it is missing, before the wrapper can say what stands in its place.
            defaults[name] = _MISSING
            wanted.append(f"{name} is _missing")
    taken = [f"{name}=_d{number}[{name!r}]" if name in defaults else name for name in names]
    given = [*names[: code.co_argcount], *(f"{name}={name}" for name in names[code.co_argcount :])]
    if code.co_name in _SIZES:
        taken.insert(code.co_argcount, "*_more")
        wanted.append("_more")
    elif code.co_flags & 4 or len(names) > code.co_argcount:
        star = f"*{code.co_varnames[len(names)]}" if code.co_flags & 4 else "*"
        taken.insert(code.co_argcount, star)
        given[code.co_argcount : code.co_argcount] = [star] if code.co_flags & 4 else []
    return (
        f"def _w{number}({', '.join(taken)}, **_unknown):\n"
        f"    if {' or '.join(wanted)}:\n        raise _error(_f{number}, locals())\n"
        f"    return _f{number}({', '.join(given)})\n"
    )


def _parameters(code: CodeType) -> tuple[str, ...]:
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _defaults(function: FunctionType) -> dict[str, Any]:
    values = function.__defaults__ or ()
    count = function.__code__.co_argcount
    named = zip(function.__code__.co_varnames[count - len(values) : count], values, strict=True)
    return {**dict(named), **(function.__kwdefaults__ or {})}


def _error(function: FunctionType, given: dict[str, Any]) -> TypeError:
    """The error of a call with these arguments, among them ``_unknown`` ones or missing ones."""
    unknown, more = given.pop("_unknown"), given.pop("_more", ())
    if unknown:
        return keyword_error(function.__qualname__, given, unknown)
    if more:
        return _sizes_error(function, given, more)
    absent = [repr(name) for name, value in given.items() if value is _MISSING]
    noun = "argument" if len(absent) == 1 else "arguments"
    return TypeError(
        f"{function.__qualname__}() missing {len(absent)} required positional {noun}: {' and '.join(absent)}"
    )


def _sizes_error(function: FunctionType, given: Mapping[str, Any], more: tuple[Any, ...]) -> TypeError:
    """The error of a call that was given sizes one by one, or other arguments too many."""
    name, count = function.__qualname__, function.__code__.co_argcount
    positional = [*list(given.values())[:count], *more]
    message = f"{name}() takes {count} positional argument{'s' if count > 1 else ''} but {len(positional)} were given"
    sizes = positional[: len(positional) - count + 1]
    if not all(isinstance(size, int) for size in sizes):
        return TypeError(message)
    rest = "".join(f", {value!r}" for value in positional[len(sizes) :])
    return TypeError(f"{message}; MegEngine's spelling is {name}({tuple(sizes)}{rest})")


def keyword_error(name: str, parameters: Iterable[str], unknown: Iterable[str]) -> TypeError:
    """The error of a call ``name()`` with unknown keywords."""
    keyword = next(iter(unknown))
    message = f"{name}() got an unexpected keyword argument {keyword!r}"
    known = set(parameters)
    spelling = next((f"{own}=" for own in KEYWORDS.get(keyword, ()) if own in known), None) or WITHOUT.get(keyword)
    if keyword == "dim" and name in SORTING:
        spelling = f"{SORTING[name]}: the last axis is sorted"
    if spelling is not None:
        return TypeError(f"{message}; MegEngine's spelling is {spelling}")
    near = get_close_matches(keyword, known, 1, NEAR)
    return TypeError(f"{message}. Did you mean {near[0]!r}?" if near else message)


def _explained_constructor(init: FunctionType) -> Callable[..., None]:
    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            init(self, *args, **kwargs)
        except TypeError as error:
            trace = error.__traceback__
            if trace is None or trace.tb_next is not None:
                raise
            unknown = _unknown(init.__code__, kwargs, str(error))
            if unknown:
                raise constructor_error(self, unknown) from None
            message = str(error).replace(f"{init.__qualname__}()", f"{type(self).__name__}.__init__()")
            raise TypeError(message) from None

    return __init__


def _unknown(code: CodeType, kwargs: Iterable[str], message: str) -> list[str]:
    """The keywords that a constructor does not have; where something is missing as well, Python names that alone."""
    if "missing" not in message:
        return [name for name in kwargs if f"unexpected keyword argument {name!r}" in message]
    known = _parameters(code)
    others = [name for name in kwargs if name not in known]
    if not code.co_flags & 8:
        return others
    missing = re.findall(r"'(\w+)'", message.partition("missing")[2])
    return [n for n in others if not set(known).isdisjoint(KEYWORDS.get(n, ())) or get_close_matches(n, missing, 1, NEAR)]


def constructor_error(made: Any, unknown: Iterable[str]) -> TypeError:
    """The error of an object's constructor, which may have passed on what it does not know."""
    constructors = [
        getattr(vars(cls).get("__init__"), "__wrapped__", vars(cls).get("__init__")) for cls in type(made).__mro__
    ]
    names = [name for init in constructors if type(init) is FunctionType for name in _parameters(init.__code__)]
    return keyword_error(f"{type(made).__name__}.__init__", names, unknown)
