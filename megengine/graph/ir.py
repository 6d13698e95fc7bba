"""The graph of a program as data: what passes, both tiers, exporters, pictures and messages read.

A :class:`Function` is built from the recorded trie when a program is made (:mod:`megengine.graph.build`); a cache hit builds
none. Passes make Functions from Functions (:mod:`megengine.graph.passes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .device import Device
from .equations import AnyEquation, Equation, Residuals, Scalar, Var, VjpEquation
from .printing import text
from .verify import verify

__all__ = ["AnyEquation", "Equation", "Function", "Residuals", "Scalar", "Var", "VjpEquation"]


class Function:
    """A pure function of arrays.

    Attributes:
        inputs: its arguments, after the Python numbers.
        floats, ints: how many Python numbers of each kind come before them, as one array a kind.
        equations: what it computes, in an order in which it can be computed.
        outputs: what it returns.
        residuals: what it also returns for VJPs in later functions.
        constants: values that are part of it.
        device: where it runs.

    Example:
        >>> net = M.Linear(3, 2)
        >>> with megengine.graph.watch() as seen:
        ...     y = F.relu(net(Tensor([[1.0, 2.0, 3.0]]))).numpy()
        >>> function = seen[0].function
        >>> print(function)  # doctest: +ELLIPSIS
        %0: float32[1,3] = input
        weight: float32[2,3] = input
        bias: float32[2] = input
        %3: float32[1,2] = linear(%0, weight, bias)    # ...
        %4: float32[1,2] = relu(%3)    # ...
        return %4
        >>> function.producer()[function.outputs[0]]
        <relu: relu(float32[1,2]) -> float32[1,2]>
        >>> [user.name for user in function.users()[function.inputs[1]]]
        ['linear']
    """

    __slots__ = ("inputs", "floats", "ints", "equations", "outputs", "residuals", "constants", "device")

    def __init__(
        self,
        inputs: Iterable[Var],
        equations: Iterable[AnyEquation],
        outputs: Iterable[Var],
        floats: int = 0,
        ints: int = 0,
        residuals: Iterable[Residuals] = (),
        constants: Mapping[Var, Any] | None = None,
        device: Device | None = None,
    ) -> None:
        self.inputs = tuple(inputs)
        self.floats = floats
        self.ints = ints
        self.equations = tuple(equations)
        self.outputs = tuple(outputs)
        self.residuals = tuple(residuals)
        self.constants = dict(constants or {})
        self.device = device

    def having(self, **changes: Any) -> Function:
        """The same function but for the fields given."""
        fields = {name: changes.get(name, getattr(self, name)) for name in self.__slots__}
        return Function(**fields)

    def producer(self) -> dict[Var, AnyEquation]:
        """The equation that computes each value."""
        return {out: equation for equation in self.equations for out in equation.outputs}

    def users(self) -> dict[Var, list[AnyEquation]]:
        """The equations that read each value, in order, each once."""
        found: dict[Var, list[AnyEquation]] = {}
        for equation in self.equations:
            for var in dict.fromkeys(equation.reads()):
                found.setdefault(var, []).append(equation)
        return found

    def replace(
        self, values: Mapping[Var, Var], equations: Mapping[Equation, Equation | None] | None = None
    ) -> Function:
        """The function with other values in the place of some, wherever they are read or returned.

        Args:
            values: what each is replaced by.
            equations: what some equations are replaced by, in VJPs and kept residuals too; None leaves one out.
        """
        instead: dict[Any, AnyEquation | None] = dict(equations or {})
        made: list[AnyEquation] = []
        for equation in self.equations:
            new = instead.get(equation, equation)
            if new is equation:
                new = instead[equation] = _reading(equation, values, instead)
            if new is not None:
                made.append(new)
        residuals = [Residuals(instead.get(of) or of, linearised) for of, linearised in self.residuals]  # type: ignore[arg-type]
        return self.having(equations=made, outputs=[values.get(v, v) for v in self.outputs], residuals=residuals)

    def verify(self) -> Function:
        """Check that it is well formed; returns it.

        Raises:
            VerificationError: a value is read before it is computed, or is computed twice; a shape or dtype is not what the op
                gives; a VJP or kept residuals are of an equation that is not there.
        """
        verify(self)
        return self

    def __str__(self) -> str:
        return text(self)

    def __repr__(self) -> str:
        return f"<function of {len(self.inputs)} inputs, {len(self.equations)} equations, {len(self.outputs)} outputs>"


def _reading(equation: AnyEquation, values: Mapping[Var, Var], instead: Mapping[Any, Any]) -> AnyEquation:
    """An equation that reads other values."""
    if isinstance(equation, VjpEquation):
        cotangents = tuple(None if c is None else values.get(c, c) for c in equation.cotangents)
        of = instead.get(equation.of) or equation.of
        same = of is equation.of and cotangents == equation.cotangents
        return equation if same else equation.with_vars(cotangents, equation.outputs, of)
    inputs = tuple(values.get(v, v) if type(v) is Var else v for v in equation.inputs)
    return equation if inputs == equation.inputs else equation.with_vars(inputs, equation.outputs)
