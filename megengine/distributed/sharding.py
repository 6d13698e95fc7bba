"""One program on several devices: tensors divided among them, and XLA partitions each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from math import prod
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from ..graph import partition, spanning
from ..tensor import Tensor
from ..tensor.protocols import realize
from .group import WORLD, get_world_size, next_call
from .runtime import without_gloos_words
from .waiting import Call, agree, carried_out

if TYPE_CHECKING:
    from ..graph.inspect import Ran
    from ..module import Module

__all__ = ["Mesh", "assemble", "collectives", "fully_shard", "mesh", "shard", "spec_of"]

Axis = str | None | tuple[str, ...]


class _Processes:
    """All processes of the group, whose devices are one mesh."""

    _call: Call

    def compare(self, what: str, told: Any) -> dict[int, Any]:
        """Wait until all have come to this; what each tells, by rank."""
        self._call = next_call(WORLD, what)
        return agree(self._call, told)

    def carry_out(self, job: Callable[[], Any], first: bool) -> Any:
        """What a job gives that all carry out, after they have come to it; the first time they may connect."""
        with without_gloos_words() if first else nullcontext():
            return carried_out(self._call, job)


class Mesh:
    """Devices as a grid whose dimensions have names; :func:`mesh` makes one.

    Attributes:
        sizes: the number of devices along each dimension, by its name.
        devices: JAX's, in an array with these dimensions.
    """

    def __init__(self, sizes: dict[str, int], devices: np.ndarray) -> None:
        self.sizes = sizes
        self.devices = devices
        self.jax = jax.sharding.Mesh(devices, tuple(sizes))

    def __repr__(self) -> str:
        return f"Mesh({', '.join(f'{name}={size}' for name, size in self.sizes.items())})"

    def sharding(self, spec: Sequence[Axis], shape: tuple[int, ...]) -> NamedSharding:
        """The division of an array of this shape.

        Raises:
            ValueError: an unknown name, a name used twice, more entries than dimensions, or a size that cannot be divided.
        """
        entries = self._entries(spec, shape)
        for axis, (size, entry) in enumerate(zip(shape, entries, strict=False)):
            parts = prod(self.sizes[name] for name in entry)
            if size % parts:
                raise ValueError(
                    f"dimension {axis} of a tensor of shape {shape} cannot be divided among {parts} devices"
                )
        return NamedSharding(self.jax, PartitionSpec(*[entry or None for entry in entries]))

    def _entries(self, spec: Sequence[Axis], shape: tuple[int, ...]) -> list[tuple[str, ...]]:
        """The names of each entry, of which there are as many as dimensions at most."""
        entries = [entry if isinstance(entry, tuple) else () if entry is None else (entry,) for entry in spec]
        named = [name for entry in entries for name in entry]
        for name in named:
            if name not in self.sizes:
                raise ValueError(f"{name!r} in {tuple(spec)} is no dimension of {self}")
        if len({*named}) < len(named):
            raise ValueError(f"{tuple(spec)} names a dimension of the mesh twice")
        if len(entries) > len(shape):
            raise ValueError(f"{tuple(spec)} has more entries than a tensor of shape {shape} has dimensions")
        return entries

    def whole(self, spec: Sequence[Axis], part: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an array of which this process's devices have a part of some shape."""
        own = [at for at, device in np.ndenumerate(self.devices) if device.process_index == jax.process_index()]
        shape, order = list(part), [*self.sizes]
        for axis, entry in enumerate(self._entries(spec, part)):
            places = {tuple(at[order.index(name)] for name in entry) for at in own}
            shape[axis] = shape[axis] * prod(self.sizes[name] for name in entry) // len(places)
        return tuple(shape)


_current: Mesh | None = None


def mesh(**sizes: int) -> Mesh:
    """Arrange devices in a grid, on which :func:`shard` divides tensors from now on.

    They are the devices of this process; in a process group those of all its processes, which call this and everything after it
    alike: each step that meets a divided tensor runs in all of them.

    From the first mesh on every program of the process is compiled when first met. On a CPU
    ``XLA_FLAGS=--xla_force_host_platform_device_count=8``, set before the program starts, simulates 8 devices.

    Args:
        sizes: the number of devices along each dimension of the grid, by a name of choice; one of them may be -1, for as many as
            there are.

    Raises:
        ValueError: no or negative sizes, more devices than there are, or, in a process group, fewer.
        RuntimeError: the processes call it with other sizes.

    Example:
        >>> import megengine.distributed as dist
        >>> dist.mesh(data=1)
        Mesh(data=1)
    """
    global _current
    world = get_world_size()
    devices = jax.local_devices() if world == 1 else jax.devices()
    known = prod(size for size in sizes.values() if size != -1)
    open_ = [name for name, size in sizes.items() if size == -1]
    if not sizes or len(open_) > 1 or known < 1 or any(size < 1 and size != -1 for size in sizes.values()):
        raise ValueError(f"mesh({sizes}): name the dimensions of a grid, with positive sizes; one may be -1")
    if open_:
        sizes = {**sizes, open_[0]: len(devices) // known}
    count = prod(sizes.values())
    if not 1 <= count <= len(devices) or (world > 1 and count < len(devices)):
        there = "this process has" if world == 1 else f"the {world} processes have together"
        raise ValueError(f"a mesh of {sizes} needs {max(count, known)} devices, and {there} {len(devices)}")
    partition.begin()
    if world > 1:
        processes = _Processes()
        processes.compare(f"mesh({', '.join(f'{name}={size}' for name, size in sizes.items())})", None)
        spanning.span(processes)
    _current = Mesh(dict(sizes), np.array(devices[:count]).reshape(tuple(sizes.values())))
    return _current


def shard(tensor: Tensor, *spec: Axis, mesh: Mesh | None = None) -> Tensor:
    """Divide the elements of a tensor among the devices of a mesh; its numbers stay.

    XLA partitions what is computed with it (GSPMD, Xu et al., 2021) and adds what the devices have to exchange: divided inputs
    train data-parallel, divided parameters are gathered when needed (as in FSDP) or multiplied in parts (tensor parallelism).
    Results, gradients and optimizer states follow.

    Args:
        tensor: input, parameter, or result; it is changed in place. In a process group every process gives the same one.
        spec: for each dimension the name of the mesh's dimension that divides it, several of them as a tuple, or None; what is
            left out is whole on every device.
        mesh: where. Default: the one made last

    Returns:
        the tensor.

    Raises:
        RuntimeError: there is no mesh, or the processes give different tensors.
        ValueError: the division does not fit the mesh or the tensor.

    Example:
        >>> import megengine.distributed as dist
        >>> grid = dist.mesh(data=1)
        >>> x = dist.shard(Tensor(np.ones((4, 2), "float32")), "data")
        >>> dist.spec_of(x), float((x * 2).sum())
        (('data',), 16.0)
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"shard takes a Tensor, not {type(tensor).__name__}")
    partition.lay_out(tensor, _of(mesh).sharding(spec, tensor.shape))
    return tensor


def assemble(part: Tensor, *spec: Axis, mesh: Mesh | None = None) -> Tensor:
    """The tensor of which each process of the group gives its part, such as its batch of the data.

    Args:
        part: what this process has: the elements that its devices hold, in the order of the mesh; all parts have one shape.
        spec: how the whole is divided, as for :func:`shard`. A dimension that no other process has a part of is whole in each.
        mesh: where. Default: the one made last

    Returns:
        the whole, divided; with one process ``part`` itself, divided.

    Raises:
        RuntimeError: there is no mesh, or the processes give parts of other shapes.
        ValueError: the division does not fit the mesh or the part.

    Example:
        >>> import megengine.distributed as dist
        >>> grid = dist.mesh(data=1)
        >>> dist.assemble(Tensor(np.ones((4, 2), "float32")), "data").shape
        (4, 2)
    """
    if not isinstance(part, Tensor):
        raise TypeError(f"assemble takes a Tensor, not {type(part).__name__}")
    grid = _of(mesh)
    realize(part._value)
    shape = grid.whole(spec, part.shape)
    made: Tensor = partition.assembled(part, grid.sharding(spec, shape), shape)  # type: ignore[assignment]
    return made


def _of(mesh: Mesh | None) -> Mesh:
    found = _current if mesh is None else mesh
    if found is None:
        raise RuntimeError("there is no mesh: make one first, as in megengine.distributed.mesh(data=-1)")
    return found


def fully_shard(module: Module, axis: str, mesh: Mesh | None = None) -> Module:
    """Divide each parameter and buffer of a module along its longest dimension that can be divided (FSDP, Zhao et al., 2023).

    Args:
        module: changed in place; its optimizer's state follows its parameters with the first step.
        axis: the dimension of the mesh.
        mesh: where. Default: the one made last

    Returns:
        the module.

    Raises:
        RuntimeError: there is no mesh.
        ValueError: the mesh has no such dimension.

    Example:
        >>> import megengine.distributed as dist
        >>> grid = dist.mesh(data=1)
        >>> dist.fully_shard(M.Linear(4, 8), "data")(Tensor(np.ones((2, 4), "float32"))).shape
        (2, 8)
    """
    grid = _of(mesh)
    if axis not in grid.sizes:
        raise ValueError(f"{axis!r} is no dimension of {grid}")
    parts = grid.sizes[axis]
    for tensor in module.tensors():
        fitting = [k for k, size in enumerate(tensor.shape) if size >= parts and size % parts == 0]
        along = max(fitting, key=lambda k: tensor.shape[k], default=None)
        spec = () if along is None else (*[None] * along, axis)
        shard(tensor, *spec, mesh=grid)
    return module


def spec_of(tensor: Tensor) -> tuple[Axis, ...] | None:
    """How a tensor's elements are divided, as :func:`shard` takes it; None where they are all on one device.

    Runs what is pending.

    Example:
        >>> import megengine.distributed as dist
        >>> print(dist.spec_of(Tensor([1.0])))
        None
    """
    realize(tensor._value)
    sharding = partition.sharding_of(tensor)
    return tuple(sharding.spec) if isinstance(sharding, NamedSharding) else None


def collectives(ran: Sequence[Ran]) -> dict[str, int]:
    """What each device received in programs that ran, as XLA planned it: bytes, by the kind of collective.

    Args:
        ran: what :func:`megengine.graph.watch` saw.

    Example:
        >>> import megengine.distributed as dist
        >>> with megengine.graph.watch() as seen:
        ...     y = (Tensor([1.0, 2.0]) * 2).numpy()
        >>> dist.collectives(seen)
        {}
    """
    return dict(sum((one.program.collectives for one in ran), Counter()))
