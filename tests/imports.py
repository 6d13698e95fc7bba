"""What the files of a package import, read from their text."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "megengine"


def dotted(path: Path, package: Path) -> str:
    """The name that a file of the package is imported by."""
    parts = (package.name, *path.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@lru_cache
def modules_of(package: Path) -> frozenset[str]:
    """The names that the files of a package are imported by."""
    return frozenset(dotted(path, package) for path in package.rglob("*.py"))


def absolute(node: ast.ImportFrom, path: Path, package: Path) -> str:
    """The dotted name that an import statement of this file refers to."""
    if not node.level:
        return node.module or ""
    inside = (package.name, *path.relative_to(package).parts[:-1])
    base = inside[: len(inside) - node.level + 1]
    return ".".join((*base, *([node.module] if node.module else [])))


@lru_cache(2048)
def parsed(text: str) -> ast.Module:
    """A file's text as a tree, which nobody changes."""
    return ast.parse(text)


def for_a_type_checker(test: ast.expr) -> bool:
    """Whether a condition asks if a type checker reads the file."""
    names = (getattr(n, "id", None) or getattr(n, "attr", "") for n in ast.walk(test))
    return any("TYPE_CHECKING" in name for name in names)


def statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements, also those inside functions, but not those that only a type checker reads."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and for_a_type_checker(node.test):
            pending.extend(node.orelse)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        else:
            pending.extend(ast.iter_child_nodes(node))


@lru_cache(2048)
def import_statements(text: str) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Those of a file's text; several tests go through all files."""
    return tuple(statements(parsed(text)))


def imported(node: ast.Import | ast.ImportFrom, path: Path, package: Path) -> Iterator[tuple[ast.alias, str]]:
    """Each name of an import statement, and the dotted name that it stands for."""
    prefix = "" if isinstance(node, ast.Import) else absolute(node, path, package) + "."
    for alias in node.names:
        yield alias, prefix + alias.name


def imports(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name of what is imported) for each imported name of a file."""
    for node in import_statements(path.read_text(encoding="utf-8")):
        for _, name in imported(node, path, package):
            yield node.lineno, name


def graph_of(package: Path) -> dict[str, set[str]]:
    """The files that each file of a package imports, by dotted names.

    ``from .part import name`` is an import of the file ``part``; the packages on the way to it are not counted.
    """
    files = {dotted(path, package): path for path in package.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        edges = found[name] = set()
        for _, target in imports(path, package):
            home = target if target in files else target.rpartition(".")[0]
            if home in files and home != name:
                edges.add(home)
    return found


def circles(graph: Mapping[str, Set[str]]) -> list[set[str]]:
    """The groups of nodes that reach each other (strongly connected components of more than one node, by Tarjan's algorithm)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        path.append(node)
        for target in graph[node]:
            if target not in order:
                visit(target)
            if target in path:
                low[node] = min(low[node], low[target])
        if low[node] == order[node]:
            group = set(path[path.index(node) :])
            del path[path.index(node) :]
            if len(group) > 1:
                found.append(group)

    for node in graph:
        if node not in order:
            visit(node)
    return found
