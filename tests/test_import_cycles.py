"""No file of the package imports itself through others, gives names to another one, or takes private ones from it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.imports import PACKAGE, circles, dotted, graph_of, import_statements, imported, modules_of, parsed

# Private names that other files import: MegEngine has them under these names, or files that were saved name them so.
PRIVATE_BUT_KNOWN = {
    "megengine.config._auto_format_convert",
    "megengine.core.tensor.amp._get_amp_dtype_autocast",
    "megengine.core.tensor.amp._get_amp_high_prec_dtype",
    "megengine.core.tensor.amp._get_amp_low_prec_dtype",
    "megengine.core.tensor.utils._normalize_axis",
    "megengine.functional.math._check_non_finite",
    "megengine.module._conv_base._ConvNd",
    "megengine.random.rng._Streams",
}


def test_no_file_imports_itself_through_others() -> None:
    found = circles(graph_of(PACKAGE))
    assert not found, "circular imports:\n" + "\n".join(", ".join(sorted(group)) for group in found)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a": "from . import b", "b": "from .c import x", "c": "import os"}, []),
        ({"a": "from . import b", "b": "from .c import x", "c": "from p.a import y"}, [{"p.a", "p.b", "p.c"}]),
        ({"a": "from . import b", "b": "def f():\n    import p.a"}, [{"p.a", "p.b"}]),
        ({"a": "from . import b", "b": "if TYPE_CHECKING:\n    from .a import A"}, []),
        ({"__init__": "from .a import f", "a": "from . import f"}, [{"p", "p.a"}]),
        ({"__init__": "from .a import f", "a": "from . import b", "b": ""}, []),
    ],
)
def test_the_check_sees_a_circle(tmp_path: Path, files: dict[str, str], expected: list[set[str]]) -> None:
    package = tmp_path / "p"
    package.mkdir()
    for name, text in {"__init__": "", **files}.items():
        (package / f"{name}.py").write_text(text)
    assert circles(graph_of(package)) == expected


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when a file is imported: all but the bodies of functions."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from at_import(node)


def foreign_names(path: Path, package: Path) -> Iterator[str]:
    """Lines that give a name to another module of the package at import, or that look names up in ``globals()``."""
    modules = modules_of(package)
    tree = parsed(path.read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    pairs = [pair for node in nodes for pair in imported(node, path, package)]
    known = {alias.asname or alias.name.rpartition(".")[2] for alias, full in pairs if full in modules}
    where = path.relative_to(package.parent)

    def of_a_module(node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id in known

    for node in at_import(tree):
        for target in targets(node):
            if isinstance(target, ast.Attribute) and of_a_module(target.value):
                yield f"{where}:{target.lineno}: {ast.unparse(target)} = ..."
        if isinstance(node, ast.Call) and is_named(node.func, "setattr") and of_a_module(node.args[0]):
            yield f"{where}:{node.lineno}: {ast.unparse(node)}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_named(node.func, "globals"):
            yield f"{where}:{node.lineno}: globals()"


def is_named(function: ast.expr, name: str) -> bool:
    return isinstance(function, ast.Name) and function.id == name


def targets(node: ast.AST) -> list[ast.expr]:
    """What a statement assigns to."""
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For) else []


def test_each_module_has_its_names_from_its_own_file() -> None:
    found = {dotted(path, PACKAGE): [*foreign_names(path, PACKAGE)] for path in sorted(PACKAGE.rglob("*.py"))}
    wrong = [line for lines in found.values() for line in lines]
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("from . import b\nb.flush = len", [2]),
        ("import p.b as other\nif True:\n    other.flush: int = 3", [3]),
        ("from . import b\nsetattr(b, 'flush', len)", [2]),
        ("from . import b\ndef f():\n    b.flush = len", []),
        ("import os\nos.sep = '/'", []),
        ("def f():\n    return globals()['f']", [2]),
        ("class A:\n    def __init__(self):\n        self.b = 1", []),
    ],
)
def test_the_check_sees_a_foreign_name(tmp_path: Path, text: str, wrong: list[int]) -> None:
    package = tmp_path / "p"
    package.mkdir()
    for name, source in {"__init__": "", "a": text, "b": ""}.items():
        (package / f"{name}.py").write_text(source)
    assert [int(line.split(":")[1]) for line in foreign_names(package / "a.py", package)] == wrong


def private_names(path: Path, package: Path) -> Iterator[str]:
    """Private names of other files of the package that a file uses."""
    modules, text = modules_of(package), path.read_text(encoding="utf-8")
    known = {}
    for statement in import_statements(text):
        for alias, full in imported(statement, path, package):
            if full in modules:
                known[alias.asname or alias.name.rpartition(".")[2]] = full
            elif full.rpartition(".")[0] in modules and is_private(alias.name):
                yield full
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            if is_private(node.attr):
                yield f"{known[node.value.id]}.{node.attr}"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def test_no_private_name_crosses_files() -> None:
    found = {name: path for path in sorted(PACKAGE.rglob("*.py")) for name in private_names(path, PACKAGE)}
    wrong = {name: str(path.relative_to(PACKAGE)) for name, path in found.items() if name not in PRIVATE_BUT_KNOWN}
    assert not wrong, wrong
    assert found.keys() >= PRIVATE_BUT_KNOWN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from .b import _x, y", ["p.b._x"]),
        ("from . import b\ndef f(self):\n    return b._x + b.y + self._z", ["p.b._x"]),
        ("from . import b\nfrom .b import __version__\nfrom os import _exit", []),
    ],
)
def test_the_check_sees_a_private_name(tmp_path: Path, text: str, expected: list[str]) -> None:
    package = tmp_path / "p"
    package.mkdir()
    for name, source in {"__init__": "", "a": text, "b": ""}.items():
        (package / f"{name}.py").write_text(source)
    assert [*private_names(package / "a.py", package)] == expected
