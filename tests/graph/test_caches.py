"""Bounded caches."""

from __future__ import annotations

import threading

from megengine.graph.caches import Cache, Weighed


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


def test_what_takes_too_many_bytes_goes_by_its_last_use() -> None:
    kept: Weighed[str] = Weighed()
    for name, size in (("a", 10), ("b", 20), ("c", 30)):
        kept.weigh(name, size)
    kept.use("a")
    assert kept.total == 60 and list(kept) == ["b", "c", "a"] and kept.beyond(60) is None
    assert kept.beyond(59) == "b"
    kept.weigh("c", 100)  # grows where it is
    assert kept.total == 130 and list(kept) == ["b", "c", "a"]
    for name in ("b", "c", "c", "unknown"):
        kept.remove(name)
        kept.use(name)
    assert kept.total == 10 and "a" in kept and len(kept) == 1
    assert kept.beyond(0) is None  # the last one stays however large it is
