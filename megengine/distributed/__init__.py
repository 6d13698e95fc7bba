"""Training in several processes; in one process every name here works as for a group of one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .._help.public import Package
from . import functional, group, helper, server
from .group import (
    WORLD,
    Group,
    get_backend,
    get_client,
    get_mm_server_addr,
    get_py_server_addr,
    get_rank,
    get_world_size,
    group_barrier,
    init_process_group,
    is_distributed,
    new_group,
    override_backend,
)
from .helper import bcast_list_, make_allreduce_cb, synchronized
from .launcher import launcher
from .server import Client, Server
from .sharding import Mesh, assemble, collectives, fully_shard, mesh, shard, spec_of

if TYPE_CHECKING:  # what the class below gives the package
    #: What processes communicate with; ``"auto"`` without a process group. Assigning needs one.
    backend: str


def group_start() -> None:
    """Begin communications that may overlap; here each is waited for."""


def group_end() -> None:
    """End communications that may overlap; here each is waited for."""


class _Package(Package):
    """The package, with a name that can be assigned to."""

    @property
    def backend(self) -> str:
        """What processes communicate with; ``"auto"`` without a process group. Assigning needs one."""
        return group.get_backend() if group.is_distributed() else "auto"

    @backend.setter
    def backend(self, value: str) -> None:
        group.set_backend(value)


sys.modules[__name__].__class__ = _Package
