"""The server at which processes exchange small values: a store of names and values, spoken to by XML-RPC."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xmlrpc.client import ServerProxy

__all__ = ["Client", "Server"]

PATIENCE = 60.0  # seconds that a client waits for its server to appear


class Methods:
    """What a server does when asked; one thread a caller, so a caller may wait for another."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._changed = threading.Condition()
        self._values: dict[tuple[str, str], Any] = {}
        self._arrived: defaultdict[str, int] = defaultdict(int)
        self._opened: defaultdict[str, int] = defaultdict(int)
        self._readers: defaultdict[str, int] = defaultdict(int)
        self._words: defaultdict[str, dict[str, Any]] = defaultdict(dict)

    def connect(self) -> bool:
        """Answers, so that a client knows that the server is there."""
        return True

    def get_mm_server_port(self) -> int:
        """The port at which it listens."""
        return self._port

    def user_set(self, key: str, val: Any) -> bool:
        """Keeps a value."""
        return self._put("user", key, val)

    def user_get(self, key: str) -> Any:
        """The value of a key, once there is one."""
        return self._get("user", key)

    def user_pop(self, key: str) -> Any:
        """The value of a key, once there is one, which is then forgotten."""
        return self._get("user", key, forget=True)

    def set_is_grad(self, key: str, is_grad: bool) -> bool:
        """Says whether a tensor that is sent needs a gradient."""
        return self._put("grad", key, is_grad)

    def check_is_grad(self, key: str) -> Any:
        """Whether a tensor that was sent needs a gradient."""
        return self._get("grad", key, forget=True)

    def set_remote_tracer(self, key: str, tracer_set: Any) -> bool:
        """Says which recordings a tensor that is sent belongs to."""
        return self._put("tracer", key, tracer_set)

    def check_remote_tracer(self, key: str) -> Any:
        """Which recordings a tensor that was sent belongs to."""
        return self._get("tracer", key, forget=True)

    def group_barrier(self, key: str, size: int) -> bool:
        """Returns when ``size`` callers have come."""
        with self._changed:
            turn = self._opened[key]
            self._arrived[key] += 1
            if self._arrived[key] == size:
                self._arrived[key] = 0
                self._opened[key] += 1
                self._changed.notify_all()
            else:
                self._changed.wait_for(lambda: self._opened[key] != turn)
        return True

    def bcast_val(self, val: Any, key: str, size: int) -> Any:
        """Gives the value of the one caller that has one to the others; the caller that has it gets None."""
        if val is not None:
            self._put("broadcast", key, val)
            received = None
        else:
            received = self._get("broadcast", key)
        with self._changed:
            self._readers[key] += 1
            if self._readers[key] == size:
                del self._readers[key], self._values["broadcast", key]
        return received

    def agree(self, key: str, rank: int, size: int, said: Any, patience: float) -> dict[str, Any]:
        """What each rank says under a key, by rank: of all, or of those that have come when the time is over."""
        with self._changed:
            words = self._words[key]
            words[str(rank)] = said
            self._changed.notify_all()
            if self._changed.wait_for(lambda: len(words) == size, patience):
                self._words.pop(key, None)
            return dict(words)

    def _put(self, kind: str, key: str, value: Any) -> bool:
        with self._changed:
            self._values[kind, key] = value
            self._changed.notify_all()
        return True

    def _get(self, kind: str, key: str, forget: bool = False) -> Any:
        with self._changed:
            self._changed.wait_for(lambda: (kind, key) in self._values)
            return self._values.pop((kind, key)) if forget else self._values[kind, key]


class Server:
    """The server of the processes that train together, in a thread of this one.

    It listens on this machine's loopback address only, because this release has no processes elsewhere. It ends with
    :meth:`close` or when the object goes.

    Args:
        port: where to listen. Default: 0, a free port

    Attributes:
        py_server_port: where it listens.
        mm_server_port: the same, for MegEngine has two servers.

    Raises:
        OSError: the port is in use.

    Example:
        >>> server = megengine.distributed.Server()
        >>> client = megengine.distributed.Client("localhost", server.py_server_port)
        >>> client.user_set("answer", 42)
        True
        >>> client.user_get("answer")
        42
        >>> server.close()
    """

    _server: Any = None

    def __init__(self, port: int = 0) -> None:
        from xmlrpc.server import SimpleXMLRPCServer

        class ThreadingServer(ThreadingMixIn, SimpleXMLRPCServer):
            daemon_threads = True
            block_on_close = False

        self._server = ThreadingServer(("127.0.0.1", port), logRequests=False, allow_none=True)
        self.py_server_port: int = self._server.server_address[1]
        self.mm_server_port = self.py_server_port
        self._server.register_instance(Methods(self.mm_server_port))
        serve: Callable[..., None] = self._server.serve_forever
        threading.Thread(target=serve, args=(0.05,), name="megengine-server", daemon=True).start()

    def close(self) -> None:
        """Stop listening; a second call does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def __del__(self) -> None:
        self.close()


class Client:
    """A connection to a :class:`Server`. Keys are strings; values are what XML-RPC carries: numbers, strings, lists, dicts.

    Args:
        master_ip: the server's address.
        port: the server's port.

    Raises:
        ConnectionError: no server has answered after a minute.
    """

    def __init__(self, master_ip: str, port: int) -> None:
        self.master_ip = master_ip
        self.port = port
        self._broadcasts: defaultdict[str, int] = defaultdict(int)
        self.connect()

    def connect(self) -> None:
        """Wait for the server to answer."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with self._proxy() as proxy:
                    proxy.connect()
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ConnectionError(
                        f"no megengine.distributed.Server answers at {self.master_ip}:{self.port} ({error})"
                    ) from error
                time.sleep(0.2)

    def _proxy(self) -> ServerProxy:
        # One a call: a proxy is not to be shared by threads, and a call may wait for long.
        from xmlrpc.client import ServerProxy

        return ServerProxy(f"http://{self.master_ip}:{self.port}", allow_none=True)

    def _call(self, method: str, *args: Any) -> Any:
        with self._proxy() as proxy:
            return getattr(proxy, method)(*args)

    def get_mm_server_port(self) -> int:
        """The port where processes find each other."""
        return self._call("get_mm_server_port")  # type: ignore[no-any-return]

    def user_set(self, key: str, val: Any) -> bool:
        """Give all processes a value."""
        return self._call("user_set", key, val)  # type: ignore[no-any-return]

    def user_get(self, key: str) -> Any:
        """The value of a key; waits until a process gives it."""
        return self._call("user_get", key)

    def user_pop(self, key: str) -> Any:
        """The value of a key, and forget it; waits until a process gives it."""
        return self._call("user_pop", key)

    def set_is_grad(self, key: str, is_grad: bool) -> None:
        """Say whether a tensor that is sent needs a gradient."""
        self._call("set_is_grad", key, is_grad)

    def check_is_grad(self, key: str) -> Any:
        """Whether a tensor that was sent needs a gradient."""
        return self._call("check_is_grad", key)

    def set_remote_tracer(self, key: str, tracer_set: Any) -> None:
        """Say which recordings a tensor that is sent belongs to."""
        self._call("set_remote_tracer", key, tracer_set)

    def check_remote_tracer(self, key: str) -> Any:
        """Which recordings a tensor that was sent belongs to."""
        return self._call("check_remote_tracer", key)

    def group_barrier(self, key: str, size: int) -> None:
        """Wait until ``size`` processes are here."""
        self._call("group_barrier", key, size)

    def agree(self, key: str, rank: int, size: int, said: Any, patience: float) -> dict[str, Any]:
        """Say something under a key, and learn what the other ranks say: all of them, or those that came in so many seconds."""
        found: dict[str, Any] = self._call("agree", key, rank, size, said, patience)
        return found

    def bcast_val(self, val: Any, key: str, size: int) -> Any:
        """Give a value to the other processes of a group, or with None take what the one that has it gives."""
        self._broadcasts[key] += 1
        return self._call("bcast_val", val, f"{key}_bcast_{self._broadcasts[key]}", size)
