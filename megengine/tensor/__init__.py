"""Tensor and Parameter."""

from __future__ import annotations

import copyreg
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np

from .._help.names import no_tensor_attribute
from ..graph.apply import apply, rebind
from ..graph.checks import verify
from ..graph.device import Device, resolve
from ..graph.dtypes import BFLOAT16, dtype_of
from ..graph.errors import SizeError
from ..graph.guards import note_held, note_view
from ..graph.host_data import host_value, to_array
from ..graph.partition import follow
from ..graph.recorder import thread
from ..graph.sized import apply_sized
from ..graph.spanning import whole
from ..graph.value import Handle, Value, aval, new_handle, register_handle_type
from ..logger import get_logger
from ..ops import elemwise, reduce
from ..ops import shape as shape_ops
from ..ops import sized as sized_ops
from ..ops.formats import FORMATS
from . import axes as _axes
from .conversions import converted, moved, requantized
from .graph_sizes import in_graph
from .indexing import getitem as _getitem
from .indexing import setitem as _setitem
from .protocols import Protocols, realize
from .qparams import QParams, QuantMode
from .reductions import reduced
from .sizes import Sizes
from .sizes import asked as _asked

if TYPE_CHECKING:
    from ..graph.explain import Explanation

logger = get_logger(__name__)


class _NotHere:
    """An attribute of PyTorch's tensors that, being set, would change nothing: it can be neither read nor set."""

    def __get__(self, tensor: Any, owner: Any = None) -> Any:
        if tensor is None:
            return self
        raise no_tensor_attribute(tensor, "data")

    def __set__(self, tensor: Any, value: Any) -> NoReturn:
        raise AttributeError("'Tensor' object has no attribute 'data' to set; MegEngine's spelling is x[...] = y")


class Tensor(Protocols):
    """A multi-dimensional array of one dtype on one device, the operand of every operation.

    Operations return new tensors and are recorded, not run: values are computed when something needs them.

    Args:
        data: numbers, nested sequences of numbers, a NumPy array (copied; 64-bit becomes 32-bit) or a tensor, whose gradient
            history the new tensor shares.
        dtype: default that of ``data``: float32 for floats, int32 for ints, bool for bools.
        device: such as ``"xpux"`` (default), ``"cpu0"``, ``"gpu0"``.
        is_const: accepted for compatibility; a tensor made from data is a constant of a trace either way.
        no_cache: accepted for compatibility.
        name: default empty.
        format: ``"default"``, ``"nchw"`` or ``"nhwc"``; a label, the layout is XLA's to choose.

    Raises:
        RuntimeError: the data are not numbers, nested sequences of different lengths, a dtype or device that does not exist, or
            another dtype or device for data that is a tensor.
        OverflowError: integers that 32 bits do not hold.

    Example:
        >>> x = megengine.Tensor([[1, 2], [3, 4]], dtype="float32")
        >>> x + 1
        Tensor([[2. 3.]
         [4. 5.]], device=xpux:0)
    """

    __slots__ = ("__dict__",)

    data = _NotHere()
    dmap_callback: Any = None
    _grad: Tensor | None = None
    _qparams: QParams | None = None
    _custom_name: str = ""
    _name: str | None = None
    _short_name: str | None = None
    _prefix: str | None = None

    def __new__(
        cls,
        data: Any = (),
        dtype: Any = None,
        device: Any = None,
        is_const: bool = False,
        no_cache: bool = False,
        name: str | None = None,
        format: str = "default",
    ) -> Self:
        self = object.__new__(cls)
        self._node = None
        self._slot = 0
        if isinstance(data, Handle):
            self._value = converted(data, dtype, device)
            self._node = data._node
            if data._node is not None:
                self._slot = data._slot
            note_view(data, self)
        else:
            self._value = host_value(to_array(data, dtype), resolve(device))
        if format != "default":
            self.format = format
        return self

    def __init__(
        self,
        data: Any,
        dtype: Any = None,
        device: Any = None,
        is_const: bool = False,
        no_cache: bool = False,
        name: str | None = None,
        format: str = "default",
    ) -> None:
        if name is not None:
            self._custom_name = self._name = self._short_name = name

    def explain(self) -> Explanation:
        """Where the value comes from: the operations that lead to it, with lines of the program, as far as that is known.

        All is known of what has not been computed yet, and of what was computed inside of ``with megengine.graph.watch():``. Of
        other values only what is kept for gradients is; the answer says so.

        Returns:
            what prints as text, and can be shown: ``x.explain().show()``.

        Example:
            >>> x = Tensor([1.0, -2.0])
            >>> y = F.relu(x * 2)
            >>> y.explain()  # doctest: +ELLIPSIS
            float32[2], the result of relu at ...
            It has not been computed; it will be when it is read, by 2 operations:
            %0: float32[2] = input
            %1: float32[2] = mul(%0, i0 as float32)    # ...
            %2: float32[2] = relu(%1)    # ...
            return %2
        """
        from ..graph.explain import explain

        return explain(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""
        shape = self._value.aval.shape
        return Sizes(shape) if _asked else shape

    @property
    def _tuple_shape(self) -> tuple[int, ...]:
        return self._value.aval.shape

    @property
    def dtype(self) -> np.dtype:
        """NumPy dtype of the elements, such as ``dtype('float32')``."""
        return self._value.aval.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self._value.aval.ndim

    @property
    def size(self) -> int | float:
        """Number of elements; 1.0 for a scalar, as in MegEngine."""
        known = self._value.aval
        return known.size if known.ndim else 1.0

    @property
    def device(self) -> Device:
        """Where the elements are; prints as ``xpux:0``."""
        return self._value.device

    @property
    def qparams(self) -> QParams:
        """What is known about the tensor's quantisation; at first nothing."""
        if self._qparams is None:
            self._qparams = QParams(QuantMode.SYMMERTIC, None, None, None)
        return self._qparams

    @property
    def format(self) -> str:
        """Label of the memory layout, one of ``"default"``, ``"nchw"`` and ``"nhwc"``.

        Results of four or five dimensions have that of their operands of as many; those of ``matmul``, ``pad``, ``repeat``,
        ``roll``, ``stack``, ``tile``, ``transpose`` and ``where`` have none.

        Raises:
            ValueError: set to something else.
        """
        return self._value.aval.format

    @format.setter
    def format(self, format: str) -> None:
        if format not in FORMATS:
            raise ValueError(f"format={format!r}: write default, nchw or nhwc")
        value = self._value
        known = value.aval
        if format == known.format:
            return
        if value.array is None or thread.recorder.capture is not None:
            self._reset(apply(elemwise.relabel, self, format=format))
        else:
            self._value = Value(None, aval(known.shape, known.dtype, format), value.array, value.device)

    @property
    def name(self) -> str:
        """Name given by the user, empty without one."""
        return self._custom_name

    @name.setter
    def name(self, name: str | None) -> None:
        self._custom_name = name  # type: ignore[assignment]
        self._name = f"{self._prefix}.{name or ''}" if self._prefix else name or ""

    @property
    def grad(self) -> Tensor | None:
        """Gradient that :meth:`megengine.autodiff.GradManager.backward` left here, or None."""
        capture = thread.recorder.capture
        if capture is not None:
            capture.read_grad(self)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        undo = thread.undo
        if undo is not None:
            undo.append((self, self._grad))
        capture = thread.recorder.capture
        if capture is not None:
            capture.wrote_grad(self)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    @property
    def requires_grad(self) -> bool:
        """Reserved by MegEngine; use :class:`megengine.autodiff.GradManager`."""
        raise AttributeError("requires_grad is reserved; attach the tensor to a GradManager instead: gm.attach(x)")

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        raise AttributeError("requires_grad is reserved; attach the tensor to a GradManager instead")

    @property
    def T(self) -> Tensor:
        """The tensor with its dimensions in reverse order."""
        return self.transpose()

    def numpy(self) -> np.ndarray:
        """The elements as a NumPy array of its own; runs what is pending."""
        value = self._value
        realize(value)
        array = np.array(whole(value.array))
        if thread.unchecked:
            verify()
        known = value.aval.dtype
        return array if known.metadata is None else array.view(known)

    def item(self, *args: int) -> Any:
        """The single element as a Python number.

        Args:
            args: an index, if there are several elements.

        Raises:
            AssertionError: there are several elements and no index.
        """
        if args:
            return self[args].item()
        value = self._value
        if value.aval.size != 1:
            raise SizeError(f"item() takes a tensor of one element, this one has shape {value.aval.shape}")
        realize(value)
        number = value.array.item()
        if thread.unchecked:
            verify()
        return number

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.numpy().tolist()

    def astype(self, dtype: Any) -> Tensor:
        """The tensor with its elements converted to another dtype; itself if it has that dtype.

        To a quantised dtype (see ``megengine.core.tensor.dtype``), real numbers are divided by the scale, rounded with halves
        away from zero, and kept in range; from one, the integers become the real numbers that they stand for.

        Raises:
            RuntimeError: a dtype that tensors do not have, such as float64.

        Example:
            >>> megengine.Tensor([1.7, -1.7]).astype("int32")
            Tensor([ 1 -1], dtype=int32, device=xpux:0)
        """
        wanted = dtype_of(dtype)
        have = self._value.aval.dtype
        if wanted.metadata is not None or have.metadata is not None:
            return requantized(self, wanted)
        if wanted == have:
            return self
        return apply(elemwise.cast, self, dtype=wanted)

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape; one size may be -1.

        Raises:
            RuntimeError: the number of elements differs.
        """
        given = shape[0] if len(shape) == 1 else shape
        sizes = in_graph(given)
        if sizes is not None:
            return apply_sized(sized_ops.reshape_by, self, sizes, at_most=self.shape)  # type: ignore[no-any-return]
        target = _axes.as_shape(given)
        return apply(shape_ops.reshape, self, shape=_axes.reshape_target(self.shape, target))

    def transpose(self, *pattern: Any) -> Tensor:
        """The tensor with its dimensions permuted, reversed without arguments; ``"x"`` adds one of size 1."""
        if not pattern:
            pattern = tuple(reversed(range(self.ndim)))
        elif len(pattern) == 1 and not isinstance(pattern[0], (int, str, np.integer)):
            pattern = _axes.as_pattern(pattern[0].tolist() if isinstance(pattern[0], Tensor) else pattern[0])
        return apply(shape_ops.transpose, self, pattern=_axes.transpose_pattern(self.ndim, pattern))

    def flatten(self, start_axis: int = 0, end_axis: int = -1) -> Tensor:
        """The tensor with dimensions ``start_axis`` to ``end_axis`` made one."""
        return apply(shape_ops.reshape, self, shape=_axes.flatten_target(self.shape, start_axis, end_axis))

    def _broadcast(self, *shape: Any) -> Tensor:
        given = shape[0] if len(shape) == 1 else shape
        sizes = in_graph(given)
        if sizes is not None:
            return apply_sized(sized_ops.broadcast_by, self, sizes, at_most=self.shape)  # type: ignore[no-any-return]
        target = _axes.as_shape(given)
        return apply(shape_ops.broadcast_to, self, shape=target)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Sum over all elements or over ``axis``."""
        return reduced(reduce.sum, self, axis, keepdims)

    def prod(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Product over all elements or over ``axis``."""
        return reduced(reduce.prod, self, axis, keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Smallest of all elements or over ``axis``."""
        return reduced(reduce.min, self, axis, keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Largest of all elements or over ``axis``."""
        return reduced(reduce.max, self, axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        """Mean over all elements or over ``axis``, float32."""
        return reduced(reduce.mean, self, axis, keepdims)

    def detach(self) -> Tensor:
        """The same value without gradient history."""
        detached: Tensor = new_handle(self._value)
        note_view(self, detached)
        return detached

    def to(self, device: Any, *, _borrow: bool = False) -> Tensor:
        """The tensor on another device, differentiably.

        Raises:
            ValueError: not a device name.
            RuntimeError: no such device here.
        """
        return moved(self, device)

    def set_value(self, value: Any) -> None:
        """Make this tensor hold another value (an array, numbers or a tensor), as ``x[...] = v`` does; kept for old programs."""
        self._reset(value)

    def reset_zero(self) -> None:
        """Make every element zero; kept for old programs."""
        self *= 0

    def _reset(self, other: Any) -> None:
        if not isinstance(other, Handle):
            other = Tensor(other, dtype=self.dtype, device=self.device)
        note_held(other)
        capture = thread.recorder.capture
        if capture is not None:
            capture.wrote(self)
        before = self._value
        rebind(self, other)
        follow(self, before)

    def __getitem__(self, index: Any) -> Tensor:
        return _getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if index is Ellipsis:
            self._reset(value)
        else:
            self._reset(_setitem(self, index, value))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a scalar tensor has no len()")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        for i in range(len(self)):
            yield self[i]

    def __getattr__(self, name: str) -> Any:
        if hasattr(type(self), name):
            return object.__getattribute__(self, name)  # a property failed: its own error
        raise no_tensor_attribute(self, name)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name != "data"]

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.numpy(), self.dtype, self.device.logical_name

    def __reduce_ex__(self, protocol: Any) -> Any:
        # The same for every protocol: the default of protocols 0 and 1 would lose the elements.
        return copyreg.__newobj__, (type(self), *self.__getnewargs__()), self.__getstate__()  # type: ignore[attr-defined]

    def __getstate__(self) -> dict[str, Any]:
        return {} if self._qparams is None else {"qparams": self._qparams}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "data" in state:
            self._reset(Tensor(state["data"], dtype=state.get("dtype"), device=state.get("device")))
        self._qparams = state.get("qparams")


class Parameter(Tensor):
    """A tensor that a module trains: what :meth:`megengine.module.Module.parameters` lists.

    Operations on it give plain tensors.

    Example:
        >>> megengine.Parameter([1.0, 2.0])
        Parameter([1. 2.], device=xpux:0)
    """

    __slots__ = ()


register_handle_type(Tensor)

tensor = Tensor

__all__ = ["BFLOAT16", "Parameter", "Tensor", "tensor"]
