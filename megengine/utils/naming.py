"""Names of the part of a model that runs: programs that dump graphs enter them around calls."""

from __future__ import annotations

from typing import Any, ClassVar

from ..core._imperative_rt.core2 import pop_scope, push_scope

__all__ = ["AutoNaming"]


class AutoNaming:
    """The names entered so far, and names of tensors that follow from them.

    Example:
        >>> from megengine.utils.naming import AutoNaming
        >>> AutoNaming.push_scope("backbone"); AutoNaming.push_scope("stem")
        >>> AutoNaming.get_scope()
        'backbone.stem'
        >>> AutoNaming.pop_scope(); AutoNaming.pop_scope()
    """

    scopes: ClassVar[list[str | None]] = []
    handle2names: ClassVar[dict[Any, str]] = {}

    @classmethod
    def clear(cls) -> None:
        """Forget all names."""
        cls.scopes.clear()
        cls.handle2names.clear()

    @classmethod
    def push_scope(cls, scope: str | None) -> None:
        """Enter a part."""
        if scope is not None:
            push_scope(scope)
        cls.scopes.append(scope)

    @classmethod
    def pop_scope(cls) -> None:
        """Leave the innermost part.

        Raises:
            IndexError: none was entered.
        """
        scope = cls.scopes.pop()
        if scope is not None:
            pop_scope(scope)

    @classmethod
    def get_scope(cls) -> str:
        """The names of the parts, outermost first, joined by dots."""
        return ".".join(scope for scope in cls.scopes if scope is not None)

    @classmethod
    def gen_name(cls, x: Any) -> str:
        """The name of a tensor within the part that runs."""
        name = x.name or x._name
        scope = cls.get_scope()
        return f"{scope}.{name}" if scope else str(name)

    @classmethod
    def record_var_name(cls, handle: Any, name: str) -> None:
        """Keep a name for :meth:`get_var_name`."""
        cls.handle2names[handle] = name

    @classmethod
    def get_var_name(cls, handle: Any) -> str | None:
        """The name that was kept, once."""
        return cls.handle2names.pop(handle, None)
