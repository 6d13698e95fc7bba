"""A jaxpr of symbolic sizes, by NumPy: read once, and then only what depends on sizes is made anew for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr, jaxprs_in_params

from ..symbols import Table, code, is_symbolic
from .calls import as_closed
from .interpreter import Interpreted, Runner, Skeleton, rule_of
from .rules import Run

Recipe = Callable[[Sequence[int]], Any]


class Sized:
    """What runs a jaxpr of symbolic sizes, once these are given.

    Args:
        closed: the jaxpr.
        table: where its sizes are computed.
    """

    def __init__(self, closed: ClosedJaxpr, table: Table) -> None:
        self.skeleton = Skeleton(closed)
        self.made = [_of_equation(eqn, table) for eqn in self.skeleton.equations]  # how to make what runs each

    def nested(self, sizes: Sequence[int]) -> Interpreted:
        """As :func:`nested` gives it, for the sizes that the table has computed."""
        return Runner(self.skeleton, [make(sizes) for make in self.made])

    def interpreted(self, sizes: Sequence[int]) -> Interpreted:
        """As :func:`interpret_aloud` gives it."""
        return Runner(self.skeleton, [make(sizes) for make in self.made], self.skeleton.scalars)


class Bound:
    """A jaxpr within an equation, at given sizes; only :func:`nested` takes it."""

    __slots__ = ("sized", "sizes")

    def __init__(self, sized: Sized, sizes: Sequence[int]) -> None:
        self.sized = sized
        self.sizes = sizes

    @property
    def jaxpr(self) -> Any:
        """The jaxpr with its symbols: of its variables only how many dimensions they have counts."""
        return self.sized.skeleton.jaxpr

    def interpreted(self) -> Interpreted:
        return self.sized.nested(self.sizes)


class _Aval:
    __slots__ = ("shape", "dtype", "ndim", "size")

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = shape
        self.dtype = dtype
        self.ndim = len(shape)
        size = 1
        for n in shape:
            size *= n
        self.size = size


class _AskedForSize(Exception):
    pass


class _SizelessAval:
    """Stands for an aval of symbolic sizes, to find out whether a rule looks at them."""

    __slots__ = ("dtype", "ndim")

    def __init__(self, aval: Any) -> None:
        self.dtype = aval.dtype
        self.ndim = len(aval.shape)

    @property
    def shape(self) -> Any:
        raise _AskedForSize

    size = shape


class _Var:
    __slots__ = ("aval",)

    def __init__(self, aval: Any) -> None:
        self.aval = aval


class _Equation:
    """What rules read of an equation."""

    __slots__ = ("primitive", "params", "invars", "outvars")

    def __init__(self, primitive: Any, params: dict[str, Any], invars: list[Any], outvars: list[Any]) -> None:
        self.primitive = primitive
        self.params = params
        self.invars = invars
        self.outvars = outvars


def _of_equation(eqn: Any, table: Table) -> Callable[[Sequence[int]], Run]:
    """From the computed sizes to what runs an equation."""
    primitive = eqn.primitive
    params = {name: recipe(value, table) for name, value in eqn.params.items()}
    if any(_hides_symbols(value) for name, value in eqn.params.items() if params[name] is None):
        raise NotImplementedError(f"sizes within a parameter of {primitive.name}")
    sized = {name: made for name, made in params.items() if made is not None}
    if primitive.name == "dim_as_value":
        table.of_values.add(code(eqn.params["dim"]))
    shapes = [table.shape(v.aval.shape) for v in (*eqn.invars, *eqn.outvars)]
    if not sized:
        run = _of_any_sizes(eqn) if any(shapes) else rule_of(eqn)
        if run is not None:
            return lambda sizes: run
    count = len(eqn.invars)
    variables = [
        (_Var(_Aval(tuple(v.aval.shape), v.aval.dtype)), None) if make is None else (v.aval.dtype, make)
        for v, make in zip((*eqn.invars, *eqn.outvars), shapes, strict=True)
    ]

    def make(sizes: Sequence[int]) -> Run:
        made = [v if shape is None else _Var(_Aval(shape(sizes), v)) for v, shape in variables]
        own = {**eqn.params, **{name: of(sizes) for name, of in sized.items()}} if sized else eqn.params
        return rule_of(_Equation(primitive, own, made[:count], made[count:]))

    return make


def _of_any_sizes(eqn: Any) -> Run | None:
    """What a rule gives without having looked at symbolic sizes, if it does, and if that cannot look at them later."""
    variables = [
        _Var(_SizelessAval(v.aval) if any(map(is_symbolic, v.aval.shape)) else _Aval(tuple(v.aval.shape), v.aval.dtype))
        for v in (*eqn.invars, *eqn.outvars)
    ]
    count = len(eqn.invars)
    try:
        run = rule_of(_Equation(eqn.primitive, eqn.params, variables[:count], variables[count:]))
    except _AskedForSize:
        return None
    return None if _holds(run, (_Equation, _Var, _SizelessAval), 4) else run


def _holds(what: Any, kinds: tuple[type, ...], depth: int) -> bool:
    """Whether a function refers to an object of these kinds."""
    if isinstance(what, kinds) or depth == 0:
        return True
    inner: list[Any] = []
    if isinstance(what, (tuple, list)):
        inner += what
    elif isinstance(what, dict):
        inner += what.values()
    elif hasattr(what, "__closure__"):
        inner += [c.cell_contents for c in what.__closure__ or ()]
        inner += what.__defaults__ or ()
    elif hasattr(what, "func"):
        inner += [what.func, what.args, what.keywords]
    elif hasattr(what, "__self__") and not isinstance(what.__self__, type(_holds.__module__)) and callable(what):
        inner += [what.__self__]
    elif hasattr(what, "__dict__") and not isinstance(what, type):
        inner += vars(what).values()
    return any(_holds(x, kinds, depth - 1) for x in inner)


def recipe(value: Any, table: Table) -> Recipe | None:
    """From the computed sizes to what a parameter is at these; None where it does not depend on sizes."""
    if is_symbolic(value):
        place = table.place(value)
        return lambda sizes: sizes[place]
    if isinstance(value, (tuple, list)):
        return _of_sequence(value, [recipe(v, table) for v in value])
    if isinstance(value, (ClosedJaxpr, Jaxpr)):
        closed = as_closed(value)
        if not has_symbols(closed):
            return None
        sized = Sized(closed, table)
        return lambda sizes: Bound(sized, sizes)
    return None


def _of_sequence(value: Any, made: list[Recipe | None]) -> Recipe | None:
    if not any(m is not None for m in made):
        return None
    pairs = list(zip(value, made, strict=True))
    kind: Any = type(value)
    if hasattr(value, "_fields"):
        return lambda sizes: kind(*[v if of is None else of(sizes) for v, of in pairs])
    return lambda sizes: kind([v if of is None else of(sizes) for v, of in pairs])


def _hides_symbols(value: Any) -> bool:
    """Whether a parameter of a kind that is not looked into has something to do with symbolic sizes."""
    if isinstance(value, (ClosedJaxpr, Jaxpr)) or is_symbolic(value):
        return False
    if isinstance(value, (tuple, list)):
        return any(map(_hides_symbols, value))
    if any(map(_jaxpr_has_symbols, jaxprs_in_params({"": value}))):
        return True
    return _any_symbol(tuple(getattr(value, "shape", None) or ()))


def has_symbols(closed: ClosedJaxpr) -> bool:
    """Whether a symbolic size occurs anywhere in a jaxpr."""
    return _jaxpr_has_symbols(closed.jaxpr)


def _jaxpr_has_symbols(jaxpr: Any) -> bool:
    variables = [*jaxpr.invars, *jaxpr.constvars]
    return any(_any_symbol(v.aval.shape) for v in variables) or any(
        any(_any_symbol(v.aval.shape) for v in eqn.outvars) or any(map(_any_symbol, eqn.params.values()))
        for eqn in jaxpr.eqns
    )


def _any_symbol(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(map(_any_symbol, value))
    if isinstance(value, (ClosedJaxpr, Jaxpr)):
        return has_symbols(as_closed(value))
    return is_symbolic(value)
