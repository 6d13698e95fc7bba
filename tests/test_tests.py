"""The tests can fail: each asserts something, and no assertion holds whatever the program does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
FILES = [str(p.relative_to(HERE)) for p in sorted(HERE.rglob("*.py"))]
# These pass where nothing is raised, which is what they are about.
WITHOUT_ASSERTION = {
    "help/test_settings.py::test_a_setting_that_means_something_is_taken",
    "help/test_spellings.py::test_every_spelling_works",
    "test_old_imports.py::test_import",
}
Functions = dict[str, ast.FunctionDef]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def functions(path: Path) -> Functions:
    """The functions and methods of a file by name."""
    return {node.name: node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)}


@cache
def helpers(path: Path) -> dict[str, Path]:
    """The names that a file imports from other files of the tests, and which file each is from."""
    found: dict[str, Path] = {}
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.ImportFrom):
            continue
        folder = HERE.parent if not node.level else path.parents[node.level - 1]
        module = folder.joinpath(*(node.module or "").split("."))
        for alias in node.names:
            for file in (module.with_suffix(".py"), module / f"{alias.name}.py"):
                if file.is_file() and file.is_relative_to(HERE):
                    found[alias.asname or alias.name] = file
    return found


def asserts(node: ast.AST, path: Path, seen: frozenset[tuple[Path, str]] = frozenset()) -> bool:
    """Whether a piece of a file asserts something, by itself or by a function of the tests that it calls."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assert):
            return True
        if not isinstance(part, ast.Call):
            continue
        *owner, name = ast.unparse(part.func).split(".")
        checked = any(k.arg == "check" and ast.unparse(k.value) == "True" for k in part.keywords)
        if name in ("raises", "warns", "fail") or name.startswith("assert_") or checked:
            return True
        home = helpers(path).get(owner[0] if owner else name, path)
        key = (home, name)
        if key not in seen and (called := functions(home).get(name)) is not None and called is not node:
            if asserts(called, home, seen | {key}):
                return True
    return False


def idle(test: ast.expr) -> str | None:
    """Why an asserted expression would hold for any program, if it would."""
    if isinstance(test, ast.Constant | ast.Tuple):
        return "is a constant" if isinstance(test, ast.Constant) else "is a tuple, which is true"
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    left, operator, right = test.left, test.ops[0], test.comparators[0]
    has_calls = any(isinstance(n, ast.Call | ast.Await) for n in ast.walk(left))
    if type(left) is type(right) and not has_calls and ast.unparse(left) == ast.unparse(right):
        return "compares a thing with itself"
    sized = isinstance(left, ast.Call) and isinstance(left.func, ast.Name) and left.func.id in ("len", "abs")
    if sized and isinstance(operator, ast.GtE) and isinstance(right, ast.Constant) and right.value == 0:
        return "is true of every size"
    return None


def aliases(function: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    """Assertions that a counter equals what was kept of it, if what was kept is the counter itself and not a copy."""
    kept = {
        node.targets[0].id: ast.unparse(node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if isinstance(node.value, ast.Attribute) and node.value.attr in ("compilations", "flushes")
    }
    for node in ast.walk(function) if kept else ():
        if isinstance(node, ast.Compare):
            sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
            yield from ((node.lineno, name) for name in kept if name in sides and kept[name] in sides)


@pytest.mark.parametrize("file", [file for file in FILES if Path(file).name.startswith("test_")])
def test_every_test_asserts_something(file: str) -> None:
    path = HERE / file
    tests = {name: node for name, node in functions(path).items() if name.startswith("test_")}
    assert tests, "no tests"
    silent = [name for name, node in tests.items() if f"{file}::{name}" not in WITHOUT_ASSERTION]
    silent = [name for name in silent if not asserts(tests[name], path)]
    assert not silent


@pytest.mark.parametrize("file", FILES)
def test_no_assertion_holds_whatever_the_program_does(file: str) -> None:
    nodes = [node for node in ast.walk(tree(HERE / file)) if isinstance(node, ast.Assert)]
    found = [f"{file}:{node.lineno} {why}" for node in nodes if (why := idle(node.test))]
    found += [f"{file}:{at} {name} is the counter" for f in functions(HERE / file).values() for at, name in aliases(f)]
    assert not found


def test_the_checks_see_such_tests(tmp_path: Path) -> None:
    path = tmp_path / "test_idle.py"
    path.write_text(
        "def helper(x):\n    assert x\n"
        "def test_nothing():\n    len([])\n"
        "def test_by_helper():\n    helper(1)\n"
        "def test_in_a_function():\n    def inner(): pass\n    inner()\n"
        "def test_alias():\n    before = counters.flushes\n    assert counters.flushes == before\n"
        "def test_copy():\n    before = counters.flushes.copy()\n    assert counters.flushes == before\n"
    )
    found = {name: asserts(node, path) for name, node in functions(path).items() if name.startswith("test_")}
    assert [name for name, value in found.items() if not value] == ["test_nothing", "test_in_a_function"]
    assert [name for name, node in functions(path).items() if list(aliases(node))] == ["test_alias"]
    wrong = ["True", "(x == 1, 'no')", "x.a == x.a", "len(x) >= 0", "abs(x - y) >= 0"]
    assert all(idle(ast.parse(text, mode="eval").body) for text in wrong)
    right = ["x", "f() == f()", "x == y", "len(x) >= 1", "x.a != x.b", "x >= 0"]
    assert not any(idle(ast.parse(text, mode="eval").body) for text in right)
