"""Mistakes of the first hour that would change nothing, or that Python explains by something else."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
import megengine.optimizer as O  # as short as the others
from megengine import Parameter, Tensor, data
from megengine.autodiff import GradManager


@pytest.mark.parametrize(
    ("call", "wrong", "right"),
    [
        (lambda: M.Conv2d(3, 8, kernal_size=3), "kernal_size", "kernel_size"),
        (lambda: M.ConvBn2d(3, 8, kernelsize=3), "kernelsize", "kernel_size"),
        (lambda: M.Linear(3, out_feature=2), "out_feature", "out_features"),
        (lambda: M.MaxPool2d(kernal_size=2), "kernal_size", "kernel_size"),
        (lambda: M.BatchNorm2d(4, momentun=0.9), "momentun", "momentum"),
        (lambda: M.Dropout(drop_probs=0.5), "drop_probs", "drop_prob"),
        (lambda: O.SGD([Parameter([1.0])], lr=0.1, momentun=0.9), "momentun", "momentum"),
        (lambda: O.Adam([Parameter([1.0])], lr=0.1, beta=(0.9, 0.99)), "beta", "betas"),
        (lambda: data.RandomSampler(np.arange(3), batchsize=2), "batchsize", "batch_size"),
    ],
)
def test_a_misspelt_setting(call: Callable[[], object], wrong: str, right: str) -> None:
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{wrong}'. Did you mean '{right}'"):
        call()


def test_a_setting_that_is_missing_is_named_where_none_is_misspelt() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'kernel_size'"):
        M.Conv2d(3, 8, name="first")


class Forgetful(M.Module):
    def __init__(self) -> None:
        self.n = 3

    def forward(self, x: Tensor) -> Tensor:
        return x * self.n


@pytest.mark.parametrize(
    "use",
    [
        repr,
        lambda net: net(Tensor([1.0])),
        lambda net: net.training,
    ],
)
def test_a_module_whose_init_does_not_call_that_of_its_base(use: Callable[[M.Module], object]) -> None:
    with pytest.raises(AttributeError, match=r"Forgetful.__init__\(\) has not called super\(\).__init__\(\)"):
        use(Forgetful())


def test_the_data_of_a_tensor_cannot_be_assigned() -> None:
    net = M.Linear(2, 3)
    before = net.weight.numpy()
    for value in (np.zeros((3, 2)), Tensor(np.zeros((3, 2))), None):
        with pytest.raises(AttributeError, match=r"no attribute 'data' to set; MegEngine's spelling is x\[...\] = y"):
            net.weight.data = value
    np.testing.assert_array_equal(net.weight.numpy(), before)
    assert not hasattr(net.weight, "data") and "data" not in dir(net.weight)
    copy.deepcopy(net.weight)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(np.zeros((3, 2), "float32"), "an array"), ([[0.0] * 2] * 3, "a list"), (3, "a number"), (np.float32(3), "a number")],
)
def test_a_parameter_replaced_by_numbers_is_told(value: object, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("megengine.graph.source._warned", {})
    net = M.Linear(2, 3)
    with pytest.warns(UserWarning, match=f"'weight' was a Parameter and is {kind} now"):
        net.weight = value  # type: ignore[assignment]
    net.other = np.zeros(3)
    net.bias = Tensor(np.zeros(3))


def test_milestones_are_a_list() -> None:
    with pytest.raises(TypeError, match="milestones must be a list of epochs, not 3"):
        O.MultiStepLR(O.SGD([Parameter([1.0])], lr=0.1), 3)  # type: ignore[arg-type]


REST: dict[str, tuple[object, ...]] = {
    "cumsum": (0,), "expand_dims": (0,), "logsoftmax": (1,), "logsumexp": (1,), "reshape": ((3, 2),), "transpose": ((1, 0),),
    "swapaxes": (0, 1), "split": (2,), "repeat": (2,), "tile": (2,), "roll": (1,), "topk": (1,), "norm": (2, 1),
}  # fmt: skip
FUNCTIONS = [
    *REST, "diag", "flatten", "max", "mean", "min", "prod", "softmax", "squeeze", "std", "sum", "var", "relu", "argmax", "sort",
]  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_tensor_is_named(name: str) -> None:
    function, rest = getattr(F, name), REST.get(name, ())
    for wrong in (None, "abc", {"a": 1}, np, F.relu):
        with pytest.raises(
            (TypeError, ValueError), match=r"give numbers|must be a Tensor, not|None and is not supported"
        ):
            function(wrong, *rest)
    rows = np.float32(
        [[1, 4, 2], [5, 3, 6]]
    )  # the first two refuse arrays, the others give arrays for them, as in MegEngine
    if name not in ("argmax", "norm", "reshape", "transpose", "swapaxes"):
        for found, wanted in zip(_parts(function(rows, *rest)), _parts(function(Tensor(rows), *rest)), strict=True):
            np.testing.assert_array_equal(found.numpy(), wanted.numpy())


def _parts(result: object) -> list[Tensor]:
    return list(result) if isinstance(result, (list, tuple)) else [result]  # type: ignore[list-item]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.swapaxes(x, 0, (0, 1)),
        lambda x: F.split(x, 2, [0, 1]),
        lambda x: F.flatten(x, 0, None),
        lambda x: F.flatten(x, [0]),
        lambda x: x.transpose(Tensor(0)),
        lambda x: F.sum(x, "0"),
    ],
)
def test_an_axis_that_is_no_number(call: Callable[[Tensor], object]) -> None:
    with pytest.raises((TypeError, ValueError), match="must be an integer, not|must be a sequence, not"):
        call(Tensor(np.ones((2, 3))))


@pytest.mark.parametrize(
    ("call", "error", "hint"),
    [
        (lambda net, x: M.ReLU(x), AssertionError, r"ReLU\(\.\.\.\) makes a layer, call that: ReLU\(\)\(x\)"),
        (lambda net, x: M.Sequential(M.ReLU)(x), AssertionError, r"call that: ReLU\(\)\(x\)"),
        (lambda net, x: O.SGD(net, lr=0.1), TypeError, r"Linear'>: pass net.parameters\(\)"),
        (lambda net, x: O.SGD([net], lr=0.1), TypeError, r"Sequential'>: pass net.parameters\(\)"),
        (lambda net, x: GradManager().attach(net), AssertionError, r"not Linear; give parameters"),
        (lambda net, x: F.nn.pad(x, 3), RuntimeError, "pad_width must be a pair of numbers for each dimension"),
    ],
)
def test_a_layer_or_number_where_something_else_belongs(
    call: Callable[[M.Module, Tensor], object], error: type[Exception], hint: str
) -> None:
    with pytest.raises(error, match=hint):
        call(M.Sequential(M.Linear(2, 2)), Tensor([1.0, 2.0]))
