"""The server at which processes exchange small values: a store of names and values, spoken to by XML-RPC."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any

from ..graph.flushing import begin_recorded

if TYPE_CHECKING:
    from xmlrpc.client import ServerProxy

__all__ = ["Client", "Server", "patience"]

SILENCE = 60.0  # seconds after which a launcher that says nothing is taken to be gone


def patience(default: float = 1800.0) -> float:
    """Seconds that a process waits for the others before it gives up: ``MEGENGINE_DISTRIBUTED_TIMEOUT``.

    Raises:
        ValueError: the variable is no positive number.
    """
    text = os.environ.get("MEGENGINE_DISTRIBUTED_TIMEOUT", str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise ValueError(f"environment variable MEGENGINE_DISTRIBUTED_TIMEOUT={text!r}: write a number of seconds")
    return seconds


class Methods:
    """What a server does when asked; one thread a caller, so a caller may wait for another."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._changed = threading.Condition()
        self._ended = False
        self._values: dict[tuple[str, str], Any] = {}
        self._arrived: defaultdict[str, int] = defaultdict(int)
        self._opened: defaultdict[str, int] = defaultdict(int)
        self._readers: defaultdict[str, int] = defaultdict(int)
        self._words: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        self._told: defaultdict[str, set[int]] = defaultdict(set)
        self._waiting: dict[str, Any] = {}
        self._launchers: dict[str, tuple[float, str]] = {}

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
                try:
                    self._wait(
                        lambda: self._opened[key] != turn, f"{size} processes did not come to the barrier {key!r}"
                    )
                except TimeoutError:
                    self._arrived[key] -= 1
                    raise
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
            if self._changed.wait_for(lambda: len(words) == size or self._ended, patience) and len(words) == size:
                told = self._told[key]
                told.add(rank)
                if len(told) == size:
                    del self._words[key], self._told[key]
            return dict(words)

    def waiting(self, rank: int, word: Any) -> dict[str, Any]:
        """Notes what a rank waits for, None if it waits no more; gives what those say that wait."""
        with self._changed:
            if word is None:
                self._waiting.pop(str(rank), None)
            else:
                self._waiting[str(rank)] = word
            return dict(self._waiting)

    def report(self, ranks: str, word: str) -> list[list[str]]:
        """Notes that the launcher of some ranks is there, or how it ended; gives those that ended otherwise than well.

        Args:
            ranks: whose launcher it is, such as ``"2 to 3 on node1"``.
            word: empty while it waits; ``done``, ``interrupted`` until its ranks have ended, or an error's words.
        """
        with self._changed:
            now = time.monotonic()
            self._launchers[ranks] = now, word
            self._changed.notify_all()
            found = []
            for other, (seen, told) in self._launchers.items():
                silent = f"its launcher has not been heard of for {SILENCE:g} s" if now - seen > SILENCE else ""
                if other != ranks and told != "done" and (told or silent):
                    found.append([other, told or silent])
            return found

    def launchers_ended(self) -> bool:
        """Whether all launchers that have reported have ended, and not only been interrupted."""
        with self._changed:
            return all(word not in ("", "interrupted") for _, word in self._launchers.values())

    def linger(self, seconds: float) -> None:
        """Waits until all launchers that have reported have ended, but not longer than some seconds."""
        with self._changed:
            self._changed.wait_for(self.launchers_ended, seconds)

    def end(self) -> None:
        """Has all calls that wait return: their threads, and what they have open, would stay as long as they wait."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _wait(self, condition: Callable[[], bool], failure: str) -> None:
        seconds = patience()
        if not self._changed.wait_for(lambda: condition() or self._ended, seconds):
            raise TimeoutError(f"{failure} within {seconds:g} s (MEGENGINE_DISTRIBUTED_TIMEOUT)")
        if not condition():
            raise TimeoutError(f"{failure} before the server ended")

    def _put(self, kind: str, key: str, value: Any) -> bool:
        with self._changed:
            self._values[kind, key] = value
            self._changed.notify_all()
        return True

    def _get(self, kind: str, key: str, forget: bool = False) -> Any:
        with self._changed:
            self._wait(lambda: (kind, key) in self._values, f"no process gave a value for {key!r}")
            return self._values.pop((kind, key)) if forget else self._values[kind, key]


class Server:
    """The server of the processes that train together, in a thread of this one.

    It ends with :meth:`close` or when the object goes. It takes values from whoever reaches its port: have other machines
    reach it in a network of your own only.

    Args:
        port: where to listen. Default: 0, a free port
        host: address to listen at; ``"0.0.0.0"`` is all of this machine's. Default: the loopback address, which only this machine
            reaches; with a port all addresses, for a port is named where other machines have to know it

    Attributes:
        py_server_port: where it listens.
        mm_server_port: the same, for MegEngine has two servers.

    Raises:
        OSError: the port is in use, or the address is not this machine's.

    Example:
        >>> server = megengine.distributed.Server()
        >>> client = megengine.distributed.Client("localhost", server.py_server_port)
        >>> client.user_set("answer", 42)
        True
        >>> client.user_get("answer")
        42
        >>> server.close()
    """

    def __init__(self, port: int = 0, host: str | None = None) -> None:
        from xmlrpc.server import SimpleXMLRPCServer

        class ThreadingServer(ThreadingMixIn, SimpleXMLRPCServer):
            daemon_threads = True
            block_on_close = False

        address = (host or ("0.0.0.0" if port else "127.0.0.1"), port)
        try:
            server = ThreadingServer(address, logRequests=False, allow_none=True)
        except OSError as error:
            raise type(error)(error.errno, f"{error.strerror}: {address[0]}:{port}") from error
        self.py_server_port: int = server.server_address[1]
        self.mm_server_port = self.py_server_port
        self._methods = Methods(self.mm_server_port)
        server.register_instance(self._methods)
        serve: Callable[..., None] = server.serve_forever
        threading.Thread(target=serve, args=(0.05,), name="megengine-server", daemon=True).start()
        self._stop = weakref.finalize(self, _stop, server, self._methods)  # also when the program ends before its threads

    def linger(self, seconds: float) -> None:
        """Wait until the launchers of other machines have ended, but not longer than some seconds."""
        self._methods.linger(seconds)

    def close(self) -> None:
        """Stop listening; a second call does nothing."""
        self._stop()


def _stop(server: Any, methods: Methods) -> None:
    methods.end()
    server.shutdown()
    server.server_close()


class Client:
    """A connection to a :class:`Server`. Keys are strings; values are what XML-RPC carries: numbers, strings, lists, dicts.

    Args:
        master_ip: the server's address.
        port: the server's port.

    Raises:
        ConnectionError: no server has answered there in five minutes, or ``MEGENGINE_DISTRIBUTED_TIMEOUT`` seconds.
    """

    def __init__(self, master_ip: str, port: int) -> None:
        self.master_ip = master_ip
        self.port = port
        self._broadcasts: defaultdict[str, int] = defaultdict(int)
        self.connect()

    def connect(self) -> None:
        """Wait for the server to answer."""
        from xmlrpc.client import ProtocolError

        seconds = patience(300.0)
        deadline = time.monotonic() + seconds
        while True:
            try:
                with self._proxy(min(seconds, 10.0)) as proxy:
                    proxy.connect()
                return
            except (OSError, ProtocolError) as error:
                if time.monotonic() > deadline:
                    raise ConnectionError(
                        f"no megengine.distributed.Server answers at {self.master_ip}:{self.port} within {seconds:g} s ({error})"
                    ) from error
                time.sleep(0.2)

    def _proxy(self, seconds: float) -> ServerProxy:
        # One a call: a proxy is not to be shared by threads, and a call may wait for long.
        from xmlrpc.client import ServerProxy, Transport

        class Bounded(Transport):
            def make_connection(self, host: Any) -> Any:
                connection = super().make_connection(host)
                connection.timeout = seconds
                return connection

        return ServerProxy(f"http://{self.master_ip}:{self.port}", transport=Bounded(), allow_none=True)

    def _call(self, method: str, *args: Any, seconds: float | None = None) -> Any:
        from xmlrpc.client import Fault

        if seconds is None:
            begin_recorded()  # those that this one waits for may wait in them
        try:
            # The server gives up first.
            with self._proxy((patience() if seconds is None else seconds) + 30.0) as proxy:
                return getattr(proxy, method)(*args)
        except OSError as error:
            raise ConnectionError(
                f"the megengine.distributed.Server at {self.master_ip}:{self.port} answers no more ({error})"
            ) from error
        except Fault as fault:
            kind, found, words = fault.faultString.partition(":")
            if found and kind == str(TimeoutError):
                raise TimeoutError(words) from None
            raise

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
        found: dict[str, Any] = self._call("agree", key, rank, size, said, patience, seconds=patience)
        return found

    def waiting(self, rank: int, word: Any) -> dict[str, Any]:
        """Say what a rank waits for, None if it waits no more, and learn what those say that wait."""
        found: dict[str, Any] = self._call("waiting", rank, word, seconds=0.0)
        return found

    def launchers_ended(self) -> bool:
        """Whether all launchers that have reported have ended."""
        return bool(self._call("launchers_ended", seconds=0.0))

    def report(self, ranks: str, word: str) -> list[list[str]]:
        """Say that the launcher of some ranks is there, or how it ended, and learn which others ended otherwise than well."""
        found: list[list[str]] = self._call("report", ranks, word, seconds=0.0)
        return found

    def bcast_val(self, val: Any, key: str, size: int) -> Any:
        """Give a value to the other processes of a group, or with None take what the one that has it gives."""
        self._broadcasts[key] += 1
        return self._call("bcast_val", val, f"{key}_bcast_{self._broadcasts[key]}", size)
