"""Where the processes are: addresses by which machines reach each other, and clusters that tell processes their place."""

from __future__ import annotations

import ipaddress
import socket
import time
from typing import NamedTuple

from .server import Client, patience

__all__ = [
    "DONE",
    "INTERRUPTED",
    "SAVED",
    "Launchers",
    "Place",
    "address_towards",
    "detected",
    "free_port",
    "is_loopback",
]

DONE, INTERRUPTED, SAVED = "done", "interrupted", "interrupted, and its ranks have ended"  # how launchers end


def is_loopback(host: str) -> bool:
    """Whether a name or address stands for the machine itself, so that all processes that use it are on one.

    Raises:
        ConnectionError: no such name.
    """
    return ipaddress.ip_address(_resolved(host)).is_loopback


def address_towards(host: str, port: int) -> str:
    """The address of this machine on its way to another, by which that one reaches it.

    Raises:
        ConnectionError: no such name, or no way.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:  # nothing is sent
        try:
            way.connect((_resolved(host), port))
        except OSError as error:
            raise ConnectionError(f"no way from this machine to master_ip={host!r}, port={port} ({error})") from error
        found: str = way.getsockname()[0]
        return found


def free_port(address: str) -> int:
    """A port of this machine that nothing listens at."""
    with socket.socket() as found:
        found.bind((address, 0))
        port: int = found.getsockname()[1]
        return port


def _resolved(host: str) -> str:
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise ConnectionError(f"master_ip={host!r} is no address of a machine ({error})") from error


class Place(NamedTuple):
    """What a cluster tells a process.

    Attributes:
        host, port: where the process of rank 0 is to be reached.
        world_size, rank: how many processes there are, and which this one is.
        device: the number of its device on its machine.
    """

    host: str
    port: int
    world_size: int
    rank: int
    device: int


def detected() -> Place:
    """This process's place, as JAX finds it for Slurm, Open MPI and Kubernetes.

    Raises:
        RuntimeError: nothing of the kind has started this process.
    """
    from jax._src.clusters import ClusterEnv  # jax.distributed.initialize() asks it, and starts JAX's processes at once

    found = ClusterEnv.auto_detect_unset_distributed_params(None, None, None, None, None, round(patience(300.0)))
    address, world_size, rank, devices = found
    if address is None or world_size is None or rank is None:
        raise RuntimeError(
            "init_process_group() without arguments is for processes that Slurm, Open MPI or Kubernetes have started, and "
            "there is no sign of one: give master_ip, port, world_size, rank and device"
        )
    host, _, port = address.rpartition(":")
    return Place(host, int(port), world_size, rank, devices[0] if devices else 0)


class Launchers:
    """What the launchers of several machines tell each other.

    Args:
        master_ip, port: where the server is.
        ranks: those of this launcher.

    Raises:
        ConnectionError: no server answers there.
    """

    def __init__(self, master_ip: str, port: int, ranks: range) -> None:
        self._client = Client(master_ip, port)
        numbers = f"ranks {ranks[0]} to {ranks[-1]}" if len(ranks) > 1 else f"rank {ranks[0]}"
        self._name = f"{numbers} on {socket.gethostname()}"

    def failure(self) -> str:
        """How others have ended, if one has done so otherwise than well; empty if not.

        Raises:
            KeyboardInterrupt: another was interrupted.
            ConnectionError: the server, and with it the launcher of rank 0, has gone.
        """
        failed = self._client.report(self._name, "")
        for other, word in failed:
            if word in (INTERRUPTED, SAVED):
                raise KeyboardInterrupt(f"{other} was interrupted")
        return "; ".join(f"{other}: {word}" for other, word in failed)

    def settle(self, seconds: float) -> None:
        """Wait until all have ended, but not longer than some seconds."""
        deadline = time.monotonic() + seconds
        while not self._client.launchers_ended() and time.monotonic() < deadline:
            time.sleep(0.1)

    def tell(self, word: str) -> None:
        """Say how this one has ended."""
        self._client.report(self._name, word)
