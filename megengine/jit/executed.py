"""Which functions of the program a call ran, and which names they read."""

from __future__ import annotations

import ast
import dis
import gc
import linecache
import os
import sys
import sysconfig
import threading
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any

from ..graph.source import is_user_file

_LIBRARY = tuple(os.path.join(sysconfig.get_paths()[k], "") for k in ("stdlib", "platstdlib"))
_SITE = tuple(os.path.join(sysconfig.get_paths()[k], "") for k in ("purelib", "platlib"))
_KNOWN = tuple(
    os.path.join(site, name, "") for site in _SITE for name in ("numpy", "jax", "jaxlib", "ml_dtypes", "scipy")
)
# fmt: off
_DYNAMIC = frozenset(["vars", "__dict__", "globals", "locals", "eval", "exec", "__getattribute__", "getmembers"])
_WHOLE = frozenset([
    "__slots__", "asdict", "astuple", "attrgetter", "copy", "deepcopy", "dumps", "fields", "format", "getattr", "hasattr",
    "methodcaller", "replace", "setattr",
])
# Functions that read attributes which the program does not name.
_READING = frozenset([
    "asdict", "astuple", "attrgetter", "copy", "deepcopy", "dumps", "fields", "format", "methodcaller", "replace", "repr", "str",
])
# fmt: on
_BY_NAME = ("getattr", "hasattr", "setattr", "delattr")
ALL = "*"
# fmt: off
_MUTATORS = frozenset([
    "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "put", "set", "update",
])
# fmt: on


@lru_cache(maxsize=4096)
def is_watched_file(filename: str) -> bool:
    """Whether a file holds code of the program, not of this package, the standard library, NumPy or JAX."""
    if not is_user_file(filename) or filename.startswith("<frozen "):
        return False
    path = os.path.abspath(filename)
    return not path.startswith(_KNOWN) and (path.startswith(_SITE) or not path.startswith(_LIBRARY))


class Executed:
    """The code of the program and of this package that ran inside ``with executed:``.

    What the garbage collector calls is left out: it runs at any allocation, so finalizers and ``gc.callbacks`` that it calls
    inside are not the function's.

    Attributes:
        codes: the program's own, each with its global names.
        package: that of this package.
        own_names, package_names: the names in the program's code, and in that of this package.
        strings: the program's strings that could be names.
        names: all of these.
        reads: the names that the program's functions use for more than to change what they stand for.
        whole: attributes may be read whose names are not among these.
        complete: all of it was seen; the code itself can set another profile function.
    """

    def __init__(self) -> None:
        self._ran: dict[CodeType, dict[str, Any]] = {}
        self.codes: dict[CodeType, dict[str, Any]] = {}
        self.package: set[CodeType] = set()
        self.names: set[str] = set()
        self.own_names: set[str] = set()
        self.package_names: set[str] = set()
        self.strings: set[str] = set()
        self.reads: set[str] = set()
        self.whole = False
        self.complete = True
        self._collecting = False
        self._thread = 0

    def __enter__(self) -> Executed:
        self._thread = threading.get_ident()
        gc.callbacks.insert(0, self._collection_starts)
        gc.callbacks.append(self._collection_stops)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *exc: object) -> None:
        profile = sys.getprofile()
        sys.setprofile(None)
        self.complete = profile == self._note and not self._collecting
        for own in (self._collection_starts, self._collection_stops):
            if own in gc.callbacks:
                gc.callbacks.remove(own)

    def _note(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "call" and not self._collecting:
            self._ran[frame.f_code] = frame.f_globals

    def _collection_starts(self, phase: str, info: object) -> None:
        """The first callback; another thread's collections call nothing here."""
        if phase == "start" and threading.get_ident() == self._thread:
            self._collecting = True

    def _collection_stops(self, phase: str, info: object) -> None:
        """The last callback."""
        if phase == "stop" and threading.get_ident() == self._thread:
            self._collecting = False

    def look(self, before: Executed | None) -> None:
        """Find the names, those of an earlier call too."""
        if before is not None:
            self.codes |= before.codes
            self.package |= before.package
        for code, namespace in self._ran.items():
            if is_watched_file(code.co_filename):
                if code.co_filename[0] != "<" or _is_of_program(namespace):
                    self.codes[code] = namespace
            elif not is_user_file(code.co_filename) and code not in _OF_COLLECTIONS:
                self.package.add(code)
        self._ran = {}
        self.package_names.update(n for c in self.package for n in c.co_names)
        for code in self.codes:
            self.own_names.update(code.co_names)
            self.strings.update(c for c in code.co_consts if isinstance(c, str) and c.isidentifier())
            self.reads |= names_read(code)
        self.names |= self.package_names | self.own_names | self.strings
        self.whole = not (_DYNAMIC | _WHOLE).isdisjoint(self.own_names)

    def is_read(self, name: str) -> bool:
        """Whether the program reads what ``name`` stands for; what has no name may be."""
        return name in self.reads or ALL in self.reads or not name.isidentifier()


_OF_COLLECTIONS = (Executed._collection_starts.__code__, Executed._collection_stops.__code__)


def _is_of_program(namespace: dict[str, Any]) -> bool:
    """Whether code that is in no file, such as what dataclasses write, belongs to a module of the program."""
    name = str(namespace.get("__name__"))
    file = getattr(sys.modules.get(name), "__file__", None)
    return not name.startswith("namedtuple_") if file is None else is_watched_file(file)


@lru_cache(maxsize=4096)
def global_names(code: CodeType) -> tuple[str, ...]:
    """The global names that a function loads."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return tuple(sorted(found))


@lru_cache(maxsize=4096)
def imported_names(code: CodeType) -> tuple[str, ...]:
    """The modules that a function imports by their full names."""
    return tuple(sorted({i.argval for i in dis.get_instructions(code) if i.opname == "IMPORT_NAME"}))


def is_of_library(cls: type) -> bool:
    """Whether a class is written in a file of the standard library."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
    return file.startswith(_LIBRARY) and not file.startswith(_SITE)


@lru_cache(maxsize=4096)
def names_read(code: CodeType) -> frozenset[str]:
    """Names that a function uses for more than to change what they stand for, as in ``calls += 1`` or ``losses.append(x)``.

    Without its source these are all of its names. ``"*"`` is among them if it may read any.
    """
    nodes = _nodes(code)
    if not nodes:
        names = {*code.co_names, *code.co_freevars, *code.co_cellvars}
        return frozenset(names if names.isdisjoint([*_DYNAMIC, *_BY_NAME]) else [ALL])
    reads = _Reads()
    for node in nodes:
        for part in node.body if isinstance(node.body, list) else [node.body]:
            reads.visit(part)
    return frozenset(reads.names)


def _nodes(code: CodeType) -> list[Any]:
    """The definitions that a code object may have been compiled from."""
    if code.co_name in ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"):
        return [ast.Module([], [])]  # the function around it has been asked
    tree = _tree(code.co_filename)
    if tree is None:
        return []
    found: list[Any] = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            line = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if node.name == code.co_name and line == code.co_firstlineno:
                found.append(node)
        elif isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and node.lineno == code.co_firstlineno:
            found.append(node)
    return found


_parsing = threading.Lock()  # CPython 3.11 makes syntax trees in one thread at a time only


@lru_cache(maxsize=64)
def _tree(filename: str) -> ast.Module | None:
    try:
        with _parsing:
            return ast.parse("".join(linecache.getlines(filename)) or "?")
    except SyntaxError:
        return None


class _Reads(ast.NodeVisitor):
    """Collects names that are read; a place that is only changed in a statement of its own is not."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._changed = ""

    def visit(self, node: ast.AST) -> Any:
        if self._changed and isinstance(node, ast.expr) and ast.unparse(node) == self._changed:
            return None
        return super().visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.names.update((node.id, ALL) if node.id in _DYNAMIC | _READING else (node.id,))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Load):
            self.names.update((node.attr, ALL) if node.attr in _DYNAMIC | _READING else (node.attr,))
        self.visit(node.value)

    def visit_MatchClass(self, node: ast.MatchClass) -> None:
        self.names.update(node.kwd_attrs, (ALL,) if node.patterns else ())  # the others are of ``__match_args__``
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _BY_NAME and len(node.args) > 1:
            name = node.args[1]
            if not isinstance(name, ast.Constant):
                self.names.add(ALL)
            elif node.func.id in ("getattr", "hasattr"):
                self.names.add(str(name.value))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._place(node.target)
        self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._place(target)
        # `n = n + 1` changes n, as `n += 1` does, unless the value has another name, too.
        named = any(isinstance(part, ast.NamedExpr) for part in ast.walk(node.value))
        self._changed = ast.unparse(node.targets[0]) if len(node.targets) == 1 and not named else ""
        self.visit(node.value)
        self._changed = ""

    def visit_Expr(self, node: ast.Expr) -> None:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _MUTATORS:
            self._place(call.func.value)
            for argument in [*call.args, *(k.value for k in call.keywords)]:
                self.visit(argument)
        else:
            self.generic_visit(node)

    def _place(self, target: ast.expr) -> None:
        if isinstance(target, ast.Attribute):
            self.visit(target.value)
        elif isinstance(target, ast.Subscript):
            self._place(target.value)
            self.visit(target.slice)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for element in target.elts:
                self._place(element)
        elif not isinstance(target, ast.Name):
            self.visit(target)
