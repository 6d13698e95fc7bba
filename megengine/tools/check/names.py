"""What the names of a Python file mean, without running it: aliases, imports of the project's own files, chains of attributes."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from dataclasses import dataclass

from ..compat.table import find, load
from .api import INSTANCE, look_up

__all__ = ["Use", "exports", "uses"]

Scope = dict[
    str, str | None
]  # name in the program -> dotted name, or None where it means something of the program's own
OWN = "own "  # before the dotted name of one of the project's own modules
Project = Callable[[str], Scope]  # dotted name of one of the project's own modules -> what its names mean


@dataclass(frozen=True)
class Use:
    """One place where a program names something.

    Attributes:
        line: the line.
        name: the full dotted name; of something that is not known what it is, ``".attribute"``.
        written: as the program writes it.
        call: the call, if the name is called there.
    """

    line: int
    name: str
    written: str
    call: ast.Call | None = None


def exports(tree: ast.Module, own: Project) -> Scope:
    """What the names at the top of a file mean to those who import it.

    Args:
        tree: the file.
        own: what the names of the project's other files mean.
    """
    reader = _Reader(own)
    reader.top(tree)
    names = reader.scopes[0]
    return {name: None if value is not None and value.startswith(OWN) else value for name, value in names.items()}


def uses(tree: ast.Module, own: Project) -> list[Use]:
    """Every place of a file that names something of an imported package, or an attribute of something unknown.

    Args:
        tree: the file.
        own: what the names of the project's other files mean.

    Example:
        >>> tree = ast.parse("import numpy as np\\nx = np.zeros(2, np.bool8)")
        >>> [(use.line, use.name) for use in uses(tree, lambda module: {})]
        [(1, 'numpy'), (2, 'numpy.zeros'), (2, 'numpy.bool8')]
    """
    reader = _Reader(own)
    reader.read(tree)
    return reader.found


class _Reader(ast.NodeVisitor):
    """Walks a file from top to bottom, and functions after the level that defines them."""

    def __init__(self, own: Project) -> None:
        self.own = own
        self.scopes: list[Scope] = [{}]
        self.stars: list[str] = []
        self.found: list[Use] = []
        self.later: list[tuple[list[Scope], ast.AST]] = []

    def top(self, tree: ast.Module) -> None:
        for statement in tree.body:
            self.visit(statement)

    def read(self, tree: ast.Module) -> None:
        self.top(tree)
        while self.later:
            scopes, node = self.later.pop(0)
            self.scopes = scopes
            for child in ast.iter_child_nodes(node):
                if not isinstance(child, ast.arguments) and child not in getattr(node, "decorator_list", []):
                    self.visit(child)
        self.scopes = self.scopes[:1]

    # What a name means

    def meaning(self, name: str) -> str | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        for module in self.stars:
            if known(f"{module}.{name}"):
                return f"{module}.{name}"
        return f"builtins.{name}" if hasattr(builtins, name) else None

    def dotted(self, node: ast.AST) -> str | None:
        """The full name of an expression, or None."""
        if isinstance(node, ast.Name):
            return self.meaning(node.id)
        if isinstance(node, ast.Attribute):
            base = self.dotted(node.value)
            if base is not None and base.startswith(OWN):
                return self.of_own(base.removeprefix(OWN), node.attr)
            return None if base is None else f"{base}.{node.attr}"
        if isinstance(node, ast.Call):
            base = self.dotted(node.func)
            return None if base is None or base.startswith(("builtins.", OWN)) else base + INSTANCE
        return None

    def of_own(self, module: str, name: str) -> str | None:
        """What a name of one of the project's own modules means."""
        inner = f"{module}.{name}"
        return OWN + inner if self.own(inner) else self.own(module).get(name)

    def bind(self, target: ast.AST, value: str | None) -> None:
        if isinstance(target, ast.Name):
            self.scopes[-1][target.id] = value
        elif isinstance(target, ast.Tuple | ast.List | ast.Starred):
            for part in ast.iter_child_nodes(target):
                self.bind(part, None)

    # Imports

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            bound = alias.name if alias.asname else top
            if self.own(alias.name) or self.own(top):
                self.scopes[-1][alias.asname or top] = OWN + bound
                continue
            self.add(alias, alias.name, alias.name)
            self.scopes[-1][alias.asname or top] = bound

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        names = self.own(module)
        for alias in node.names:
            if alias.name == "*":
                self.scopes[-1].update(names)
                if not names and not node.level:
                    self.stars.append(module)
                    self.add(node, module, module)
                continue
            if names or node.level:
                value = names.get(alias.name)
            else:
                value = f"{module}.{alias.name}"
                self.add(alias, value, f"from {module} import {alias.name}")
            self.scopes[-1][alias.asname or alias.name] = value

    # Uses

    def add(self, node: ast.AST, name: str, written: str, call: ast.Call | None = None) -> None:
        self.found.append(Use(getattr(node, "lineno", 0), name, written, call))

    def visit_Name(self, node: ast.Name) -> None:
        self.named(node, None)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.named(node, None)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name | ast.Attribute):
            self.named(node.func, node)
        else:
            self.visit(node.func)
        for part in (*node.args, *node.keywords):
            self.visit(part)

    def named(self, node: ast.Name | ast.Attribute, call: ast.Call | None) -> None:
        if not isinstance(node.ctx, ast.Load):
            if isinstance(node, ast.Attribute):
                self.visit(node.value)
            return
        name = self.dotted(node)
        if name is not None and name.startswith(OWN):
            return
        if name is not None:
            self.add(node, name, ast.unparse(node), call)
        elif isinstance(node, ast.Attribute):
            self.add(node, f".{node.attr}", ast.unparse(node), call)
        base: ast.AST = node
        while isinstance(base, ast.Attribute):
            base = base.value
        if not isinstance(base, ast.Name):
            self.visit(base)
        elif name is None and isinstance(node, ast.Attribute):
            self.visit(node.value)

    # What binds names

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        value = self.dotted(node.value)
        for target in node.targets:
            self.visit(target)
            self.bind(target, value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.bind(node.target, self.dotted(node.value))

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self.bind(node.target, None)
        for part in (*node.body, *node.orelse):
            self.visit(part)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, None)
        for part in node.body:
            self.visit(part)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.visit(node.type)
        for part in node.body:
            self.visit(part)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.inside(node, node.args)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        made = None
        for decorator in node.decorator_list:
            self.visit(decorator)
            name = self.dotted(decorator)
            if name is not None and name.removesuffix(INSTANCE) == "megengine.jit.trace":
                made = "megengine.jit.trace" + INSTANCE
        self.scopes[-1][node.name] = made
        self.inside(node, node.args)

    visit_AsyncFunctionDef = visit_FunctionDef

    def inside(self, node: ast.AST, arguments: ast.arguments) -> None:
        for part in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
            self.visit(part)
        names = [
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            *filter(None, (arguments.vararg, arguments.kwarg)),
        ]
        for name in names:
            if name.annotation is not None:
                self.visit(name.annotation)
        # A class's own names are not seen by its methods.
        outer = [scope for scope in self.scopes if "__class_body__" not in scope]
        self.later.append(([*outer, dict.fromkeys(name.arg for name in names)], node))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self.scopes[-1][node.name] = None
        self.scopes = [*self.scopes, {"__class_body__": None}]
        for part in node.body:
            self.visit(part)
        self.scopes = self.scopes[:-1]

    def visit_comprehension_of(self, node: ast.AST, generators: list[ast.comprehension]) -> None:
        self.scopes = [*self.scopes, {}]
        for generator in generators:
            self.visit(generator.iter)
            self.bind(generator.target, None)
            for test in generator.ifs:
                self.visit(test)
        for field in ("elt", "key", "value"):
            if hasattr(node, field):
                self.visit(getattr(node, field))
        self.scopes = self.scopes[:-1]

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self.visit_comprehension_of(node, node.generators)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self.visit_comprehension_of(node, node.generators)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self.visit_comprehension_of(node, node.generators)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self.visit_comprehension_of(node, node.generators)


def known(name: str) -> bool:
    """Whether a dotted name is one that a star import may have brought: of MegEngine, or one of the table."""
    load()
    return find(name) is not None if not name.startswith("megengine.") else look_up(name).state != "missing"
