"""Tensors from and to other libraries' arrays: the same memory, every dtype, and what is refused."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import megengine as mge
from megengine import Tensor
from megengine.utils.dlpack import from_dlpack, to_dlpack

ON_CPU = not mge.is_cuda_available()


def address(x: Tensor) -> int:
    return int(x._concrete().unsafe_buffer_pointer())


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy in memory that XLA can use where it is."""
    memory = np.empty(array.nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@pytest.mark.skipif(not ON_CPU, reason="compares addresses on the host")
def test_memory_is_shared() -> None:
    theirs = aligned(np.arange(32, dtype="float32").reshape(4, 8))
    for source in (theirs, theirs.__dlpack__()):
        ours = from_dlpack(source)
        assert address(ours) == theirs.ctypes.data
        np.testing.assert_array_equal(ours.numpy(), theirs)
    computed = Tensor([1.0, 2.0]) * 2
    assert address(from_dlpack(to_dlpack(computed))) == address(computed)
    back = np.from_dlpack(computed)
    assert back.ctypes.data == address(computed) and back.tolist() == [2, 4]


@pytest.mark.skipif(not ON_CPU, reason="compares addresses on the host")
def test_pytorch_shares_memory() -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.arange(32, dtype=torch.float32).reshape(4, 8)
    for source in (theirs, torch.utils.dlpack.to_dlpack(theirs)):
        ours = from_dlpack(source)
        assert address(ours) == theirs.data_ptr()
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    computed = Tensor([1.0, 2.0]) * 2
    back = torch.utils.dlpack.from_dlpack(to_dlpack(computed))
    assert back.data_ptr() == address(computed) and back.tolist() == [2, 4]
    assert torch.from_dlpack(computed).data_ptr() == address(computed)


@pytest.mark.skipif(not ON_CPU, reason="memory on the host")
def test_foreign_memory_is_never_overwritten() -> None:
    theirs = aligned(np.zeros(1024, "float32"))
    ours = from_dlpack(theirs)
    assert address(ours) == theirs.ctypes.data
    for _ in range(3):
        ours += 1
        mge._full_sync()
    assert ours.numpy().min() == 3 and abs(theirs).max() == 0


def test_orders_and_shapes() -> None:
    np.testing.assert_array_equal(
        from_dlpack(np.arange(6, dtype="int8").reshape(2, 3).T).numpy(), [[0, 3], [1, 4], [2, 5]]
    )
    assert from_dlpack(np.array(3, "float32")).item() == 3
    assert from_dlpack(np.zeros((0, 2), "int32")).shape == (0, 2)


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float32", "int8", "int16", "int32", "uint8", "bool", "complex64"]
)
def test_dtypes(dtype: str) -> None:
    theirs = jnp.array([[1, 0], [1, 1]], dtype)
    ours = from_dlpack(theirs)
    assert ours.dtype.name == dtype
    np.testing.assert_array_equal(ours.numpy().astype("complex64"), [[1, 0], [1, 1]])
    again = jnp.from_dlpack(ours)
    assert again.dtype == theirs.dtype and (again == theirs).all()


def test_capsules_are_used_once_and_gradients_flow() -> None:
    capsule = to_dlpack(Tensor([3.0]), stream=-1)
    x = from_dlpack(capsule, stream=0)
    with mge.autodiff.GradManager().attach(x) as manager:
        manager.backward((x * x).sum())
    assert x.grad.tolist() == [6]
    with pytest.raises(RuntimeError, match="has been used"):
        from_dlpack(capsule)


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint32", "complex128"])
def test_dtypes_that_tensors_lack(dtype: str) -> None:
    array: Any = np.ones(3, dtype)
    with pytest.raises(RuntimeError, match=f"no dtype {dtype}"):
        from_dlpack(array)
    with pytest.raises(RuntimeError, match=f"no dtype {dtype}"):
        from_dlpack(array.__dlpack__())


def test_what_is_refused() -> None:
    with pytest.raises(RuntimeError, match="give the array itself"):
        from_dlpack(np.arange(3, dtype="float32").__dlpack__(max_version=(1, 0)))
    with pytest.raises(RuntimeError, match="not a list"):
        from_dlpack([1.0])
    with pytest.raises(AssertionError, match="it is -1"):
        from_dlpack(np.ones(2, "float32"), stream=-1)
    with pytest.raises(TypeError, match="not a ndarray"):
        to_dlpack(np.ones(2))
    with pytest.raises(RuntimeError, match="is on none of ours"):
        from_dlpack(type("Elsewhere", (), {"__dlpack__": None, "__dlpack_device__": lambda self: (2, 77)})())
