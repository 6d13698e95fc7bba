"""The parts of a :class:`megengine.graph.ir.Function`: values, Python numbers, equations and their VJPs."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..ops.op import Op
from .device import Device
from .signature import Signature
from .value import Aval


class Var:
    """One value of a function.

    Attributes:
        aval: shape, dtype and format.
        name: the module's path of a parameter or buffer, an argument's name, or empty.
        device: where it lives; None for the function's device.
        position: its number in the recording; None if a pass made it.
    """

    __slots__ = ("aval", "name", "device", "position")

    def __init__(self, aval: Aval, name: str = "", device: Device | None = None, position: int | None = None) -> None:
        self.aval = aval
        self.name = name
        self.device = device
        self.position = position

    def __repr__(self) -> str:
        return f"<{self.name or ('var' if self.position is None else f'%{self.position}')}: {self.aval!r}>"


class Scalar(NamedTuple):
    """A Python number, argument of the program: of the floats (kind ``"f"``) or of the ints (``"i"``, and ``"b"`` for a bool)."""

    kind: str
    number: int


class Equation:
    """``outputs = op(inputs, attributes)``.

    Attributes:
        signature: the op, bound to attributes, shapes and dtypes.
        inputs: a :class:`Var` or :class:`Scalar` for each operand.
        outputs: the results.
        number: which recorded call it is; None if a pass made it.
        source: the user's line, as ``file.py:12``.
        scope: names of the modules in whose forward it was recorded, outermost first.
    """

    __slots__ = ("signature", "inputs", "outputs", "number", "source", "scope")

    def __init__(
        self,
        signature: Signature,
        inputs: tuple[Var | Scalar, ...],
        outputs: tuple[Var, ...],
        number: int | None = None,
        source: str = "",
        scope: tuple[str, ...] = (),
    ) -> None:
        self.signature = signature
        self.inputs = inputs
        self.outputs = outputs
        self.number = number
        self.source = source
        self.scope = scope

    @property
    def op(self) -> Op:
        """The operator."""
        return self.signature.op

    @property
    def attributes(self) -> dict[str, Any]:
        """The op's static attributes by name."""
        return self.signature.attributes

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.signature.op.name

    def reads(self) -> tuple[Var, ...]:
        """The values among its inputs."""
        return tuple([v for v in self.inputs if type(v) is Var])

    def with_vars(self, inputs: tuple[Any, ...], outputs: tuple[Var, ...]) -> Equation:
        """The same with other values."""
        return Equation(self.signature, inputs, outputs, self.number, self.source, self.scope)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.signature!r}>"


class VjpEquation:
    """The vector-Jacobian product of an equation, by reference: ``outputs = vjp(of; cotangents)``, with residuals of its forward.

    Attributes:
        of: the equation.
        linearised: the operands that its forward is linearised in; equations with the same share its residuals.
        wrt: the operands whose cotangents it gives.
        cotangents: of each result of ``of``; None is zero.
        outputs: the cotangents of the operands ``wrt``.
        number, source, scope: as of an :class:`Equation`.
    """

    __slots__ = ("of", "linearised", "wrt", "cotangents", "outputs", "number", "source", "scope")

    def __init__(
        self,
        of: Equation,
        linearised: tuple[int, ...],
        wrt: tuple[int, ...],
        cotangents: tuple[Var | None, ...],
        outputs: tuple[Var, ...],
        number: int | None = None,
        source: str = "",
        scope: tuple[str, ...] = (),
    ) -> None:
        self.of = of
        self.linearised = linearised
        self.wrt = wrt
        self.cotangents = cotangents
        self.outputs = outputs
        self.number = number
        self.source = source
        self.scope = scope

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"gradient of {self.of.name}"

    def reads(self) -> tuple[Var, ...]:
        """The values among its inputs; what it takes of the forward is not one."""
        return tuple([v for v in self.cotangents if v is not None])

    def with_vars(
        self, cotangents: tuple[Var | None, ...], outputs: tuple[Var, ...], of: Equation | None = None
    ) -> VjpEquation:
        """The same with other values, or of another equation."""
        where = self.number, self.source, self.scope
        return VjpEquation(of or self.of, self.linearised, self.wrt, cotangents, outputs, *where)

    def __repr__(self) -> str:
        return f"<{self.name} for operands {', '.join(map(str, self.wrt))}>"


class Residuals(NamedTuple):
    """What is kept of an equation, beside its results, for its VJP in a later function."""

    of: Equation
    linearised: tuple[int, ...]


AnyEquation = Equation | VjpEquation
