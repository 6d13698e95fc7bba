"""Messages between the loader's process and a worker: pickled objects and file descriptors over a Unix socket."""

from __future__ import annotations

import os
import pickle
import select
import socket
from collections.abc import Sequence
from typing import Any

from .shared_memory import anonymous_file

__all__ = ["Channel"]

# A few unread messages of this size fit into a socket's buffer, so that sending never waits for the other side.
_INLINE = 1 << 14
_MOST_DESCRIPTORS = 4
_HERE, _IN_MEMORY = b"\0", b"\1"


class Channel:
    """One end of a connection.

    Each message is one packet, received whole or not at all; one that is too long for that goes through memory whose descriptor
    is in the packet.

    Args:
        sock: a connected ``AF_UNIX`` socket of type ``SOCK_SEQPACKET``.

    Example:
        >>> here, there = Channel.pair()
        >>> here.send({"answer": 42})
        >>> there.receive()
        ({'answer': 42}, [])
        >>> here.close(); there.close()
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Both ends of a new connection."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    def fileno(self) -> int:
        """The socket's descriptor, as ``select`` wants it; -1 once closed."""
        return self._socket.fileno()

    def send(self, message: Any, descriptors: Sequence[int] = ()) -> None:
        """Sends an object, with copies of file descriptors.

        Raises:
            OSError: the other end is closed.
        """
        content = pickle.dumps(message, 5)
        if len(content) <= _INLINE:
            socket.send_fds(self._socket, [_HERE, content], list(descriptors))
            return
        memory = anonymous_file(len(content))
        try:
            _write_all(memory, content)
            socket.send_fds(self._socket, [_IN_MEMORY], [memory, *descriptors])
        finally:
            os.close(memory)

    def receive(self) -> tuple[Any, list[int]]:
        """Waits for a message.

        Returns:
            The object and the descriptors, which belong to the caller.

        Raises:
            EOFError: the other end is closed.
            OSError: the descriptors that came with the message exceed this process's limit of open files.
        """
        try:
            packet, descriptors, flags, _ = socket.recv_fds(self._socket, 2 * _INLINE, _MOST_DESCRIPTORS)
        except ConnectionResetError:
            raise EOFError from None
        if not packet:
            raise EOFError
        if flags & socket.MSG_CTRUNC:
            for descriptor in descriptors:
                os.close(descriptor)
            raise OSError("too many open files: raise the limit (ulimit -n), or keep fewer batches")
        if packet[:1] == _HERE:
            return pickle.loads(memoryview(packet)[1:]), descriptors
        memory = descriptors.pop(0)
        with open(memory, "rb", buffering=0) as file:
            file.seek(0)
            return pickle.loads(file.readall()), descriptors

    def waiting(self, seconds: float = 0.0) -> bool:
        """Whether a message, or the news that the other end is closed, is there within some seconds."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        """Closes this end."""
        self._socket.close()


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
