"""The layers of the package import in one direction, and importing it compiles nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "megengine"

# A module may import from its own layer and those above it in this list. The first part of the name after `megengine.` counts.
LAYERS: list[set[str]] = [
    {"version", "logger", "_help"},
    {"graph", "ops", "dtype", "device"},
    {"tensor", "_methods"},
    {"distributed", "config", "dtr"},
    {"functional", "random"},
    {"core", "autodiff", "data", "module", "optimizer", "serialization", "utils"},
    {"amp", "experimental", "hub", "jit", "quantization", "traced_module"},
    {"tools"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
JAX_USERS = {"graph", "ops", "device", "distributed"}


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.name != "__init__.py")


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def absolute(node: ast.ImportFrom, path: Path) -> str:
    """The dotted name that an import statement of this file refers to."""
    if not node.level:
        return node.module or ""
    package = ("megengine", *path.relative_to(PACKAGE).parts[:-1])
    base = package[: len(package) - node.level + 1]
    return ".".join((*base, *([node.module] if node.module else [])))


def statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements, also those inside functions, but not those that only a type checker reads."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        else:
            pending.extend(ast.iter_child_nodes(node))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name of what is imported) for each imported name of a file."""
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        else:
            for alias in node.names:
                yield node.lineno, f"{absolute(node, path)}.{alias.name}"


def violations(path: Path) -> Iterator[str]:
    own = part(path)
    where = path.relative_to(PACKAGE.parent)
    for line, name in imports(path):
        root, _, rest = name.partition(".")
        if root in ("jax", "jaxlib") and own not in JAX_USERS:
            yield f"{where}:{line}: only {', '.join(sorted(JAX_USERS))} may import jax, not {own}"
        if root == "megengine":
            target = rest.partition(".")[0]
            if RANK.get(target, -1) > RANK[own]:
                yield f"{where}:{line}: {own} may not import {target}, which is a later layer"


def test_every_module_has_a_layer() -> None:
    unknown = sorted({part(p) for p in modules()} - RANK.keys())
    assert not unknown, f"add these to LAYERS: {unknown}"


@pytest.mark.parametrize("name", sorted({part(p) for p in modules()} & RANK.keys()))
def test_imports_point_one_way(name: str) -> None:
    found = [v for p in modules() if part(p) == name for v in violations(p)]
    assert not found, "\n" + "\n".join(found)


def test_the_check_sees_a_wrong_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "functional").mkdir()
    file = tmp_path / "functional" / "nn.py"
    file.write_text("import jax.numpy\ndef f():\n    from ..module import Linear\nfrom ..tensor import Tensor\n")
    assert len(list(violations(file))) == 2


IMPORT_PROBE = """
import jax
from jax import monitoring
from jax._src import xla_bridge

compiled = []
monitoring.register_event_duration_secs_listener(lambda name, *a, **k: compiled.append(name) if "compile" in name else None)
import megengine, megengine.autodiff, megengine.data, megengine.functional, megengine.jit, megengine.module, megengine.optimizer
print(len(compiled), xla_bridge.backends_are_initialized())
"""


def test_importing_compiles_nothing_and_starts_no_device() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_PROBE], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["0", "False"], done.stdout + done.stderr
