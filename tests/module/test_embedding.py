"""Tables of vectors."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

import megengine.module as M
from megengine import Tensor
from megengine.autodiff import GradManager


def test_a_frozen_table_has_no_gradient() -> None:
    table = M.Embedding(5, 2)
    index = Tensor([1, 0, 1])
    for freeze in (False, True):
        table.freeze, table.weight.grad = freeze, None
        told = pytest.warns(UserWarning, match="gives no tensor a gradient") if freeze else nullcontext()
        with told, GradManager().attach([table.weight]) as manager:
            manager.backward(table(index).sum())
        assert (table.weight.grad is None) == freeze
        if not freeze:
            assert table.weight.grad.numpy()[:, 0].tolist() == [1, 2, 0, 0, 0]


@pytest.mark.parametrize("option", ["padding_idx", "max_norm", "norm_type"])
def test_what_tables_do_not_support(option: str) -> None:
    with pytest.raises(ValueError, match=f"{option}=1 is not supported"):
        M.Embedding(5, 2, **{option: 1})
