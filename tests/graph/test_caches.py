"""Bounded caches."""

from __future__ import annotations

import threading

from megengine.graph.caches import Cache


def test_what_was_used_least_recently_goes_first() -> None:
    made: list[int] = []
    cache = Cache(3)

    def get(k: int) -> int:
        return cache.get(k, lambda: made.append(k) or 10 * k)

    assert [get(k) for k in (1, 2, 3, 1, 4, 1, 3, 2)] == [10, 20, 30, 10, 40, 10, 30, 20]
    assert made == [1, 2, 3, 4, 2] and len(cache) == 3
    cache.clear()
    assert get(1) == 10 and made[-1] == 1


def test_threads_get_the_same_object() -> None:
    cache, barrier, found = Cache(2), threading.Barrier(4), []

    def make() -> object:
        barrier.wait()
        return object()

    threads = [threading.Thread(target=lambda: found.append(cache.get("key", make))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(map(id, found))) == 1
