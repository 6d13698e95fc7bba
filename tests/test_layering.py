"""Rooms of the package import from those below them, as the picture shows, and importing it compiles nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.rooms import ROOMS, direct, room_named, room_of, uses
from docs.rooms_page import PAGE, PICTURE, filled, picture
from tests.imports import PACKAGE, imports

RANK = {room.name: rank for rank, room in enumerate(ROOMS)}
FILES = sorted(PACKAGE.rglob("*.py"))
JAX_USERS = {"graph", "ops", "device.py", "distributed"}


def violations(path: Path) -> Iterator[str]:
    """Imports of a file that lead to a room above its own, to the front of the package, or to JAX."""
    file = path.relative_to(PACKAGE).as_posix()
    own = room_of(file)
    for line, name in imports(path, PACKAGE):
        root, _, rest = name.partition(".")
        if root in ("jax", "jaxlib") and file.partition("/")[0] not in JAX_USERS:
            yield f"{file}:{line}: only {', '.join(sorted(JAX_USERS))} may import jax"
        if root == "megengine":
            target = room_named(rest)
            if not target and own != "tools":
                yield f"{file}:{line}: {name} is of the package's front, which imports all rooms"
            elif target and RANK[target] < RANK[own]:
                yield f"{file}:{line}: {own} may not import {name} of {target}, a room above it"


@pytest.mark.parametrize("name", RANK)
def test_imports_lead_to_rooms_below(name: str) -> None:
    files = [path for path in FILES if room_of(path.relative_to(PACKAGE).as_posix()) == name]
    found = [violation for path in files for violation in violations(path)]
    assert not found, "\n" + "\n".join(found)


def test_what_is_listed_is_there() -> None:
    entries = [entry for room in ROOMS for entry in room.files.split()]
    assert len(set(entries)) == len(entries)
    assert not [entry for entry in entries if not (PACKAGE / entry).exists()]


def test_the_page_shows_the_imports_of_today() -> None:
    used = uses()
    arrows = direct(used)
    page = PAGE.read_text(encoding="utf-8")
    assert PICTURE.read_text(encoding="utf-8") == picture(arrows), "run `python docs/rooms_page.py`"
    assert filled(page, arrows) == page, "run `python docs/rooms_page.py`"
    names = re.findall(r"<text [^>]*>([^<]+)</text>", PICTURE.read_text(encoding="utf-8"))
    assert sorted(names) == sorted(RANK) and page.count("(_static/rooms.svg)") == 1
    # An arrow or the lack of one is a fact: what a file imports is reached along the arrows.
    reached: dict[str, set[str]] = {}
    for room in reversed(ROOMS):
        reached[room.name] = set(arrows[room.name]).union(*(reached[target] for target in arrows[room.name]))
    assert all(targets <= reached[name] for name, targets in used.items())


def test_another_import_makes_another_picture(tmp_path: Path) -> None:
    for room in ROOMS:
        for entry in room.files.split():
            path = tmp_path / "megengine" / (f"{entry}__init__.py" if entry.endswith("/") else entry)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
    package = tmp_path / "megengine"
    empty = direct(uses(package))
    assert not any(empty.values())
    (package / "functional/__init__.py").write_text("from ..tensor import Tensor\nfrom ..ops import nn")
    (package / "tensor/__init__.py").write_text("def f():\n    from ..ops import elemwise")
    some = direct(uses(package))
    assert {name: targets for name, targets in some.items() if targets} == {"functional": {"tensor"}, "tensor": {"ops"}}
    assert picture(some) != picture(empty) and picture(some).count("marker-end") == 2


@pytest.mark.parametrize(
    ("file", "text", "wrong"),
    [
        ("functional/nn.py", "import jax.numpy\nfrom ..tensor import Tensor\nfrom . import loss", [1]),
        ("functional/nn.py", "def f():\n    from ..module import Linear", [2]),
        ("ops/elemwise.py", "import jax\nfrom ..graph import trie", [2]),
        ("ops/elemwise.py", "from megengine.graph.apply import apply", [1]),
        ("ops/elemwise.py", "from .. import graph\nfrom . import op", [1]),
        ("graph/execute.py", "from ..ops import elemwise\nfrom ..device import get_default_device", [2]),
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
