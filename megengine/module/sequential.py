"""Modules one after the other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from .module import Module


class Sequential(Module):
    """Sequence of modules, called one after the other.

    Layers can be indexed, sliced (a new Sequential on the same layers), replaced and deleted.

    Args:
        args: the modules, called ``"0"``, ``"1"``, ...; or one dict of modules by name.

    Raises:
        TypeError: an argument cannot be called.

    Example:
        >>> net = M.Sequential(M.Linear(4, 3), M.ReLU(), M.Linear(3, 2))
        >>> net(Tensor(np.ones((5, 4), "float32"))).shape
        (5, 2)
        >>> net[1:]
        Sequential(
          (1): ReLU()
          (2): Linear(in_features=3, out_features=2, bias=True)
        )
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer_keys: list[str] = []
        named = args[0] if len(args) == 1 and isinstance(args[0], dict) else {str(i): m for i, m in enumerate(args)}
        for key, module in named.items():
            if not callable(module):
                raise TypeError(
                    f"Sequential takes modules as arguments or one dict of modules, layer {key} is {module!r}"
                )
            setattr(self, key, module)
            self.layer_keys.append(key)

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, slice):
            return type(self)(OrderedDict((key, getattr(self, key)) for key in self.layer_keys[idx]))
        return getattr(self, self.layer_keys[idx])

    def __setitem__(self, idx: int, module: Any) -> None:
        setattr(self, self.layer_keys[idx], module)

    def __delitem__(self, idx: Any) -> None:
        for key in self.layer_keys[idx] if isinstance(idx, slice) else [self.layer_keys[idx]]:
            delattr(self, key)
        del self.layer_keys[idx]

    def __len__(self) -> int:
        return len(self.layer_keys)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layer_values)

    @property
    def layer_values(self) -> list[Any]:
        """The layers in order."""
        return [getattr(self, key) for key in self.layer_keys]

    def forward(self, inp: Any) -> Any:
        for key in self.layer_keys:
            inp = getattr(self, key)(inp)
        return inp
