"""The server for small values, with several clients at once."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import megengine.distributed as dist
from megengine.distributed import server as server_module
from megengine.distributed.machines import DONE, INTERRUPTED, Launchers
from tests.processes import PATIENCE


@pytest.fixture
def server() -> Iterator[dist.Server]:
    server = dist.Server()
    yield server
    server.close()


def client(server: dist.Server) -> dist.Client:
    return dist.Client("127.0.0.1", server.py_server_port)


def in_thread(function: Any, *args: Any) -> tuple[threading.Thread, list[Any]]:
    """Starts a call; what it returns is put into the list."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function(*args)), daemon=True)
    thread.start()
    return thread, results


def test_values(server: dist.Server) -> None:
    a, b = client(server), client(server)
    assert a.user_set("key", {"list": [1, "text", None, 2.5]}) is True
    assert b.user_get("key") == a.user_pop("key") == {"list": [1, "text", None, 2.5]}
    assert a.get_mm_server_port() == server.mm_server_port
    a.set_is_grad("op", True)
    assert b.check_is_grad("op") is True
    a.set_remote_tracer("op", ["gm"])
    assert b.check_remote_tracer("op") == ["gm"]


def test_getting_waits_for_setting(server: dist.Server) -> None:
    thread, results = in_thread(client(server).user_get, "late")
    time.sleep(0.1)
    assert not results
    client(server).user_set("late", 1)
    thread.join(PATIENCE)
    assert results == [1]


def test_a_barrier_opens_for_the_last_and_again(server: dist.Server) -> None:
    for _ in range(2):
        waiting = [in_thread(client(server).group_barrier, "0,1,2", 3) for _ in range(2)]
        time.sleep(0.1)
        assert not any(results for _, results in waiting)
        client(server).group_barrier("0,1,2", 3)
        for thread, results in waiting:
            thread.join(PATIENCE)
            assert results == [None]


def test_broadcasts_come_in_order(server: dist.Server) -> None:
    root, other = client(server), client(server)
    for value in (5, "x"):
        thread, results = in_thread(other.bcast_val, None, "0,1", 2)
        assert root.bcast_val(value, "0,1", 2) is None
        thread.join(PATIENCE)
        assert results == [value]


def test_the_port_is_free_after_closing() -> None:
    first = dist.Server()
    port = first.py_server_port
    with pytest.raises(OSError, match="in use"):
        dist.Server(port)
    first.close()
    first.close()
    dist.Server(port).close()


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    server = dist.Server()
    server.close()
    monkeypatch.setenv("MEGENGINE_DISTRIBUTED_TIMEOUT", "0.1")
    with pytest.raises(
        ConnectionError, match=f"no megengine.distributed.Server answers at 127.0.0.1:{server.py_server_port}"
    ):
        client(server)


def test_waiting_for_a_value_or_at_a_barrier_has_an_end(server: dist.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEGENGINE_DISTRIBUTED_TIMEOUT", "0.1")
    with pytest.raises(
        TimeoutError, match=r"no process gave a value for 'never' within 0.1 s \(MEGENGINE_DISTRIBUTED_TI"
    ):
        client(server).user_get("never")
    with pytest.raises(TimeoutError, match="2 processes did not come to the barrier '0,1' within 0.1 s"):
        client(server).group_barrier("0,1", 2)


def test_a_server_that_has_gone_is_named(server: dist.Server) -> None:
    left = client(server)
    server.close()
    with pytest.raises(ConnectionError, match=f"Server at 127.0.0.1:{server.py_server_port} answers no more"):
        left.user_set("key", 1)


def test_those_that_wait_return_when_the_server_ends(server: dist.Server) -> None:
    def failing() -> str:
        with pytest.raises(TimeoutError) as info:
            client(server).user_get("never")
        return str(info.value)

    waiting = [in_thread(failing), in_thread(client(server).agree, "join", 0, 2, "here", 100.0)]
    time.sleep(0.3)
    server.close()
    for thread, _ in waiting:
        thread.join(PATIENCE)
    (failure,), (told,) = (results for _, results in waiting)
    assert "no process gave a value for 'never' before the server ended" in failure and told == {"0": "here"}


def test_launchers_hear_how_others_ended(server: dist.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (Launchers("127.0.0.1", server.py_server_port, ranks) for ranks in (range(2), range(2, 3)))
    assert first.failure() == second.failure() == ""
    second.tell("process 2 exited with code 1")
    assert first.failure() == f"rank 2 on {socket.gethostname()}: process 2 exited with code 1"
    second.tell(INTERRUPTED)
    with pytest.raises(KeyboardInterrupt, match=r"rank 2 on .* was interrupted"):
        first.failure()
    second.tell(DONE)
    assert first.failure() == ""
    third = Launchers("127.0.0.1", server.py_server_port, range(3, 4))
    third.failure()
    monkeypatch.setattr(server_module, "SILENCE", -1.0)
    assert "has not been heard of" in first.failure()


def test_a_failed_barrier_does_not_stop_the_next(server: dist.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEGENGINE_DISTRIBUTED_TIMEOUT", "0.1")
    with pytest.raises(TimeoutError):
        client(server).group_barrier("0,1", 2)
    monkeypatch.setenv("MEGENGINE_DISTRIBUTED_TIMEOUT", str(PATIENCE))
    thread, results = in_thread(client(server).group_barrier, "0,1", 2)
    client(server).group_barrier("0,1", 2)
    thread.join(PATIENCE)
    assert results == [None]
