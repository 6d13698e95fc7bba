"""Results of every structure."""

from __future__ import annotations

import collections
import dataclasses
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from megengine import Parameter, Tensor

from .program import CALLS, PROGRAMS, Holder, Wrap, one, program, trainer


@dataclasses.dataclass
class Output:
    loss: Tensor
    extra: Any = None


class Pair(NamedTuple):
    a: Tensor
    b: Any


class Plain:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("y",)


def flat(thing: Any) -> Any:
    """A result as data, with the types of its containers."""
    if isinstance(thing, Tensor):
        return thing.numpy().tolist()
    name = type(thing).__name__
    if isinstance(thing, dict):
        factory = getattr(thing, "default_factory", None)
        return name, str(factory), [(k, flat(v)) for k, v in thing.items()]
    if isinstance(thing, collections.deque):
        return name, thing.maxlen, [flat(t) for t in thing]
    if isinstance(thing, (list, tuple)):
        return name, [flat(t) for t in thing]
    if isinstance(thing, Slotted):
        return name, flat(thing.y)
    if hasattr(thing, "__dict__"):
        return name, [(k, flat(v)) for k, v in vars(thing).items()]
    return name, str(thing)


def _slotted(x: Tensor) -> Slotted:
    made = Slotted()
    made.y = x * 2
    return made


def _default(x: Tensor) -> Any:
    table: Any = collections.defaultdict(list)
    table["a"].append(x * 2)
    return table


RESULTS: dict[str, Callable[[Tensor], Any]] = {
    "a_dataclass": lambda x: Output(x * 2, [x + 1, 7]),
    "a_named_tuple": lambda x: Pair(x * 2, {"k": x}),
    "a_deque": lambda x: collections.deque([x * 2, 3], maxlen=4),
    "a_defaultdict": _default,
    "an_ordered_dict": lambda x: collections.OrderedDict(b=x * 2, a=x * 3),
    "an_object": lambda x: Plain(y=x * 2, name="n", inner=Plain(z=[x * 4])),
    "an_object_with_slots": _slotted,
    "a_namespace": lambda x: types.SimpleNamespace(y=x * 2),
    "none_beside_tensors": lambda x: (None, x * 2, None),
    "an_array_and_numbers": lambda x: {"y": x * 2, "array": np.arange(3), "n": np.float32(1.5), "t": True},
    "a_set_and_bytes": lambda x: [x * 2, {1}, b"ab", slice(1), Output],
}


def _returning(make: Callable[[Tensor], Any]) -> Callable[[Wrap], Any]:
    def returning(wrap: Wrap) -> Any:
        f = wrap(make)
        kept = [f(one(k)) for k in range(CALLS)]  # earlier results stay what they were
        return [flat(result) for result in kept]

    return returning


for _name, _make in RESULTS.items():
    PROGRAMS[f"returns_{_name}"] = _returning(_make)


@program
def returns_what_it_got(wrap: Wrap) -> Any:
    w = Parameter([3.0])
    f = wrap(lambda x, y: (x, y * 2, w, [x]))
    seen = []
    for k in range(CALLS):
        x, y = one(k), one(1.0)
        a, b, c, (d,) = f(x, y)
        x[...] = 10.0  # shows in what was returned, if that is the argument
        seen.append((a is x, c is w, d is x, a.item(), b.item()))
    return seen


@program
def returns_an_argument_that_it_changed(wrap: Wrap) -> Any:
    @wrap
    def f(x: Tensor) -> Tensor:
        x[...] = x * 2
        return x

    seen = []
    for k in range(CALLS):
        x = one(k)
        seen.append((f(x) is x, x.item()))
    return seen


@program
def returns_one_tensor_twice(wrap: Wrap) -> Any:
    @wrap
    def f(x: Tensor) -> Any:
        y = x * 2
        both = [y]
        return y, y, both, both

    seen = []
    for k in range(CALLS):
        a, b, c, d = f(one(k))
        seen.append((a is b, c is d, c[0] is a, a.item()))
    return seen


@program
def returns_a_tensor_that_it_changed(wrap: Wrap) -> Any:
    @wrap
    def f(x: Tensor) -> Tensor:
        y = x * 2
        y[0] = 5.0
        y += 1
        return y

    kept = [f(Tensor([float(k), k + 1.0])) for k in range(CALLS)]
    return [y.numpy().tolist() for y in kept]


@program
def returns_views_that_it_changed(wrap: Wrap) -> Any:
    w = Tensor([1.0, 2.0])

    @wrap
    def f(x: Tensor) -> Any:
        a, b = x.detach(), w.detach()
        a[0] = 7.0
        b += x
        return a, b, w.detach()

    kept = [f(Tensor([float(k), 1.0])) for k in range(CALLS)]
    return [[t.numpy().tolist() for t in result] for result in kept], w.numpy().tolist()


@program
def returns_its_own_object(wrap: Wrap) -> Any:
    me = Holder()

    @wrap
    def f(x: Tensor) -> Holder:
        me.h[...] = me.h + x
        return me

    return [(f(one()) is me, me.h.item()) for _ in range(CALLS)]


@program
def returns_a_python_number_of_its_state(wrap: Wrap) -> Any:
    me = Holder()

    @wrap
    def f(x: Tensor) -> Any:
        me.count += 1
        return x * 2, me.count

    return [(y.item(), n) for y, n in (f(one(k)) for k in range(CALLS))]


@program
def gradients_that_accumulate(wrap: Wrap) -> Any:
    p, gm, opt = trainer()

    @wrap
    def f(x: Tensor) -> Tensor:
        with gm:
            loss = (p * x) ** 2
            gm.backward(loss)
        return loss

    seen = []
    for k in range(3 * CALLS):
        seen.append((f(one()).item(), p.grad.item()))
        if k % 4 == 3:
            opt.step().clear_grad()
    return seen
