"""Boolean masks whose length is not their dimension's: MegEngine 1.13 takes the places where they are True."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from megengine import Tensor
from megengine.autodiff import GradManager
from megengine.graph import source

_X = np.arange(24, dtype=np.float32).reshape(4, 6)
_KINDS: dict[str, Callable[[list[bool]], Any]] = {
    "tensor": lambda m: Tensor(m),
    "pending": lambda m: Tensor(np.array(m, np.float32)) > 0,
    "array": lambda m: np.array(m),
    "list": lambda m: m,
}


@pytest.fixture(autouse=True)
def _nothing_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_warned", {})


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("mask", [[True, False, True], [True, False, False, True, False, False, False], [False, False]])
def test_reading(kind: str, mask: list[bool]) -> None:
    places = np.flatnonzero(mask)
    m, x = _KINDS[kind](mask), Tensor(_X)
    with pytest.warns(UserWarning, match=f"a mask of length {len(mask)} indexes dimension 1 of size 6"):
        np.testing.assert_array_equal(x[..., m].numpy(), _X[..., places])
    with pytest.warns(UserWarning, match="indexes dimension 0 of size 4"):
        np.testing.assert_array_equal(x[m[:3]].numpy(), _X[places[places < 3]])
    with pytest.warns(UserWarning, match="indexes dimension 1"):
        np.testing.assert_array_equal(x[1, m].numpy(), _X[1, places])
    with pytest.warns(UserWarning, match="indexes dimension 1"):
        np.testing.assert_array_equal(x[:, None, m].numpy(), _X[:, None, places])


@pytest.mark.parametrize("kind", _KINDS)
def test_assigning(kind: str) -> None:
    mask = [True, False, True]
    m = _KINDS[kind](mask)
    for index, plain, value in (
        ((Ellipsis, m), (Ellipsis, [0, 2]), -1.0),
        (m, [0, 2], -1.0),
        (m, [0, 2], np.array([[5.0], [6.0]], np.float32)),
        ((slice(1, 3), m), (slice(1, 3), [0, 2]), np.array([7.0, 8.0], np.float32)),
    ):
        x, expected = Tensor(_X), _X.copy()
        source._warned.clear()
        with pytest.warns(UserWarning, match="a mask of length 3"):
            x[index] = value
        expected[plain] = value
        np.testing.assert_array_equal(x.numpy(), expected)


def test_one_warning_at_the_users_line_whatever_the_lengths() -> None:
    with pytest.warns(UserWarning) as seen:
        for n in (2, 3, 4, 5):
            Tensor(_X)[..., Tensor([True] * n)]
    assert [w.filename for w in seen] == [__file__]
    assert "length 2" in str(seen[0].message)


def test_gradients_flow_to_what_is_selected() -> None:
    x = Tensor(_X)
    with pytest.warns(UserWarning), GradManager().attach(x) as gm:
        gm.backward((x[..., Tensor([False, True])] * 3).sum())
    expected = np.zeros_like(_X)
    expected[:, 1] = 3
    np.testing.assert_array_equal(x.grad.numpy(), expected)


@pytest.mark.parametrize("kind", _KINDS)
def test_true_beyond_the_dimension_is_an_error(kind: str) -> None:
    x, m = Tensor(_X), _KINDS[kind]([True, False, False, False, False, True])
    with pytest.raises(IndexError, match="a mask of length 6 is True at 5, which dimension 0 of size 4 does not have"):
        x[m]
    with pytest.raises(IndexError, match="length 6 is True at 5"):
        x[m] = 1.0
    np.testing.assert_array_equal(x.numpy(), _X)


@pytest.mark.parametrize("shape", [(3, 6), (4, 3), (5, 6), (4, 9)])
def test_masks_of_several_dimensions_must_fit(shape: tuple[int, int]) -> None:
    x = Tensor(_X)
    with pytest.raises(IndexError, match="a mask of shape"):
        x[np.zeros(shape, bool)]
    with pytest.raises(IndexError, match="a mask of shape"):
        x[np.zeros(shape, bool)] = 1.0
