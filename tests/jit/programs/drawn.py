"""Data drawn in the body: random numbers and iterators."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Tensor

from .program import CALLS, Holder, Wrap, one, program


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
def an_iterator_as_argument(wrap: Wrap) -> Any:
    numbers = itertools.count()
    f = wrap(lambda x, source: x * next(source))
    return [f(one(), numbers).item() for _ in range(CALLS)]


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
