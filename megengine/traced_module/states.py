"""Builtin modules in files: their class by name and their attributes."""

from __future__ import annotations

from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from ..module import Module
from ..version import __version__
from .names import class_called
from .pytree import is_leaf, tree_flatten

__all__ = ["ModuleState", "checked_module"]


class ModuleState:
    """A builtin module as it is written.

    Attributes:
        module: module and name of its class.
        state: its attributes.
        version: of the MegEngine that wrote it.
    """

    _harmless: ClassVar[bool] = True
    obj: Module | None = None

    def __init__(self, module: tuple[str, str], state: dict[str, Any], version: str) -> None:
        self.module = module
        self.state = state
        self.version = version

    @classmethod
    def get_module_state(cls, module: Module) -> ModuleState:
        """The state of a module; the same object each time, so that what is shared stays shared."""
        name = (type(module).__module__, type(module).__qualname__)
        kept = _states.setdefault(module, cls(name, {}, __version__))
        kept.module, kept.version = name, __version__
        kept.state = {key: value for key, value in vars(module).items() if key != "_m_dump_modulestate"}
        return kept

    def __getstate__(self) -> dict[str, Any]:
        return {"module": self.module, "state": self.state, "version": self.version}

    def to_module(self) -> Module:
        """The module."""
        if self.obj is None:
            kind = class_called(*self.module)
            made = kind.__new__(kind)
            made.__setstate__(self.state)
            self.obj = made
        return self.obj


_states: WeakKeyDictionary[Module, ModuleState] = WeakKeyDictionary()


def checked_module(module: Module) -> Module:
    """The module, if a file can hold its attributes.

    Raises:
        AssertionError: an attribute of a type that it cannot.
    """
    for name, value in vars(module).items():
        if name == "_m_dump_modulestate":
            continue
        for leaf in tree_flatten(value, is_leaf=lambda _: True)[0]:
            if isinstance(leaf, Module):
                checked_module(leaf)
            elif not is_leaf(leaf):
                raise AssertionError(
                    f"{type(module).__name__}.{name} is a {type(leaf).__name__}, which the file of a traced module cannot hold: "
                    f"register it with register_supported_type"
                )
    return module


# Its name in files.
ModuleState.__module__ = "megengine.traced_module.serialization"
ModuleState.__name__ = ModuleState.__qualname__ = "_ModuleState"
