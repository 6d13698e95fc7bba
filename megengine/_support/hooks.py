"""The handle with which a registered hook is taken away again."""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

_ids = itertools.count()


class HookHandler:
    """Registers a hook, and removes it when asked.

    Args:
        source_dict: the hooks of a module by id, in the order of their calls.
        hook: the function to add.

    Example:
        >>> layer = M.ReLU()
        >>> handler = layer.register_forward_hook(lambda module, inputs, outputs: print("called"))
        >>> y = layer(Tensor([1.0]))
        called
        >>> handler.remove()
        >>> y = layer(Tensor([1.0]))
    """

    def __init__(self, source_dict: OrderedDict[int, Callable[..., Any]], hook: Callable[..., Any]) -> None:
        if not callable(hook):
            raise TypeError(f"a hook must be callable, got {hook!r}")
        self.id = next(_ids)
        # The dict of an unpickled module may hold ids that this process has not reached yet.
        while self.id in source_dict:
            self.id = next(_ids)
        source_dict[self.id] = hook
        self.source_ref = weakref.ref(source_dict)

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        source = self.source_ref()
        if source is not None:
            source.pop(self.id, None)
