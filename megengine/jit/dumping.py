"""``trace.dump``: what a traced function recorded last, as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..graph.exchange import GraphFileError, Model
from ..graph.infer import infer
from ..graph.ir import Equation, Function, Var
from ..graph.transcript import Transcript
from ..network import files
from ..network.naming import names_of, tell_apart
from ..network.optimization import optimized
from ..network.testcases import with_tests
from ..ops import elemwise
from ..tensor import Tensor


class Kept:
    """A call of a traced function with ``capture_as_const=True``.

    Attributes:
        positional: the names of arguments; MegEngine's ``arg_0`` where tensors have none.
        keywords: the names of tensors that were given by keyword.
        output_names: of a dictionary of results, its keys in order.
        count: how many results there are; None where it returned nothing.
    """

    def __init__(self, transcript: Transcript, args: Sequence[Tensor], keywords: Sequence[str], result: Any) -> None:
        self.transcript = transcript
        self.positional = [a.name or f"arg_{k}" for k, a in enumerate(args)]
        self.keywords = list(keywords)
        self.output_names: list[str] | None = None
        self.own_names: list[str] = []
        self.count: int | None = None
        if result is not None:
            tensors = results_of(result)
            self.count = len(tensors)
            self.own_names = [t.name or "" for t in tensors]
            if isinstance(result, Mapping):
                self.output_names = sorted(result)

    def inputs(self, names: Sequence[str | None] | str | None) -> list[str]:
        """The names of all inputs, those of positional arguments as given.

        Raises:
            ValueError: there is another number of them.
        """
        given = [names] if isinstance(names, str) else names
        if given is None:
            return [*self.positional, *self.keywords]
        if len(given) != len(self.positional):
            raise ValueError(f"wrong number of arg_names, should be {len(self.positional)} values")
        return [*(name or "" for name in given), *self.keywords]

    def outputs(self, names: Sequence[str] | str | None) -> list[str]:
        """The names of results, as given or of the dictionary, else of the tensors; empty for those without one.

        Raises:
            ValueError: there is another number of them, or the function returned nothing.
            TypeError: the results have names in the dictionary.
        """
        if self.count is None:
            raise ValueError(
                "the traced function without return values cannot be dumped, the traced function should return List[Tensor] or "
                "Dict[str, Tensor]"
            )
        if self.output_names and names:
            raise TypeError("cannot specify output_names when output is already in dict format")
        given = [names] if isinstance(names, str) else names
        if given and len(given) != self.count:
            raise ValueError(f"wrong number of output_names, should be {self.count} values")
        return list(given or self.output_names or self.own_names)

    def model(self, arg_names: Any, output_names: Any) -> Model:
        """The function of the call, with names.

        Raises:
            GraphFileError: the call cannot be kept.
        """
        outputs = self.outputs(output_names)
        inputs = self.inputs(arg_names)
        if self.transcript.refused:
            raise GraphFileError(f"the traced function cannot be dumped: {self.transcript.refused}")
        function, floats, ints = self.transcript.function(inputs)
        _check(function)
        function = _distinct(function)
        names = names_of(function)
        for equation, name in names.items():
            for k, var in enumerate(equation.outputs):
                var.name = name if len(equation.outputs) == 1 else f"{name}:{k}"
        for var, name in zip(function.outputs, outputs, strict=True):
            var.name = name or var.name
        tell_apart(function)
        return Model(function, floats, ints, names)


def results_of(result: Any) -> list[Any]:
    """The tensors that a traced function returned, those of a dictionary in the order of its keys."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, Mapping):
        return [result[key] for key in sorted(result)]
    return list(result)


def _distinct(function: Function) -> Function:
    """Each output is a variable of its own: what is an input, a constant, or returned twice is copied."""
    taken = {*function.inputs, *function.constants}
    copies: list[Equation] = []
    outputs: list[Var] = []
    for var in function.outputs:
        if var in taken:
            signature = infer(elemwise.copy, (), (var.aval,))
            made = Var(signature.avals[0])
            copies.append(Equation(signature, (var,), (made,), len(function.equations) + len(copies)))
            var = made
        taken.add(var)
        outputs.append(var)
    return function.having(equations=[*function.equations, *copies], outputs=outputs) if copies else function


def _check(function: Function) -> None:
    for equation in function.equations:
        if isinstance(equation, Equation) and equation.name == "batch_norm_training":
            raise GraphFileError(
                "batch norms in training mode change their statistics, which a dump cannot: call the module's eval() before the "
                f"traced function ({equation.source})"
            )


def dump(
    kept: Kept,
    file: Any,
    *,
    arg_names: Any,
    output_names: Any,
    append: bool,
    keep_var_name: int,
    keep_opr_name: bool,
    keep_param_name: bool,
    strip_info_file: Any,
    append_json: bool,
    optimize_for_inference: bool,
    user_info: Any,
    enable_metadata: bool,
    tests: dict[str, Any],
    options: dict[str, Any],
) -> Any:
    """See ``jit.trace.dump``."""
    model = kept.model(arg_names, output_names)
    chosen: dict[str, bool] = {}
    if optimize_for_inference:
        model, chosen = optimized(model, options)
    if enable_metadata:
        optimised = {"optimized_for_inference": bool(optimize_for_inference), **chosen}
        model.metadata = {"user_info": user_info, "graph_modified": False, **optimised}
    if tests["specs"] is not None:
        model = with_tests(model, **tests)
    files.strip_names(model, keep_var_name, keep_opr_name, keep_param_name)
    length, digest = files.write(model, file, append)
    if strip_info_file is not None:
        files.strip_info(model, strip_info_file, digest, append_json)
    return files.info(model, length, digest)
