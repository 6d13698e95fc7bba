"""Programs around a traced function that lives with Python state; each returns what an observer sees, call by call.

``program(wrap)`` uses ``wrap`` as the decorator and must give what it gives with ``wrap`` doing nothing.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import itertools
import queue
import random
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor
from megengine.autodiff import GradManager
from megengine.optimizer import SGD, Adam

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]
CALLS = 9
PROGRAMS: dict[str, Callable[[Wrap], Any]] = {}
LEVEL = 1.0
MODES = {"gain": 1.0}


def program(function: Callable[[Wrap], Any]) -> Callable[[Wrap], Any]:
    PROGRAMS[function.__name__] = function
    return function


def one(number: float = 1.0) -> Tensor:
    return Tensor([number])


class Holder:
    def __init__(self) -> None:
        self.h: Any = one(0.0)
        self.count = 0
        self.items: list[Any] = []
        self.table: dict[str, Any] = {}


# State kept by assignment.


@program
def state_in_an_attribute(wrap: Wrap) -> Any:
    me = Holder()

    @wrap
    def f(x: Tensor) -> Tensor:
        me.h = me.h * 0.5 + x
        return me.h

    return [f(one()).item() for _ in range(CALLS)]


@program
def state_that_begins_as_none(wrap: Wrap) -> Any:
    me = Holder()
    me.h = None

    @wrap
    def f(x: Tensor) -> Tensor:
        me.h = x if me.h is None else me.h * 0.5 + x
        return me.h * 1

    return [f(one()).item() for _ in range(CALLS)]


@program
def state_in_a_module(wrap: Wrap) -> Any:
    class Average(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean = one(0.0)

        def forward(self, x: Tensor) -> Tensor:
            self.mean = self.mean * 0.9 + x * 0.1
            return x - self.mean

    net = Average()
    f = wrap(lambda x: net(x) * 2)
    return [(f(one(k)).item(), net.mean.item()) for k in range(CALLS)]


@program
def state_in_a_closure(wrap: Wrap) -> Any:
    total = one(0.0)

    @wrap
    def f(x: Tensor) -> Tensor:
        nonlocal total
        total += x
        return total * 2

    return [(f(one()).item(), total.item()) for _ in range(CALLS)]


@program
def state_in_a_dict(wrap: Wrap) -> Any:
    cache: dict[str, Tensor] = {}

    @wrap
    def f(x: Tensor) -> Tensor:
        cache["last"] = cache.get("last", x) * 0.5 + x
        return cache["last"] + 1

    return [f(one()).item() for _ in range(CALLS)]


@program
def state_in_a_list(wrap: Wrap) -> Any:
    window = [one(0.0), one(0.0)]

    @wrap
    def f(x: Tensor) -> Tensor:
        window.append(x * 2)
        window.pop(0)
        return window[0] + window[1]

    return [f(one(k)).item() for k in range(CALLS)]


@program
def state_in_a_deque(wrap: Wrap) -> Any:
    frames: Any = collections.deque([one(0.0)] * 3, maxlen=3)

    @wrap
    def f(x: Tensor) -> Tensor:
        frames.append(x * 1)
        return F.concat(list(frames)).sum()

    return [f(one(k)).item() for k in range(CALLS)]


@program
def state_in_a_queue(wrap: Wrap) -> Any:
    waiting: Any = queue.Queue()
    waiting.put(one(5.0))

    @wrap
    def f(x: Tensor) -> Tensor:
        y = waiting.get() + x
        waiting.put(y)
        return y * 2

    return [f(one(k)).item() for k in range(CALLS)]


@program
def state_in_slots(wrap: Wrap) -> Any:
    class Cell:
        __slots__ = ("h",)

    cell = Cell()
    cell.h = one(0.0)

    @wrap
    def f(x: Tensor) -> Tensor:
        cell.h = F.sin(cell.h + x)
        return cell.h

    return [round(f(one()).item(), 5) for _ in range(CALLS)]


@program
def state_in_a_class(wrap: Wrap) -> Any:
    class Shared:
        h = one(0.0)

    @wrap
    def f(x: Tensor) -> Tensor:
        Shared.h = Shared.h * 0.5 + x
        return Shared.h

    return [f(one()).item() for _ in range(CALLS)]


@program
def state_set_by_name(wrap: Wrap) -> Any:
    me = Holder()

    @wrap
    def f(x: Tensor) -> Tensor:
        setattr(me, "h", getattr(me, "h") * 0.5 + x)  # noqa: B009, B010
        return me.h

    return [f(one()).item() for _ in range(CALLS)]


# Results that are left elsewhere.


@program
def losses_in_a_list(wrap: Wrap) -> Any:
    losses: list[Tensor] = []

    @wrap
    def f(x: Tensor) -> Tensor:
        y = x * 2
        losses.append(y)
        return y + 1

    seen = [f(one(k)).item() for k in range(CALLS)]
    return seen, [t.item() for t in losses]


@program
def a_loss_in_an_attribute(wrap: Wrap) -> Any:
    me = Holder()

    @wrap
    def f(x: Tensor) -> None:
        me.loss = x * 2  # type: ignore[attr-defined]

    seen = []
    for k in range(CALLS):
        f(one(k))
        seen.append(me.loss.item())  # type: ignore[attr-defined]
    return seen


@program
def the_last_argument_in_an_attribute(wrap: Wrap) -> Any:
    me = Holder()

    @wrap
    def f(x: Tensor) -> Tensor:
        me.last = x  # type: ignore[attr-defined]
        return x + 1

    return [(f(one(k)).item(), me.last.item()) for k in range(CALLS)]  # type: ignore[attr-defined]


@program
def a_sum_in_a_closure(wrap: Wrap) -> Any:
    total = one(0.0)

    @wrap
    def f(x: Tensor) -> Tensor:
        nonlocal total
        total = total + x * 2
        return x * 3

    return [(f(one()).item(), total.item()) for _ in range(CALLS)]


@program
def a_running_sum_in_place(wrap: Wrap) -> Any:
    total = one(0.0)

    @wrap
    def f(x: Tensor) -> Tensor:
        total[...] = total + x * 2
        return x * 3

    return [(f(one()).item(), total.item()) for _ in range(CALLS)]


# Modules and parameters that are replaced.


def network() -> M.Module:
    net = M.Sequential(M.Linear(2, 2), M.ReLU(), M.Linear(2, 1))
    for k, p in enumerate(net.parameters()):
        p[...] = np.full(p.shape, 0.1 * (k + 1), np.float32)
    return net


ROW = np.float32([[1.0, 2.0]])


@program
def a_replaced_parameter(wrap: Wrap) -> Any:
    net = network()
    f = wrap(lambda x: net(x))
    seen = []
    for k in range(CALLS):
        if k % 4 == 3:
            net[2].weight = Parameter(np.full((1, 2), float(k), np.float32))
        seen.append(round(f(Tensor(ROW)).item(), 4))
    return seen


@program
def a_replaced_module(wrap: Wrap) -> Any:
    net = network()
    f = wrap(lambda x: net(x))
    seen = []
    for k in range(CALLS):
        if k == 4:
            net[1] = M.Sigmoid()
        if k == 7:
            net[2] = M.Identity()
        seen.append(np.round(f(Tensor(ROW)).numpy(), 4).tolist())
    return seen


@program
def a_replaced_model(wrap: Wrap) -> Any:
    net = network()
    f = wrap(lambda x: net(x) * 2)
    seen = []
    for k in range(CALLS):
        if k == 5:
            net = M.Linear(2, 1, bias=False)
            net.weight[...] = ROW
        seen.append(round(f(Tensor(ROW)).item(), 4))
    return seen


@program
def a_module_added_to_a_list(wrap: Wrap) -> Any:
    class Net(M.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [M.Identity()]

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x) * 2
            return x

    net = Net()
    f = wrap(net)
    seen = []
    for k in range(CALLS):
        if k in (4, 6):
            net.layers.append(M.Sigmoid())
        seen.append(round(f(one()).item(), 5))
    return seen


@program
def a_training_flag(wrap: Wrap) -> Any:
    bn = M.BatchNorm1d(2)
    f = wrap(lambda x: bn(x).sum(axis=0))
    seen = []
    for k in range(CALLS):
        bn.train(k not in (4, 5, 8))
        data = Tensor(np.float32([[k, 1.0], [2.0, 3.0], [0.0, -k]]))
        seen.append((np.round(f(data).numpy(), 4).tolist(), np.round(bn.running_mean.numpy(), 4).tolist()))
    return seen


@program
def a_hook(wrap: Wrap) -> Any:
    net = M.Identity()
    f = wrap(lambda x: net(x) + 1)
    seen = []
    for k in range(CALLS):
        if k == 4:
            handle = net.register_forward_hook(lambda module, inputs, outputs: outputs * 10)
        if k == 7:
            handle.remove()
        seen.append(f(one()).item())
    return seen


@program
def an_attached_tensor(wrap: Wrap) -> Any:
    p, q = Parameter([1.0]), Parameter([2.0])
    gm = GradManager().attach([p])

    @wrap
    def f(x: Tensor) -> Tensor:
        p.grad = q.grad = None
        with gm:
            loss = (p * q * x).sum()
            gm.backward(loss)
        return loss

    seen = []
    for k in range(CALLS):
        if k == 5:
            gm.attach([q])
        seen.append((f(one(k)).item(), p.grad.item(), q.grad is not None and q.grad.item()))
    return seen


# Counters and flags that decide.


def trainer() -> tuple[Parameter, GradManager, Any]:
    p = Parameter([1.0])
    return p, GradManager().attach([p]), SGD([p], lr=0.1, momentum=0.5)


@program
def a_counter_that_decides_on_the_step(wrap: Wrap) -> Any:
    p, gm, opt = trainer()
    me = Holder()

    @wrap
    def f(x: Tensor) -> Tensor:
        with gm:
            loss = (p * x) ** 2
            gm.backward(loss)
        me.count += 1
        if me.count % 2 == 0:
            opt.step().clear_grad()
        return loss

    return [(f(one()).item(), p.item()) for _ in range(CALLS)]


@program
def a_count_of_a_list_that_decides(wrap: Wrap) -> Any:
    p, gm, opt = trainer()
    steps: list[int] = []

    @wrap
    def f(x: Tensor) -> Tensor:
        with gm:
            loss = (p * x) ** 2
            gm.backward(loss)
        steps.append(1)
        if len(steps) % 3 == 0:
            opt.step().clear_grad()
        return loss

    return [(f(one()).item(), p.item()) for _ in range(CALLS)]


@program
def an_iteration_argument(wrap: Wrap) -> Any:
    p, gm, opt = trainer()

    @wrap
    def f(x: Tensor, k: int) -> Tensor:
        with gm:
            loss = (p * x) ** 2
            gm.backward(loss)
        if k % 2:
            opt.step().clear_grad()
        return loss

    return [(f(one(), k).item(), p.item()) for k in range(CALLS)]


@program
def a_flag_from_outside(wrap: Wrap) -> Any:
    double = False
    f = wrap(lambda x: x * 2 if double else x + 5)
    seen = []
    for k in range(CALLS):
        double = k % 4 == 3
        seen.append(f(one(k)).item())
    return seen


@program
def a_number_in_a_closure(wrap: Wrap) -> Any:
    scale = 1.0
    f = wrap(lambda x: x * scale)
    seen = []
    for k in range(CALLS):
        scale = 1.0 + k // 3
        seen.append(f(one()).item())
    return seen


@program
def a_global_number(wrap: Wrap) -> Any:
    global LEVEL
    f = wrap(lambda x: x * LEVEL)
    seen = []
    for k in range(CALLS):
        LEVEL = 2.0 + k // 3
        seen.append(f(one()).item())
    return seen


def leveled(x: Tensor) -> Tensor:
    return x * MODES["gain"]


@program
def a_global_dict_of_a_called_function(wrap: Wrap) -> Any:
    f = wrap(lambda x: leveled(x) + 1)
    seen = []
    for k in range(CALLS):
        MODES["gain"] = 2.0 + k // 3
        seen.append(f(one()).item())
    return seen


@program
def a_number_in_a_default(wrap: Wrap) -> Any:
    def helper(x: Tensor, scale: float = 1.0) -> Tensor:
        return x * scale

    f = wrap(lambda x: helper(x) * 1)
    seen = []
    for k in range(CALLS):
        if k == 5:
            helper.__defaults__ = (7.0,)
        seen.append(f(one()).item())
    return seen


@program
def an_attribute_of_an_argument(wrap: Wrap) -> Any:
    options = types.SimpleNamespace(scale=1.0)
    f = wrap(lambda x, o: x * o.scale)
    seen = []
    for k in range(CALLS):
        options.scale = 1.0 + k // 3
        seen.append(f(one(), options).item())
    return seen


@program
def an_attribute_of_an_object_argument(wrap: Wrap) -> Any:
    options = Holder()
    f = wrap(lambda x, options: x * options.h)
    seen = []
    for k in range(CALLS):
        options.h = 1.0 + k // 3
        seen.append(f(one(), options=options).item())
    return seen


@program
def a_class_attribute(wrap: Wrap) -> Any:
    class Config:
        scale = 1.0

    f = wrap(lambda x: x * Config.scale)
    seen = []
    for k in range(CALLS):
        Config.scale = 1.0 + k // 4
        seen.append(f(one()).item())
    return seen


@program
def an_attribute_that_hides_one_of_the_class(wrap: Wrap) -> Any:
    class Net(M.Module):
        scale = 1.0

        def forward(self, x: Tensor) -> Tensor:
            return x * self.scale

    net = Net()
    f = wrap(net)
    seen = []
    for k in range(CALLS):
        if k == 5:
            net.scale = 3.0
        seen.append(f(one()).item())
    return seen


@program
def a_number_in_nested_containers(wrap: Wrap) -> Any:
    config = {"a": [1, {"scale": 1.0}], "b": (2, [3])}
    f = wrap(lambda x: x * config["a"][1]["scale"] + config["b"][1][0])  # type: ignore[index]
    seen = []
    for k in range(CALLS):
        if k == 4:
            config["a"][1]["scale"] = 5.0  # type: ignore[index]
        if k == 6:
            config["b"][1][0] = 7  # type: ignore[index]
        seen.append(f(one()).item())
    return seen


@program
def a_replaced_function(wrap: Wrap) -> Any:
    helpers = Holder()
    helpers.h = lambda x: x + 1
    f = wrap(lambda x: helpers.h(x) * 2)
    seen = []
    for k in range(CALLS):
        if k == 5:
            helpers.h = lambda x: x + 10
        seen.append(f(one()).item())
    return seen


@program
def a_learning_rate(wrap: Wrap) -> Any:
    p, gm, opt = trainer()

    @wrap
    def f(x: Tensor) -> Tensor:
        with gm:
            loss = (p * x) ** 2
            gm.backward(loss)
        opt.step().clear_grad()
        return loss

    seen = []
    for k in range(CALLS + 3):
        opt.param_groups[0]["lr"] = 0.1 / (1 + k // 4)
        seen.append((round(f(one()).item(), 6), round(p.item(), 6)))
    return seen


@program
def a_group_added_to_an_optimizer(wrap: Wrap) -> Any:
    p, q = Parameter([1.0]), Parameter([1.0])
    gm, opt = GradManager().attach([p, q]), Adam([p], lr=0.1)

    @wrap
    def f(x: Tensor) -> Tensor:
        with gm:
            loss = ((p + q) * x) ** 2
            gm.backward(loss)
        opt.step().clear_grad()
        q.grad = None
        return loss

    seen = []
    for k in range(CALLS):
        if k == 5:
            opt.add_param_group({"params": [q], "lr": 0.3})
        seen.append((round(f(one()).item(), 4), round(p.item(), 4), round(q.item(), 4)))
    return seen


# Data made in the body.


@program
def numpy_random_data(wrap: Wrap) -> Any:
    np.random.seed(3)
    f = wrap(lambda x: x + Tensor(np.random.rand(1).astype(np.float32)))
    return [f(one()).item() for _ in range(CALLS)]


@program
def a_generator_of_numpy(wrap: Wrap) -> Any:
    rng = np.random.default_rng(3)
    f = wrap(lambda x: x * float(rng.random()))
    return [f(one()).item() for _ in range(CALLS)]


@program
def a_generator_inside_an_object(wrap: Wrap) -> Any:
    me = Holder()
    me.h = np.random.RandomState(3)
    f = wrap(lambda x: x + Tensor(me.h.rand(1).astype(np.float32)))
    return [f(one()).item() for _ in range(CALLS)]


@program
def a_generator_that_decides_rarely(wrap: Wrap) -> Any:
    random.seed(5)
    f = wrap(lambda x: x * 2 if random.random() < 0.8 else x * 100)
    return [f(one()).item() for _ in range(3 * CALLS)]


@program
def random_numbers_of_the_package(wrap: Wrap) -> Any:
    mge.random.seed(3)
    drop = M.Dropout(0.5)
    f = wrap(lambda x: (drop(x), mge.random.normal(size=(2,))))
    return [[t.numpy().tolist() for t in f(F.ones((4,)))] for _ in range(CALLS)]


@program
def an_iterator(wrap: Wrap) -> Any:
    numbers = itertools.count(1)
    f = wrap(lambda x: x * next(numbers))
    return [f(one()).item() for _ in range(CALLS)]


@program
def a_generator_function(wrap: Wrap) -> Any:
    def batches() -> Iterator[Tensor]:
        for k in range(CALLS):
            yield one(k)

    source = batches()

    @wrap
    def f() -> Tensor:
        return next(source) * 2

    return [f().item() for _ in range(CALLS)]


@program
def an_array_changed_in_place(wrap: Wrap) -> Any:
    table = np.float32([1.0, 2.0])
    f = wrap(lambda x: x + Tensor(table))
    seen = []
    for k in range(CALLS):
        if k == 5:
            table[0] = 9.0
        seen.append(f(one()).numpy().tolist())
    return seen


@program
def items_of_a_defaultdict_that_go(wrap: Wrap) -> Any:
    layers: Any = collections.defaultdict(lambda: 5.0, a=1.0)
    f = wrap(lambda x: x * layers["a"])
    seen = []
    for k in range(CALLS):
        if k == 5:
            del layers["a"]
        seen.append(f(one()).item())
    return seen


@program
def the_order_of_a_dict(wrap: Wrap) -> Any:
    layers = {"a": lambda x: x * 2, "b": lambda x: x + 3}

    @wrap
    def f(x: Tensor) -> Tensor:
        for layer in layers.values():
            x = layer(x)
        return x

    seen = []
    for k in range(CALLS):
        if k == 5:
            layers["a"] = layers.pop("a")
        seen.append(f(one()).item())
    return seen


@program
def minus_zero(wrap: Wrap) -> Any:
    me = Holder()
    f = wrap(lambda x, k: (x * k, x * me.h))
    seen = []
    for k in range(CALLS):
        me.h = -0.0 if k > 4 else 0.0
        seen.append([t.item() for t in f(one(), -0.0 if k % 2 else 0.0)])
    return seen


@program
def a_dict_that_is_given_and_filled(wrap: Wrap) -> Any:
    @wrap
    def f(batch: dict[str, Any]) -> Tensor:
        batch["y"] = batch["x"] * 2
        batch["n"] = 3
        return batch["y"] + 1

    seen = []
    for k in range(CALLS):
        batch: dict[str, Any] = {"x": one(k)}
        seen.append((f(batch).item(), batch["n"], batch["y"].item()))
    return seen


@program
def a_list_that_is_given_and_returned(wrap: Wrap) -> Any:
    f = wrap(lambda xs: (xs, xs[0] * 2))
    seen = []
    for k in range(CALLS):
        xs = [one(k)]
        same, y = f(xs)
        seen.append((same is xs, y.item()))
    return seen


@program
def an_object_made_for_each_call(wrap: Wrap) -> Any:
    f = wrap(lambda batch: batch.h * 2)
    seen = []
    for k in range(CALLS):
        batch = Holder()
        batch.h = one(k)
        seen.append(f(batch).item())
    return seen


@program
def an_iterator_as_argument(wrap: Wrap) -> Any:
    numbers = itertools.count()
    f = wrap(lambda x, source: x * next(source))
    return [f(one(), numbers).item() for _ in range(CALLS)]


@program
def a_function_behind_a_context_manager(wrap: Wrap) -> Any:
    scale = 1.0

    @contextlib.contextmanager
    def scaled() -> Iterator[float]:
        yield scale

    @wrap
    def f(x: Tensor) -> Tensor:
        with scaled() as s:
            return x * s

    seen = []
    for k in range(CALLS):
        scale = 1.0 + k // 4
        seen.append(f(one()).item())
    return seen


@program
def a_function_in_a_queue(wrap: Wrap) -> Any:
    scale = 1.0
    waiting: Any = queue.Queue()
    waiting.put(lambda x: x * scale)

    @wrap
    def f(x: Tensor) -> Tensor:
        return waiting.queue[0](x)

    def g(x: Tensor) -> Tensor:
        return x * scale

    lookup = functools.singledispatch(g)
    h = wrap(lambda x: lookup(x) + 1)
    seen = []
    for k in range(CALLS):
        scale = 1.0 + k // 4
        seen.append((f(one()).item(), h(one()).item()))
    return seen


@program
def an_attribute_read_by_name(wrap: Wrap) -> Any:
    me = Holder()
    names = ["alpha", "beta"]
    me.alpha, me.beta = 1.0, 2.0  # type: ignore[attr-defined]
    f = wrap(lambda x: sum(x * getattr(me, n) for n in names))
    seen = []
    for k in range(CALLS):
        me.beta = 2.0 + k // 4  # type: ignore[attr-defined]
        seen.append(f(one()).item())
    return seen


@program
def a_dataclass_read_whole(wrap: Wrap) -> Any:
    @dataclasses.dataclass
    class Config:
        alpha: float = 1.0

    config = Config()
    f = wrap(lambda x: sum(x * v for v in dataclasses.asdict(config).values()))
    seen = []
    for k in range(CALLS):
        config.alpha = 2.0 + k // 4
        seen.append(f(one()).item())
    return seen


@program
def a_buffer_of_bytes(wrap: Wrap) -> Any:
    levels = bytearray(b"\x01\x02")
    f = wrap(lambda x: x * levels[1])
    seen = []
    for k in range(CALLS):
        levels[1] = 2 + k // 4
        seen.append(f(one()).item())
    return seen


@program
def another_generator(wrap: Wrap) -> Any:
    mge.random.seed(4)
    f = wrap(lambda x: x + mge.random.uniform(size=(1,)))
    seen = []
    for k in range(CALLS):
        if k in (4, 7):
            mge.random.set_generator("xoroshiro128+" if k == 4 else "xorwow")
        seen.append(f(one()).item())
    return seen


@program
def a_traced_function_in_another(wrap: Wrap) -> Any:
    scale = 1.0
    inner = wrap(lambda x: x * scale)
    outer = wrap(lambda x: inner(x) + 1)
    seen = []
    for k in range(CALLS):
        scale = 1.0 + k // 4
        seen.append((outer(one()).item(), inner(one(2.0)).item()))
    return seen


# Results of every structure.


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
