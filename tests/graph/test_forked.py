"""An op in a forked child says at once what to do; what has been computed can be read there."""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
from megengine import Tensor
from tests.processes import Programs

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def _in_child(body: Callable[[], object], answers: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    try:
        answers.put(repr(body()))
    except BaseException as error:
        answers.put(f"{type(error).__name__}: {error}")


def _forked(body: Callable[[], object]) -> str:
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_in_child, args=(body, answers))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX and Python warn of forks
        child.start()
    try:
        return str(answers.get(timeout=120))
    finally:
        child.kill()
        child.join()


def test_ops_in_a_forked_child_say_what_to_do() -> None:
    x = Tensor([1.0, 2.0])
    computed = (x + 1).numpy()
    pending = x * 3
    for body in (lambda: x + 1, lambda: pending.numpy(), lambda: F.ones((2,)), lambda: mge.random.normal(size=(2,)).numpy()):
        answer = _forked(body)
        assert answer.startswith("RuntimeError: this process was forked"), answer
        assert 'get_context("spawn")' in answer
    np.testing.assert_array_equal(pending.numpy(), [3, 6])
    np.testing.assert_array_equal(computed, [2, 3])


def test_what_has_been_computed_can_be_read_in_a_forked_child() -> None:
    x = F.exp(Tensor([0.0, 0.0]))
    x.numpy()
    assert _forked(lambda: x.numpy().tolist()) == "[1.0, 1.0]"
    assert _forked(lambda: Tensor([4.0]).item()) == "4.0"


def test_the_parent_goes_on() -> None:
    x = Tensor([1.0]) * 2
    _forked(lambda: sys.version)
    assert (x + 1).item() == 3


def test_a_forked_child_ends(programs: Programs) -> None:
    """What ends XLA's client at the interpreter's end would wait for its threads for ever."""
    program = """
        import os, sys, warnings
        import megengine as mge
        warnings.simplefilter("ignore")
        (mge.tensor([1.0]) + 1).numpy()
        import jax
        jax.local_devices()
        child = os.fork()
        if not child:
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    out, error = programs.start(program).communicate(timeout=120)
    assert out.strip() == "3", error
