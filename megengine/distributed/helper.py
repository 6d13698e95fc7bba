"""Helpers of data-parallel training: parameters made equal, gradients summed, many small tensors sent as one."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ..device import get_device_count
from ..graph.apply import apply
from ..graph.errors import ArgumentError
from ..ops import shape as shape_ops
from ..tensor import Tensor
from .communication import within_step
from .functional import all_reduce_sum, broadcast, reduced
from .group import BACKENDS, WORLD, Group, as_group, group_barrier

__all__ = [
    "AllreduceCallback", "bcast_list_", "buckets", "get_device_count_by_fork", "get_offsets", "make_allreduce_cb",
    "pack_allreduce_split", "param_pack_concat", "param_pack_split", "synchronized",
]  # fmt: skip


def get_offsets(shapes: Sequence[Sequence[int]]) -> list[int]:
    """Where tensors of these shapes begin and end when they lie one after the other.

    Example:
        >>> from megengine.distributed.helper import get_offsets
        >>> get_offsets([(2, 3), (4,)])
        [0, 6, 6, 10]
    """
    ends = list(itertools.accumulate(math.prod(shape) for shape in shapes))
    return [place for pair in zip([0, *ends], ends) for place in pair]  # noqa: B905


def param_pack_split(inp: Tensor, offsets: Sequence[int], shapes: Sequence[Sequence[int]]) -> tuple[Tensor, ...]:
    """Tensors cut out of a vector, the inverse of :func:`param_pack_concat`. Differentiable.

    Args:
        inp: a vector.
        offsets: ``[begin0, end0, begin1, end1, ...]``, where each tensor's elements lie.
        shapes: the tensors' shapes; an empty one counts as ``(1,)``, as in MegEngine.

    Raises:
        TypeError: the input is not a tensor.
        RuntimeError: it is no vector; or an offset is out of it, or does not fit its shape.

    Example:
        >>> b, c = megengine.distributed.helper.param_pack_split(F.arange(7), [0, 1, 1, 7], [(1,), (2, 3)])
        >>> c
        Tensor([[1. 2. 3.]
         [4. 5. 6.]], device=xpux:0)
    """
    if not isinstance(inp, Tensor):
        raise ArgumentError(f"param_pack_split takes a Tensor, not {type(inp).__name__}")
    if inp.ndim != 1:
        raise RuntimeError(f"param_pack_split takes a vector, not shape {inp.shape}")
    shapes = [tuple(shape) or (1,) for shape in shapes]
    if len(offsets) != 2 * len(shapes):
        raise RuntimeError(
            f"param_pack_split: {len(shapes)} tensors need {2 * len(shapes)} offsets, not {len(offsets)}"
        )
    parts = []
    for begin, end, shape in zip(offsets[::2], offsets[1::2], shapes, strict=True):
        if not 0 <= begin <= end <= inp.shape[0]:
            raise RuntimeError(f"param_pack_split: {begin} to {end} is out of a vector of {inp.shape[0]} elements")
        if end - begin != math.prod(shape):
            raise RuntimeError(
                f"param_pack_split: shape {shape} does not have the {end - begin} elements {begin} to {end}"
            )
        parts.append(inp[begin:end].reshape(shape))
    return tuple(parts)


def param_pack_concat(inps: Sequence[Tensor], offsets: Tensor, offsets_val: Sequence[int]) -> Tensor:
    """The elements of several tensors one after the other, in one vector. Differentiable.

    Args:
        inps: tensors of one dtype.
        offsets: ``offsets_val`` as a tensor, which MegEngine's kernel reads.
        offsets_val: ``[begin0, end0, begin1, end1, ...]``, where each tensor's elements are to lie, without gaps.

    Raises:
        TypeError: not tensors.
        RuntimeError: the dtypes differ, or the offsets are not those of the tensors.

    Example:
        >>> offsets = [0, 1, 1, 5]
        >>> megengine.distributed.helper.param_pack_concat([F.zeros(1), F.ones((2, 2))], Tensor(offsets), offsets)
        Tensor([0. 1. 1. 1. 1.], device=xpux:0)
    """
    for x in (*inps, offsets):
        if not isinstance(x, Tensor):
            raise ArgumentError(f"param_pack_concat takes Tensors, not {type(x).__name__}")
    if not inps:
        raise RuntimeError("param_pack_concat needs one or more tensors")
    if len({x.dtype for x in inps}) > 1:
        raise RuntimeError(f"param_pack_concat: dtypes differ: {', '.join(x.dtype.name for x in inps)}")
    if list(offsets_val) != get_offsets([x.shape for x in inps]):
        raise RuntimeError(
            f"param_pack_concat: tensors of shapes {[x.shape for x in inps]} do not lie at {list(offsets_val)}"
        )
    return _packed([x.reshape(-1) for x in inps])


def pack_allreduce_split(
    pack_list: Sequence[Tensor], shapes: Sequence[Sequence[int]], group: Any, reduce_method: str
) -> tuple[Tensor, ...]:
    """Sums or means of tensors over the processes of a group, all in one message.

    Args:
        pack_list: tensors of one dtype.
        shapes: their shapes.
        group: the processes, as a group or a list of ranks.
        reduce_method: ``"sum"`` or ``"mean"``.

    Raises:
        TypeError: not tensors.
        RuntimeError: the dtypes differ, or the shapes are not those of the tensors.
        AssertionError: another method, or not a group.

    Example:
        >>> megengine.distributed.helper.pack_allreduce_split([Tensor([1.0, 2.0])], [(2,)], megengine.distributed.WORLD, "mean")
        (Tensor([1. 2.], device=xpux:0),)
    """
    _check_method(reduce_method)
    members = as_group(group)
    places = get_offsets(shapes)
    packed = all_reduce_sum(param_pack_concat(pack_list, Tensor(places), places), members)
    if reduce_method == "mean":
        packed = packed / members.size
    return param_pack_split(packed, places, shapes)


def synchronized(func: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: a call returns when all processes have made it.

    Example:
        >>> @megengine.distributed.synchronized
        ... def download():
        ...     return "done"
        >>> download()
        'done'
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        group_barrier()
        return result

    return wrapper


def bcast_list_(inps: Sequence[Tensor], group: Any = WORLD) -> None:
    """Give tensors the values that they have in the root process, in place.

    Args:
        inps: the tensors, such as ``model.tensors()``.
        group: the processes, as a group or a list of ranks. Default: all

    Raises:
        TypeError: not tensors.
        AssertionError: not a group.

    Example:
        >>> model = M.Linear(2, 1)
        >>> before = model.weight.numpy()
        >>> megengine.distributed.bcast_list_(model.tensors())
        >>> bool((model.weight.numpy() == before).all())  # one process has its own
        True
    """
    members = as_group(group)
    for x in inps:
        if not isinstance(x, Tensor):
            raise ArgumentError(f"bcast_list_ takes Tensors, not {type(x).__name__}")
        if members.size > 1:
            x._reset(broadcast(x.detach(), members, tracked=False))


def _check_method(reduce_method: str) -> None:
    if reduce_method not in ("sum", "mean"):
        raise AssertionError(f"reduce_method should be sum or mean, not {reduce_method!r}")


LONG = 120  # characters, beyond which a digest stands for a list
BUCKET = 10 << 20  # bytes of gradients after which another message begins


class AllreduceCallback:
    """A callback for :meth:`~megengine.autodiff.GradManager.attach` that sums or averages gradients over the processes.

    The gradients of a backward pass are sent together, some 10 MiB of one dtype in a message. With one process gradients stay as
    they are. ``make_allreduce_cb`` is another name for it.

    Args:
        reduce_method: ``"sum"`` or ``"mean"``.
        group: the processes, as a group or a list of ranks. Default: all
        backend: what to communicate with. Default: the process group's

    Raises:
        AssertionError: another method, or not a group.
        ValueError: no such backend.

    Example:
        >>> import megengine.distributed as dist
        >>> w = megengine.Parameter([1.0, 2.0])
        >>> gm = megengine.autodiff.GradManager().attach(w, callbacks=[dist.make_allreduce_cb("mean")])
        >>> with gm:
        ...     gm.backward((w * w).sum())
        >>> w.grad
        Tensor([2. 4.], device=xpux:0)
    """

    def __init__(self, reduce_method: str, group: Any = WORLD, backend: str | None = None) -> None:
        self._reduce_method = reduce_method.lower()
        _check_method(self._reduce_method)
        if backend is not None and backend not in BACKENDS:
            raise ValueError(f"backend={backend!r}: write one of {', '.join(BACKENDS)}")
        self._group: Group = as_group(group)
        self._backend = backend
        self._attached: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._count = 0

    def __call__(self, param: Tensor, grad: Tensor) -> Tensor:
        return self._reduced([param], [grad])[0]

    def attached(self, param: Tensor) -> None:
        """Number a parameter in whose gradients the ranks have to agree; called by ``attach``."""
        self._attached[id(param)] = weakref.ref(param), self._count
        self._count += 1

    def _number(self, param: Tensor) -> int | None:
        reference, number = self._attached.get(id(param), (None, None))
        return number if reference is not None and reference() is param else None

    def collect_gradients(self) -> Callable[[Tensor, Tensor], Callable[[], Tensor]]:
        """What takes the gradients of one backward pass, and says of each how to get its sum or mean once all are taken."""
        params: list[Tensor] = []
        taken: list[Tensor] = []
        results: list[Tensor] = []

        def give(number: int) -> Tensor:
            if not results:
                results.extend(self._reduced(params, taken))
            return results[number]

        def take(param: Tensor, grad: Tensor) -> Callable[[], Tensor]:
            params.append(param)
            taken.append(grad)
            return functools.partial(give, len(taken) - 1)

        return take

    def _reduced(self, params: list[Tensor], grads: list[Tensor]) -> list[Tensor]:
        if self._group.size == 1:
            return grads
        found = list(grads)
        numbers = buckets([(g.dtype.name, math.prod(g.shape) * g.dtype.itemsize) for g in grads])
        packed = [_packed([grads[k] for k in bucket]) for bucket in numbers]  # computed before the first is sent
        for bucket, message in zip(numbers, packed, strict=True):
            about = gradients_of([self._number(params[k]) for k in bucket])
            with within_step():
                total = reduced(message, self._group, about)
            if self._reduce_method == "mean":
                total = total / self._group.size
            shapes = [grads[k].shape for k in bucket]
            parts = param_pack_split(total, get_offsets(shapes), shapes) if len(bucket) > 1 else (total,)
            for k, part in zip(bucket, parts, strict=True):
                found[k] = part.reshape(grads[k].shape)
        return found


def gradients_of(numbers: Sequence[int | None]) -> str:
    """What a message holds, as ranks tell each other: the numbers of parameters, in their order.

    Example:
        >>> from megengine.distributed.helper import gradients_of
        >>> gradients_of([5, 4, 3, 1, None])
        'the gradients of parameters 5 to 3, 1 and others'
    """
    runs: list[list[int]] = []
    for number in (n for n in numbers if n is not None):
        run = runs[-1] if runs else []
        if run and abs(number - run[-1]) == 1 and (len(run) == 1 or number - run[-1] == run[1] - run[0]):
            run.append(number)
        else:
            runs.append([number])
    named = ", ".join([f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs])
    text = " and ".join([part for part in (named, "others" * (None in numbers)) if part])
    if len(text) > LONG:
        return f"gradients ({hashlib.sha256(text.encode()).hexdigest()[:12]})"
    return f"the gradients of parameters {text}"


def buckets(sizes: Sequence[tuple[str, int]]) -> list[list[int]]:
    """Which tensors are sent together: those of a dtype in their order, another message after ``BUCKET`` bytes.

    Args:
        sizes: of each tensor its dtype's name and its bytes.

    Example:
        >>> from megengine.distributed.helper import buckets
        >>> buckets([("float32", 8 << 20), ("float16", 2), ("float32", 4 << 20), ("float32", 4)])
        [[0, 2], [1], [3]]
    """
    found: list[list[int]] = []
    open_ones: dict[str, tuple[list[int], int]] = {}
    for k, (dtype, size) in enumerate(sizes):
        bucket, filled = open_ones.get(dtype, ([], 0))
        if not bucket:
            found.append(bucket)
        bucket.append(k)
        open_ones[dtype] = (bucket, filled + size) if filled + size <= BUCKET else ([], 0)
    return found


def _packed(tensors: Sequence[Tensor]) -> Tensor:
    """The elements of tensors of one dtype, one after the other."""
    if len(tensors) == 1:
        return tensors[0]
    packed: Tensor = apply(shape_ops.concat, *(x.reshape(-1) for x in tensors), axis=0)
    return packed


make_allreduce_cb = AllreduceCallback


def get_device_count_by_fork(device_type: str) -> int:
    """The old name of :func:`megengine.device.get_device_count`.

    Example:
        >>> from megengine.distributed.helper import get_device_count_by_fork
        >>> get_device_count_by_fork("cpu") == megengine.get_device_count("cpu")
        True
    """
    return get_device_count(device_type)
