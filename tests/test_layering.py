"""The layers of the package import in one direction, and importing it compiles nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.imports import PACKAGE, imports

# A module may import from the layers above its own in this list and from its own part of the package, not from the other parts
# of its layer.
LAYERS: list[set[str]] = [
    {"version", "logger", "_help", "_support"},
    {"ops"},
    {"graph"},
    {"device", "tensor"},
    {"distributed", "config", "dtr"},
    {"random"},
    {"functional"},
    {"autodiff", "module", "data"},
    {"core", "optimizer"},
    {"serialization"},
    {"utils"},
    {"amp", "experimental", "hub", "jit", "quantization", "traced_module"},
    {"tools"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
JAX_USERS = {"graph", "ops", "device", "distributed"}


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.name != "__init__.py")


def part(name: str) -> str:
    """The part of the package that a dotted name, without `megengine.`, belongs to."""
    return name.partition(".")[0]


def part_of(path: Path) -> str:
    return part(".".join(path.relative_to(PACKAGE).with_suffix("").parts))


def violations(path: Path) -> Iterator[str]:
    own = part_of(path)
    where = path.relative_to(PACKAGE.parent)
    for line, name in imports(path, PACKAGE):
        root, _, rest = name.partition(".")
        if root in ("jax", "jaxlib") and own not in JAX_USERS:
            yield f"{where}:{line}: only {', '.join(sorted(JAX_USERS))} may import jax, not {own}"
        if root == "megengine":
            target = part(rest)
            if target == own:
                continue
            if target not in RANK and own != "tools":
                yield f"{where}:{line}: {own} may not import {name} from the package's front, which imports all layers"
            elif RANK.get(target, -1) >= RANK[own]:
                yield f"{where}:{line}: {own} may not import {target}, which is not of an earlier layer"


def test_every_module_has_a_layer() -> None:
    unknown = sorted({part_of(p) for p in modules()} - RANK.keys())
    assert not unknown, f"add these to LAYERS: {unknown}"


@pytest.mark.parametrize("name", sorted({part_of(p) for p in modules()} & RANK.keys()))
def test_imports_point_one_way(name: str) -> None:
    found = [v for p in modules() if part_of(p) == name for v in violations(p)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("file", "text", "wrong"),
    [
        ("functional/nn.py", "import jax.numpy\nfrom ..tensor import Tensor\nfrom . import loss", [1]),
        ("functional/nn.py", "def f():\n    from ..module import Linear", [2]),
        ("ops/elemwise.py", "import jax\nfrom ..graph import record", [2]),
        ("ops/elemwise.py", "from megengine.graph.record import apply", [1]),
        ("ops/elemwise.py", "from .. import graph\nfrom . import op", [1]),
        ("graph/run.py", "from ..ops import elemwise\nfrom ..device import get_default_device", [2]),
        ("optimizer/sgd.py", "from .. import Tensor\nfrom megengine import Tensor\nimport megengine", [1, 2, 3]),
        (
            "module/module.py",
            "from ..optimizer import SGD\nfrom .._support import hooks\nfrom ..utils import hook",
            [1, 3],
        ),
        ("module/module.py", "from ..utils.module_stats import module_stats", [1]),
        ("utils/module_stats.py", "from ..module import Module\nfrom .hook import HookHandler", []),
        ("tools/mge.py", "from .. import Tensor\nfrom megengine.jit import trace", []),
    ],
)
def test_the_check_sees_a_wrong_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, wrong: list[int]
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "megengine")
    path = tmp_path / "megengine" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert sorted(int(violation.split(":")[1]) for violation in violations(path)) == wrong


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
