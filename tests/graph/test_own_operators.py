"""Operators of a user's own file."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from megengine import Tensor, graph
from megengine.core.ops import custom
from megengine.graph.apply import apply
from megengine.graph.host.interpreter import interpret
from megengine.ops.elemwise import add
from megengine.ops.op import op
from megengine.utils import custom_op_tools


@op()
def doubled(x):
    return jax.pure_callback(lambda x: np.asarray(x) * np.float32(2), jax.ShapeDtypeStruct(x.shape, x.dtype), x)


@pytest.mark.parametrize("tier", ["host", "compiled"])
def test_python_is_called_back(tier: str) -> None:
    alone = graph.counters.compiled_alone["pure_callback"]
    with graph.tier(tier):
        np.testing.assert_array_equal((apply(doubled, Tensor([1.0, 2.0])) + 1).numpy(), [3, 5])
    assert graph.counters.compiled_alone["pure_callback"] == alone


def test_what_python_gives_is_what_was_declared() -> None:
    declared = jax.ShapeDtypeStruct((2,), np.float32)
    call = interpret(
        jax.make_jaxpr(lambda x: jax.pure_callback(lambda x: np.zeros(3, np.float32), declared, x))(np.float32(1))
    )
    with pytest.raises(TypeError, match=r"gave float32\[3\], where float32\[2\] was declared"):
        call(np.float32(1))


def test_programs_with_own_operators_are_not_looked_for_on_the_disk() -> None:
    """Their functions may have changed since: the name of one says nothing of what it computes."""

    def declared(factor: float) -> Any:
        @op()
        def scaled(x):
            return jnp.float32(factor) * x

        return scaled

    assert [declared(factor).identity for factor in (2.0, 3.0)] == ["", ""]
    assert add.identity == "megengine.ops.elemwise.add add"


@pytest.mark.parametrize(
    "refused",
    [
        lambda: custom.load("ops.so"), lambda: custom.unload("ops.so"), lambda: custom_op_tools.load("ops.so"),
        lambda: custom_op_tools.build("own", ["own.cpp"], verbose=True),
        lambda: custom_op_tools.build_and_load("own", ["own.cpp"], extra_include_paths=[]), lambda: custom.MatMulScaleForward,
    ],
)  # fmt: skip
def test_the_old_way_points_to_the_page(refused: Any) -> None:
    with pytest.raises((NotImplementedError, AttributeError), match=r"docs/custom-operators\.md"):
        refused()
