"""The code that runs a list of calls, written out: no list of values, no loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

# Of an equation the places it is called with and of its results, whether it has several, and what is not used after it.
Wires = tuple[tuple[int, ...], tuple[int, ...], bool, tuple[int, ...]]
Calls = Sequence[Callable[..., Any]]


def written(
    initial: Sequence[Any], wiring: Sequence[Wires], arguments: Sequence[int], results: Sequence[int]
) -> Callable[[Calls], Callable[..., list[Any]]]:
    """What makes a function of arrays from what runs each equation.

    Args:
        initial: what is at each place before the first equation: constants, or None.
        wiring: see :meth:`megengine.graph.host.frame.Frame.wiring`.
        arguments, results: the places of what the function takes and gives.
    """
    constants = tuple([k for k, value in enumerate(initial) if value is not None])
    make = _maker(constants, tuple(wiring), tuple(arguments), tuple(results))
    values = [initial[k] for k in constants]
    return lambda calls: make(values, calls)


@lru_cache(1024)  # many jaxprs differ in what is called only
def _maker(
    constants: tuple[int, ...], wiring: tuple[Wires, ...], arguments: tuple[int, ...], results: tuple[int, ...]
) -> Callable[[Sequence[Any], Calls], Callable[..., list[Any]]]:
    calls = "".join(f"c{n}, " for n in range(len(wiring)))
    lines = [
        "def make(constants, calls):",
        f"    [{names(constants)}] = constants",
        f"    [{calls}] = calls",
        f"    def run({names(arguments)}):",
        *(f"        {line}" for n, wires in enumerate(wiring) for line in statements(f"c{n}", wires, "v{}".format)),
        f"        return [{names(results)}]",
        "    return run",
    ]
    scope: dict[str, Any] = {}
    exec(compile("\n".join(lines), "<straight-line code of a jaxpr>", "exec"), scope)
    made: Callable[[Sequence[Any], Calls], Callable[..., list[Any]]] = scope["make"]
    return made


def names(places: Sequence[int]) -> str:
    """The variables of these places, separated by commas."""
    return "".join(f"v{k}, " for k in places)


def statements(call: str, wires: Wires, name: Callable[[int], str]) -> Iterator[str]:
    """The statements of one equation.

    Args:
        call: the name of what runs it.
        wires: where its operands and results are.
        name: the variable of a place.
    """
    sources, targets, multiple, dropped = wires
    left = "".join(f"{name(k)}, " for k in targets) if multiple else name(targets[0])
    yield f"{left} = {call}({', '.join(map(name, sources))})" if left else f"{call}({', '.join(map(name, sources))})"
    if dropped:
        yield "".join(f"{name(k)} = " for k in dropped) + "None"
