"""How XLA compiles the programs of tests: quickly, but for a part that it compiles as it does for whoever uses the package."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest

# jaxlib 0.11.1 took XLA's older emitters of loops away, and with them the flag: XLA ends a process that sets an unknown one.
CHOOSES_EMITTERS = tuple(map(int, version("jaxlib").split(".")[:3])) <= (0, 11, 0)
# Code for a program is made in a quarter of the time without LLVM's optimisations and, where they are there, with the older
# emitters. What comes before, XLA's passes, fusions and layouts, stays as it is.
QUICKLY = "--xla_backend_optimization_level=0" + " --xla_cpu_use_fusion_emitters=false" * CHOOSES_EMITTERS
# Options of one compilation, with which it is what it would be without these flags. Users' emitters approximate functions.
EMITTERS_OF_USERS: dict[str, Any] = {"xla_cpu_use_fusion_emitters": True} if CHOOSES_EMITTERS else {}
AS_USERS: dict[str, Any] = {"xla_backend_optimization_level": 3, **EMITTERS_OF_USERS}


def compile_as_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have programs compiled that way until ``monkeypatch`` is undone; none is kept from before."""
    from megengine.graph import program

    stage = program.Program.stage

    def staged(self: program.Program, options: dict[str, Any] | None) -> Any:
        return stage(self, {**(options or {}), **AS_USERS})

    program.clear()
    monkeypatch.setattr(program.Program, "stage", staged)
