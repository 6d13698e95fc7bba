"""Tensors beside NumPy's numbers and arrays, on either side, against NumPy in the tensor's precision."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor, graph
from megengine.amp import GradScaler
from megengine.autodiff import GradManager
from megengine.core.tensor.dtype import qint8
from megengine.optimizer import SGD, Adam, Optimizer

from . import gradients

OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv, "**": operator.pow,
    "<": operator.lt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
    "divmod": divmod, "@": operator.matmul,
}  # fmt: skip
FLOATS = ["float16", "float32"]
WEAK = ["float64", "longdouble", "int64", "uint32"]
A = np.array([1.0, 2.0, 4.0])


def both_sides(symbol: str, own: str, data: str) -> Iterator[tuple[Tensor, np.ndarray]]:
    """Results of an operator with an array, a scalar and a 0-d array on the right and on the left, and NumPy's."""
    call = OPERATORS[symbol]
    x = np.array([3, 1, 2]).astype(own)
    meets = own if own in FLOATS else "float32" if data in WEAK[:2] or own == "bool" or symbol in ("/", "**") else own
    for other in (A.astype(data), A.astype(data)[1], np.array(A[1], data)):
        if symbol == "@" and np.ndim(other) == 0:
            continue
        for left in (False, True):
            pair = (other.astype(meets), x.astype(meets)) if left else (x.astype(meets), other.astype(meets))
            wanted = call(*pair)
            found = call(other, Tensor(x)) if left else call(Tensor(x), other)
            yield from zip(found, wanted, strict=True) if symbol == "divmod" else ((found, wanted),)


@pytest.mark.parametrize("own", [*FLOATS, "int32", "uint8", "bool"])
def test_both_sides(own: str) -> None:
    """64-bit data take the tensor's precision; floats beside integers and bools are float32."""
    pairs = [(s, *pair) for s in OPERATORS for data in WEAK for pair in both_sides(s, own, data)]  # one program
    for symbol, found, wanted in pairs:
        dtype = np.dtype("int32") if (symbol, wanted.dtype) == ("@", "uint8") else wanted.dtype
        assert found.dtype == dtype, symbol
        np.testing.assert_allclose(found.numpy(), wanted, rtol=2e-3 if own == "float16" else 1e-6, err_msg=symbol)


@pytest.mark.parametrize("function", ["add", "maximum", "minimum", "pow", "equal", "less", "atan2", "logaddexp", "mod"])
def test_functions(function: str) -> None:
    x = np.float32([3, 1, 2])
    numpy_name = {"pow": "power", "atan2": "arctan2", "mod": "fmod"}.get(function, function)
    for other in (A, A[1], np.array(2.0), np.int64(2), A.astype("int64")):
        wanted = getattr(np, numpy_name)(x, np.float32(other))
        found = getattr(F, function)(Tensor(x), other)
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-6)


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "//", "%", "**"])
def test_in_place(symbol: str) -> None:
    call = {"%": operator.imod, "//": operator.ifloordiv, "**": operator.ipow, "+": operator.iadd}.get(symbol)
    call = call or {"-": operator.isub, "*": operator.imul, "/": operator.itruediv}[symbol]
    for other in (A, np.float64(2), np.int64(2)):
        x, right = Tensor([3.0, 1.0, 2.0]), np.float32([3, 1, 2])
        same = x
        x = call(x, other)
        assert x is same
        np.testing.assert_allclose(x.numpy(), call(right, np.float32(other)), rtol=1e-6)


def test_an_array_takes_a_tensor_in_place_as_in_the_reference() -> None:
    total = kept = np.zeros(2, "float32")
    total += Tensor([1.0, 2.0])
    assert isinstance(total, Tensor) and total.tolist() == [1, 2]
    assert kept.tolist() == [0, 0]


def test_gradients_flow_past_numpy_operands() -> None:
    x = np.float32([[0.5, 2], [1.5, 3]])
    b = np.array([[1.0, 2.0], [3.0, 4.0]])
    for call in (
        lambda t: np.sqrt(2) * t / b,
        lambda t: b - t**2,
        lambda t: b @ t,
        lambda t: F.concat([t, b]),
        lambda t: F.stack([b, t]),
        lambda t: F.where(b > 2, t, b),
        lambda t: np.sum(t, axis=0) * np.mean(t),
        lambda t: round(b * t, 1) * t,
        lambda t: np.reshape(t, (4,)) * np.arange(4.0),
    ):
        gradients.check(call, x)


@pytest.mark.usefixtures("compiled")
def test_a_changing_numpy_number_compiles_nothing() -> None:
    x = Tensor([1.0, 2.0])
    for value in (np.float64(0.5), np.int64(3)):
        (x * value + value).numpy()
        before = graph.counters.compilations.total()
        for k in range(2, 6):
            np.testing.assert_allclose((x * (value * k) + value * k).numpy(), np.float32([2, 3]) * float(value * k))
        assert graph.counters.compilations.total() == before


def test_wide_integers_have_to_fit() -> None:
    for call in (
        lambda: Tensor([1, 2]) + np.array([2**31, 1]),
        lambda: Tensor(np.int8([1, 2])) + np.array([128, 1]),
        lambda: Tensor(np.uint8([1, 2])) * [256, 1],
        lambda: Tensor(np.uint8([1, 2])) - np.array([-1, 1]),
    ):
        with pytest.raises(OverflowError, match="fit"):
            call()
    assert (Tensor([1.0, 2.0]) * np.array([2**40, 1])).tolist() == [2**40, 2]
    assert F.concat([Tensor([1.5]), np.array([2**40])]).tolist() == [1.5, 2**40]


def test_nothing_to_join() -> None:
    n = Tensor([1, 2])
    joined = F.concat([n, ()])
    assert joined.dtype == np.int32 and joined.tolist() == [1, 2]


def test_narrow_numpy_scalars_keep_the_reference_promotion() -> None:
    h, n = Tensor(np.float16([1, 2])), Tensor([1, 2])
    assert (h * np.float32(2)).dtype == np.float32
    assert (n * np.float16(2)).dtype == np.float32
    assert (n * np.int8(2)).dtype == np.int32
    with pytest.raises(RuntimeError, match="unsigned"):
        Tensor(np.uint8([1])) * np.int32(2)


def test_none_equals_no_tensor() -> None:
    x, y = Tensor([1.0, 2.0]), Tensor(3.0)
    assert (x == None) is False and (x != None) is True and (x == None) is False  # noqa: E711
    assert x in [None, x] and y in [None, y] and None not in x
    assert [None, y].index(y) == 1
    with pytest.raises(TypeError):
        x < None  # noqa: B015


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-100, 100, width=32).filter(lambda v: v == 0 or abs(v) > 1e-3), min_size=1, max_size=4),
    st.floats(-9, 9, width=32).filter(lambda v: abs(v) > 0.1),
)
def test_divmod_of_floats(values: list[float], divisor: float) -> None:
    whole, rest = (t.numpy() for t in divmod(Tensor(values), divisor))
    np.testing.assert_allclose(whole * np.float32(divisor) + rest, np.float32(values), rtol=1e-4, atol=1e-4)
    assert ((rest == 0) | (np.sign(rest) == np.sign(divisor))).all()
    assert (whole == np.round(whole)).all() and (np.abs(rest) <= abs(divisor)).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(-(2**30), 2**30), st.integers(1, 500), st.booleans())
def test_divmod_of_integers(n: int, divisor: int, negative: bool) -> None:
    divisor = -divisor if negative else divisor
    assert tuple(t.item() for t in divmod(Tensor(n), divisor)) == divmod(n, divisor)
    assert tuple(t.item() for t in divmod(n, Tensor(divisor))) == divmod(n, divisor)


@settings(max_examples=60, deadline=None)
@given(st.integers(-(10**7), 10**7), st.integers(-6, 3))
def test_round_of_integers(n: int, digits: int) -> None:
    scale = 10 ** max(-digits, 0)
    wanted = (abs(n) + scale // 2) // scale * scale * (1 if n >= 0 else -1)
    assert round(Tensor(n), digits).item() == wanted


def test_round_of_floats() -> None:
    x = np.float32([1.2344, -1.2358, 123.456, 0])
    for digits in (-2, -1, 1, 2, 3):
        np.testing.assert_allclose(round(Tensor(x), digits).numpy(), np.round(x.astype("f8"), digits), rtol=1e-6)
    assert round(Tensor([0.25, -0.25]), 1).tolist() == pytest.approx([0.3, -0.3])
    with pytest.raises(TypeError):
        round(Tensor(1.0), 1.5)


def test_formats() -> None:
    assert (f"{Tensor(1.23456):.3f}", f"{Tensor([[7]]):>4d}|", f"{Tensor(True)!s:.6}") == ("1.235", "   7|", "Tensor")
    assert f"{Tensor([1.0, 2.0])}" == str(Tensor([1.0, 2.0]))
    with pytest.raises(TypeError, match="2,"):
        f"{Tensor([1.0, 2.0]):.3f}"
    with pytest.raises(ValueError):
        f"{Tensor(1.5):d}"


def test_array_protocol() -> None:
    x = Tensor([1.0, 2.0])
    assert np.array(x).dtype == np.float32 and np.asarray(x, "int64").tolist() == [1, 2]
    assert np.array(x, copy=True) is not np.array(x, copy=None)
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, copy=False)
    taken = np.asarray(x)
    taken[:] = 7
    assert x.tolist() == [1, 2]
    np.testing.assert_allclose(x, [1, 2])
    assert np.concatenate([x, np.ones(1)]).tolist() == [1, 2, 1] and np.argmax(x) == 1
    assert np.sum(x, dtype="float64") == 3 and np.mean(x, axis=0).item() == 1.5


def test_numpy_functions_that_give_tensors() -> None:
    """Those that give one in MegEngine; what has 64 bits stays an array, and so does what is written into one."""
    x = Tensor([[3.0, -1.0], [2.0, 4.0]])
    a = x.numpy()
    given = {
        "take": ([1, 0],), "repeat": (2,), "swapaxes": (0, 1), "squeeze": (), "clip": (0, 2), "cumsum": (1,), "cumprod": (),
        "round": (), "insert": (0, 9), "delete": (0,), "sqrt": (), "modf": (), "frexp": (), "divmod": (x,), "split": (2,),
    }  # fmt: skip
    for name, arguments in given.items():
        with np.errstate(invalid="ignore"):
            found, wanted = (getattr(np, name)(of, *arguments) for of in (x, a))
        for one, right in zip(found, wanted, strict=True) if isinstance(wanted, (tuple, list)) else ((found, wanted),):
            assert isinstance(one, Tensor), name
            np.testing.assert_array_equal(one.numpy(), right, err_msg=name)
    assert type(np.argsort(x)) is type(np.cumsum(x.astype("int32"))) is type(np.take([5, 6], x[0] > 0)) is np.ndarray
    out = np.zeros((2, 2), np.float32)
    assert np.clip(x, 0, 2, out=out) is out and np.add(x, 1, out=out) is out and out.tolist() == (a + 1).tolist()
    assert np.add(x, 1, out=out, where=x > 2)[0, 0] == 4
    for operand in (x, out):
        with pytest.raises(TypeError, match=r"numpy.add: out= must be an array, not a tensor"):
            np.add(operand, x, out=x)
    assert x.numpy().tolist() == a.tolist()


def test_numpy_reductions_keep_the_history() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    gm = GradManager().attach([x])
    with gm:
        gm.backward(np.sum(np.max(x, axis=1)) + np.mean(x) + np.min(x) + np.prod(x, axis=0).sum())
    np.testing.assert_allclose(x.grad.numpy(), np.float32([[4.25, 5.25], [1.25, 3.25]]))


SETTINGS = {
    "layer_norm": lambda s: F.nn.layer_norm(X, (4,), False, eps=s),
    "batch_norm": lambda s: F.nn.batch_norm(X, F.zeros(3), F.ones(3), training=False, eps=s),
    "group_norm": lambda s: F.nn.group_norm(X, 1, False, eps=s),
    "instance_norm": lambda s: F.nn.instance_norm(X, False, eps=s),
    "general_norm": lambda s: F.nn.general_norm(X, (1,), False, eps=s),
    "local_response_norm": lambda s: F.nn.local_response_norm(X, 3, alpha=s),
    "norm": lambda s: F.norm(X, s, 1),
    "nms": lambda s: F.vision.nms(X[0, 0], Tensor([3.0, 2.0, 1.0, 0.0]), s),
    "arange": lambda s: F.arange(0, 1, s),
    "dropout": lambda s: F.dropout(X, s - 0.25),
    "remap": lambda s: F.vision.remap(X, X.reshape(1, 4, 6, 2), border_mode="constant", scalar=s),
    "psroi": lambda s: F.nn.deformable_psroi_pooling(F.ones((1, 4, 4, 4)), ROI, F.zeros((1, 2, 2, 2)), True, 2, 2, 2, 2, s),
    "qint8": lambda s: X.astype(qint8(s)).astype("float32"),
    "GradScaler": lambda s: Tensor(GradScaler(s, growth_factor=s * 8, backoff_factor=s).scale_factor),
    "SGD": lambda s: _stepped(SGD, lr=s, momentum=s, weight_decay=s),
    "SGD without momentum": lambda s: _stepped(SGD, lr=s, weight_decay=s),
    "Adam": lambda s: _stepped(Adam, lr=s, weight_decay=s, eps=s),
}
ROI = Tensor([[0.0, 0.0, 0.0, 12.0, 12.0]])
X = Tensor(np.arange(48, dtype="float32").reshape(1, 3, 4, 4) % 7)


COUNTS = {
    "roll": lambda s: F.roll(X, s, s),
    "roll of several": lambda s: F.roll(X, (s, 0), (s, 2)),
    "GeneralNorm": lambda s: M.GeneralNorm((3, 4), (s, 2))(X),
    "ctc_loss": lambda s: F.nn.ctc_loss(X[0], Tensor([3, 3, 3, 3]), Tensor([[2], [2], [2], [2]]), Tensor([1, 1, 1, 1]), s),
}


def _stepped(kind: type[Optimizer], **options: object) -> Tensor:
    w = Parameter([1.0, 2.0])
    w.grad = Tensor([1.0, -1.0])
    kind([w], **options).step()
    return w


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_one_element(name: str) -> None:
    """Tensors and arrays of one element are settings: attributes of an operator that are numbers."""
    wanted = SETTINGS[name](0.25).numpy()
    given = [np.array(0.25), np.float32(0.25), Tensor(0.25), Tensor([0.25])]
    found = [SETTINGS[name](s).numpy() for s in (given if "SGD" in name or name == "Adam" else [*given, np.array([0.25])])]
    for one in found:
        np.testing.assert_allclose(one, wanted, rtol=1e-6)


@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_one_element(name: str) -> None:
    wanted = COUNTS[name](1).numpy()
    for count in (np.int64(1), np.array(1), np.array([1]), Tensor(1), Tensor([1])):
        np.testing.assert_allclose(COUNTS[name](count).numpy(), wanted, rtol=1e-6)
