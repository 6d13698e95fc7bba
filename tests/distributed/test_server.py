"""The server for small values, with several clients at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import megengine.distributed as dist
from megengine.distributed import server as server_module
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
    monkeypatch.setattr(server_module, "PATIENCE", 0.0)
    with pytest.raises(
        ConnectionError, match=f"no megengine.distributed.Server answers at 127.0.0.1:{server.py_server_port}"
    ):
        client(server)
