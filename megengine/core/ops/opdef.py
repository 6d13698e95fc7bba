"""What MegEngine's operators are to a program: objects with settings, applied to tensors by :func:`apply`.

Programs that go below ``functional`` write ``apply(builtin.Elemwise("add"), x, y)``. Here an operator is a face over the
functions of ``functional``: its settings, checked, and ``_run``, which calls them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from ...autodiff import Function
from ...tensor import Tensor

__all__ = ["Choice", "OpDef", "apply", "choices"]


class Choice(str):
    """One value of an operator's enumeration, such as ``Elemwise.Mode.ADD``; it equals its name."""

    __slots__ = ("_owner",)
    _owner: str

    def __repr__(self) -> str:
        return f"{self._owner}.{str.__str__(self)}"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        return _choice, (self._owner, str.__str__(self))


def _choice(owner: str, name: str) -> Choice:
    value = Choice(name)
    value._owner = owner
    return value


def choices(owner: str, names: Iterable[str]) -> type:
    """An enumeration: a class with one attribute for each name.

    Args:
        owner: its qualified name, such as ``"Elemwise.Mode"``.
        names: of its values.
    """
    values = {name: _choice(owner, name) for name in names}
    return type(owner.rpartition(".")[2], (), {"__qualname__": owner, "__doc__": f"Values of {owner}.", **values})


class OpDef:
    """An operator with its settings.

    A subclass names its settings in ``fields``, in the order of positional arguments, with their defaults; a setting whose
    values are those of an enumeration names that in ``enums``.

    Example:
        >>> from megengine.core.ops.builtin import Reduce
        >>> Reduce("sum", axis=0).axis
        0
    """

    fields: ClassVar[dict[str, Any]] = {}
    enums: ClassVar[dict[str, type]] = {}
    operands: ClassVar[int | None] = None  # how many tensors it takes, where that is a fixed number
    scope = ""
    _harmless: ClassVar[bool] = True  # a file may name it

    def __init_subclass__(cls) -> None:
        either = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(name, either, default=value) for name, value in cls.fields.items()]
        cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]

    def __init__(self, *settings: Any, **named: Any) -> None:
        name = type(self).__name__
        if len(settings) > len(self.fields):
            raise TypeError(f"{name} takes {len(self.fields)} settings, got {len(settings)}")
        given = dict(zip(self.fields, settings, strict=False))
        for key, value in named.items():
            if key in given:
                raise TypeError(f"{name} got {key} twice")
            if key not in self.fields and key != "scope":
                raise TypeError(f"{name} has no setting {key!r}; it has {', '.join(self.fields) or 'none'}")
            given[key] = value
        for key, value in {**self.fields, **given}.items():
            setattr(self, key, value)

    def __setattr__(self, key: str, value: Any) -> None:
        if key in self.enums:
            known = {n.upper(): v for n, v in vars(self.enums[key]).items() if isinstance(v, Choice)}
            if not isinstance(value, str) or str.upper(value) not in known:
                offered = ", ".join(str.__str__(v) for v in known.values())
                raise RuntimeError(f"{type(self).__name__} has no {key} {value!r}; there are {offered}")
            value = known[str.upper(value)]
        elif key in self.fields:
            value = self._convert(key, value)
        object.__setattr__(self, key, value)

    def _convert(self, key: str, value: Any) -> Any:
        """A setting of another form as it is kept."""
        default = self.fields[key]
        if isinstance(default, bool):
            return bool(value)
        if isinstance(default, list):
            if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple, np.ndarray)):
                raise TypeError(f"{type(self).__name__} takes a list as {key}, not {value!r}")
            return [tuple(v) if isinstance(v, (list, tuple)) else v for v in value]
        return value

    def _settings(self) -> tuple[Any, ...]:
        return tuple(str(getattr(self, key)) for key in self.fields)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._settings() == other._settings()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._settings()))

    def __getstate__(self) -> dict[str, Any]:
        """The settings, with the names of values of enumerations."""
        settings = {key: getattr(self, key) for key in self.fields}
        return {key: str.__str__(value) if isinstance(value, Choice) else value for key, value in settings.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take settings over; those that MegEngine's own operator has and this one has not change nothing here."""
        for key, default in self.fields.items():
            setattr(self, key, state.get(key, default))

    def __repr__(self) -> str:
        return type(self).__name__

    def _run(self, *tensors: Any) -> tuple[Any, ...]:
        """The results; a subclass writes it."""
        raise NotImplementedError(f"{type(self).__name__} is not run here")


def apply(op: Any, *operands: Any) -> tuple[Any, ...]:
    """The results of an operator, always as a tuple.

    Args:
        op: an operator of :mod:`megengine.core.ops.builtin`, with its settings, or an object of
            :class:`~megengine.autodiff.Function`.
        operands: its tensors.

    Raises:
        TypeError: no operator, or no tensors.
        RuntimeError: another number of tensors than the operator takes, or shapes that do not fit.

    Example:
        >>> from megengine.core._imperative_rt.core2 import apply
        >>> from megengine.core.ops import builtin
        >>> apply(builtin.Elemwise("add"), Tensor([1.0, 2.0]), Tensor([3.0, 4.0]))
        (Tensor([4. 6.], device=xpux:0),)
    """
    if isinstance(op, Function):
        result = op(*operands)
        return tuple(result) if isinstance(result, (tuple, list)) else (result,)
    if not isinstance(op, OpDef):
        what = f"the class {op.__name__}: make an operator of it first" if isinstance(op, type) else repr(op)
        raise TypeError(f"apply takes an operator such as builtin.Elemwise('add'), not {what}")
    if not operands:
        raise TypeError(f"apply({op!r}) takes at least one tensor")
    if op.operands is not None and len(operands) != op.operands:
        raise RuntimeError(f"{op!r} takes {op.operands} tensors, got {len(operands)}")
    return op._run(*operands)


def tensor(op: OpDef, operand: Any) -> Tensor:
    """An operand that has to be a tensor."""
    if not isinstance(operand, Tensor):
        raise TypeError(f"{op!r} takes tensors, not {type(operand).__name__}")
    return operand
