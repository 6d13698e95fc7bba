"""Parts of modules by dotted names."""

from __future__ import annotations

import resource
import sys

import pytest

import megengine.module as M
from megengine.utils.max_recursion_limit import max_recursion_limit
from megengine.utils.module_utils import get_expand_structure, set_expand_structure


class Nested(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = [M.ReLU(), {"inner": M.Sequential(M.Linear(2, 2), M.ReLU())}]

    def forward(self, x: object) -> object:
        return x


def test_every_name_of_a_module_leads_to_it() -> None:
    net = Nested()
    for name, part in net.named_modules():
        assert get_expand_structure(net, name) is part
    for name, tensor in net.named_tensors():
        assert get_expand_structure(net, name) is tensor
    for wrong, error in (("nosuch", AttributeError), ("blocks.5", IndexError), ("blocks.1.outer", KeyError)):
        with pytest.raises(error):
            get_expand_structure(net, wrong)


@pytest.mark.parametrize("name", ["blocks.0", "blocks.1.inner", "blocks.1.inner.0", "extra"])
def test_a_part_can_be_replaced(name: str) -> None:
    net, new = Nested(), M.Sigmoid()
    set_expand_structure(net, name, new)
    assert get_expand_structure(net, name) is new
    assert new in list(net.modules())


def test_recursion_limits_nest() -> None:
    before = sys.getrecursionlimit(), resource.getrlimit(resource.RLIMIT_STACK)
    with max_recursion_limit():
        with max_recursion_limit():
            pass
        assert sys.getrecursionlimit() == 2**31 - 1
    assert (sys.getrecursionlimit(), resource.getrlimit(resource.RLIMIT_STACK)) == before
