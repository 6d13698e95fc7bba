"""Make the traces that the package comes with: ``python -m traces``, once for each version of JAX that it is to be fast with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["MEGENGINE_TIER"] = "host"
os.environ["MEGENGINE_CACHE"] = "0"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from megengine.graph import elementwise, polymorphic
from megengine.graph.stored import families
from tests.imports import graph_of

from .programs import PROGRAMS

SIZES = 2  # of each program: what differs between them becomes a symbol


def main() -> None:
    if not families.has_settings():
        raise SystemExit(f"JAX is not set as the traces are to be made: {families.SETTINGS}")
    polymorphic.keep_all()
    families.enabled = False  # what is made anew does not come from what is there
    for program in PROGRAMS:
        for k in range(SIZES):
            program(k)
            polymorphic.new_program()
    to, found = families.path(), _found()
    families.write(found, to)
    print(f"{to.name}: {len(found)} families, {to.stat().st_size / 1e6:.2f} MB")


def _found() -> dict[bytes, tuple[tuple[str, ...], list[families.Kept]]]:
    graph = graph_of(families.PACKAGE)
    found: dict[bytes, tuple[tuple[str, ...], list[families.Kept]]] = {}
    for op, parts, kept in [*polymorphic.store(), *((op, parts, [kept]) for op, parts, kept in elementwise.store())]:
        name = families.name_of(op.identity, parts)
        module = _module_of(op.identity, graph)
        if name is not None and module is not None and kept:
            found[name] = _sources(module, graph), kept
    return found


def _module_of(identity: str, graph: dict[str, set[str]]) -> str | None:
    """The module that declares an op."""
    module = identity
    while module and module not in graph:
        module = module.rpartition(".")[0]
    return module or None


def _sources(module: str, graph: dict[str, set[str]]) -> tuple[str, ...]:
    """The files that say what an op of a module computes."""
    reached, pending = {module}, [module]
    while pending:
        new = graph[pending.pop()] - reached
        reached |= new
        pending += new
    files = {_file(name) for name in reached}
    return tuple(sorted({*files, *families.MEANING}))


def _file(module: str) -> str:
    path = "/".join(module.split(".")[1:])
    return f"{path}.py" if (families.PACKAGE / f"{path}.py").exists() else f"{path}/__init__.py"


if __name__ == "__main__":
    main()
