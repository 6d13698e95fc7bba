"""What ends iterators, raised in a data set, transform, collator or sampler: an error that names where, never the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from megengine.data import Collator, DataLoader, Infinite, MapSampler, SequentialSampler, StreamSampler
from megengine.data.dataset import ArrayDataset, Dataset, StreamDataset
from megengine.data.transform import Compose, Transform
from megengine.data.vectorise import vectorised

ENDING = [StopIteration, GeneratorExit]
OTHERS = [IndexError, KeyError]


class Items(Dataset):
    """Numbers; one of them raises."""

    def __init__(self, bad: int | None, error: Any) -> None:
        self.bad, self.error = bad, error

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> int:
        if index == self.bad:
            raise self.error
        return index


class Many(Items):
    def __getitems__(self, indices: list[int]) -> list[int]:
        return [self[i] for i in indices]


class Numbers(StreamDataset):
    def __init__(self, count: int = 6) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        yield from range(self.count)


class Raising(Transform):
    """Raises at one sample."""

    def __init__(self, bad: int, error: Any) -> None:
        self.bad, self.error = bad, error

    def apply(self, input: Any) -> Any:
        if input == self.bad:
            raise self.error
        return input


class RaisingBatch(Raising):
    def apply_batch(self, inputs: Any) -> Any:
        return [self.apply(sample) for sample in inputs]


class RaisingCollator(Collator):
    def __init__(self, bad: int, error: Any) -> None:
        self.bad, self.error = bad, error

    def apply(self, inputs: Any) -> Any:
        if self.bad in inputs:
            raise self.error
        return super().apply(inputs)


class RaisingSampler(MapSampler):
    """Raises in one of its methods, at the third batch where that is a generator."""

    def __init__(self, dataset: Any, where: str, error: Any) -> None:
        super().__init__(dataset, batch_size=2, seed=0)
        self.where, self.error = where, error

    def __iter__(self) -> Any:
        if self.where == "__iter__":
            raise self.error
        return super().__iter__()

    def sample(self) -> Any:
        if self.where == "sample":
            raise self.error
        return range(6)

    def batch(self) -> Any:
        for number, batch in enumerate(super().batch()):
            if self.where == "batch" and number == 2:
                raise self.error
            yield batch


def loaders(error: Any, workers: int) -> dict[str, tuple[Callable[[], DataLoader], str]]:
    """Loaders whose third batch, of the numbers 4 and 5, meets the error, and where that is."""

    def of(dataset: Any, transform: Any = None, collator: Any = None, sampler: Any = None) -> Callable[[], DataLoader]:
        kind = StreamSampler(2) if isinstance(dataset, StreamDataset) else sampler or SequentialSampler(dataset, 2)
        return lambda: DataLoader(dataset, kind, transform, collator, num_workers=workers)

    fine = Items(None, None)
    return {
        "getitem": (of(Items(5, error)), "while fetching sample 5 for batch 2"),
        "getitems": (of(Many(5, error)), "while fetching sample 4, 5 for batch 2"),
        "apply": (of(fine, Raising(5, error)), "while transforming sample 5 for batch 2"),
        "apply_batch": (of(fine, RaisingBatch(5, error)), "while transforming sample 5 for batch 2"),
        "composed": (of(fine, Compose([Raising(5, error)])), "while transforming sample 5 for batch 2"),
        "collator": (of(fine, None, RaisingCollator(5, error)), "while collating batch 2 of the samples 4, 5"),
        "stream transform": (of(Numbers(), Raising(5, error)), "while transforming sample 1 of batch 2 of the stream"),
        "stream collator": (of(Numbers(), None, RaisingCollator(5, error)), "while collating batch 2 of the stream"),
        "sampler": (of(fine, sampler=RaisingSampler(fine, "batch", error)), "while drawing what batch 2 is made of"),
    }


PLACES = list(loaders(None, 0))


def passed(loader: DataLoader) -> tuple[list[list[int]], BaseException | None]:
    """The batches of a pass, and the error that it ends with."""
    seen: list[list[int]] = []
    try:
        for batch in loader:
            seen.append(np.asarray(batch).tolist())
    except BaseException as error:
        return seen, error
    return seen, None


def everything(error: BaseException | None) -> str:
    """The messages and notes of an error and of its causes."""
    parts = []
    while error is not None:
        parts += [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])]
        error = error.__cause__
    return "\n".join(parts)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", [*ENDING, *OTHERS])
def test_an_error_in_this_process_is_named(kind: type[BaseException], place: str) -> None:
    make, where = loaders(kind("mine"), 0)[place]
    seen, error = passed(make())
    assert seen == [[0, 1], [2, 3]]
    assert isinstance(error, RuntimeError if kind in ENDING else kind)
    assert where in everything(error) and "mine" in everything(error)


@pytest.mark.parametrize("kind", [StopIteration, GeneratorExit, KeyError, SystemExit, KeyboardInterrupt])
def test_an_error_in_a_worker_is_named(kind: type[BaseException]) -> None:
    for place in PLACES:
        if place == "sampler" and kind in (SystemExit, KeyboardInterrupt):
            continue  # is in this process
        make, where = loaders(kind("mine"), 1)[place]
        seen, error = passed(make())
        assert seen == [[0, 1], [2, 3]], place
        assert isinstance(error, KeyError if (place, kind) == ("sampler", KeyError) else RuntimeError), place
        if kind in (SystemExit, KeyboardInterrupt):
            assert f"Caught {kind.__name__} in DataLoader worker process 0" in str(error), place
        else:
            assert where in everything(error), place


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("place", [p for p in PLACES if p != "sampler"])
def test_what_ends_the_program_ends_it(kind: type[BaseException], place: str) -> None:
    make, _ = loaders(kind("mine"), 0)[place]
    seen, error = passed(make())
    assert seen == [[0, 1], [2, 3]]
    assert type(error) is kind


@pytest.mark.parametrize(
    ("place", "workers"), [*((p, 0) for p in PLACES if p != "sampler"), ("getitem", 1), ("stream transform", 1)]
)
def test_a_pass_goes_on_after_an_error(place: str, workers: int) -> None:
    make, _ = loaders(StopIteration(), workers)[place]
    loader = make()
    for part in (loader.dataset, loader.transform, loader.collator, *getattr(loader.transform, "transforms", ())):
        if getattr(part, "bad", None) is not None:
            part.bad = 1
    batches = iter(loader)
    with pytest.raises(RuntimeError):
        next(batches)
    assert [np.asarray(batch).tolist() for batch in batches] == [[2, 3], [4, 5]]


@pytest.mark.parametrize("where", ["__iter__", "sample"])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_sampler_that_does_not_begin(where: str, workers: int) -> None:
    dataset = Items(None, None)
    loader = DataLoader(dataset, RaisingSampler(dataset, where, StopIteration("mine")), num_workers=workers)
    seen, error = passed(loader)
    assert seen == [] and isinstance(error, RuntimeError)
    assert ("by __iter__ of RaisingSampler" if where == "__iter__" else "while drawing what batch 0") in everything(
        error
    )


def test_whole_batches() -> None:
    class Whole(ArrayDataset):
        @vectorised(lambda self, indices: next(iter(())))
        def __getitem__(self, index: Any) -> Any:
            return super().__getitem__(index)

    loader = DataLoader(Whole(np.arange(4)), SequentialSampler(range(4), 2))
    seen, error = passed(loader)
    assert seen == [] and "while making batch 0 of the samples 0, 1" in str(error)


class EndsWhenLookedAt(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise StopIteration("mine")


class Keeping(Collator):
    def apply(self, inputs: Any) -> Any:
        return EndsWhenLookedAt(x=np.array(inputs))


def test_batches_of_a_kind_that_cannot_be_looked_at() -> None:
    loader = DataLoader(Items(None, None), collator=Keeping(), preload=True)
    with pytest.raises(RuntimeError, match="while making tensors of a batch"):
        next(iter(loader))


class Hard:
    """Cannot be unpickled."""

    def __reduce__(self) -> Any:
        return _stop, ()


def _stop() -> Any:
    raise StopIteration("mine")


class HardCollator(Collator):
    def apply(self, inputs: Any) -> Any:
        return Hard()


def test_a_batch_that_cannot_be_received_is_no_end() -> None:
    with pytest.raises(RuntimeError, match="while receiving batch 0"):
        next(iter(DataLoader(Items(None, None), collator=HardCollator(), num_workers=1)))


def test_a_callback_of_the_time_limit_ends_nothing() -> None:
    import threading

    def endless() -> Iterator[int]:
        threading.Event().wait(60)
        yield 0

    def callback() -> None:
        raise StopIteration("mine")

    class Waiting(Numbers):
        def __iter__(self) -> Iterator[int]:
            return endless()

    with pytest.raises(RuntimeError, match="by timeout_event"):
        next(iter(DataLoader(Waiting(), StreamSampler(1), timeout=0.1, timeout_event=callback)))


def test_what_a_stream_iterates_over_may_end_it() -> None:
    class Ended(Numbers):
        def __iter__(self) -> Iterator[int]:
            yield from range(3)
            raise StopIteration

    class Helper(Numbers):
        """An iterator of its own, whose helper ends."""

        def __iter__(self) -> Any:
            self.left = iter(range(3))
            return self

        def __next__(self) -> int:
            return next(self.left)

    for stream in (Ended(), Helper()):
        assert passed(DataLoader(stream, StreamSampler(2))) == ([[0, 1], [2]], None)


def test_a_loader_within_a_stream_does_not_end_it() -> None:
    class Outer(Numbers):
        def __iter__(self) -> Iterator[int]:
            for batch in DataLoader(Items(3, StopIteration("mine"))):
                yield from batch.tolist()

    seen, error = passed(DataLoader(Outer(), StreamSampler(1)))
    assert seen == [[0], [1], [2]] and "while fetching sample 3 for batch 3" in everything(error)


def test_a_sampler_without_batches_is_not_repeated() -> None:
    class Empty(SequentialSampler):
        def batch(self) -> Any:
            return iter(())

    with pytest.raises(RuntimeError, match="gives no batch, so it cannot be repeated"):
        next(iter(DataLoader(Items(None, None), Infinite(Empty(range(3))))))


def test_a_sample_that_iterates_shorter_than_it_says() -> None:
    class Short(list):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            return iter([self[0]])

    class Samples(Items):
        def __getitem__(self, index: int) -> Any:
            return Short([index, index])

    with pytest.raises(ValueError, match="a sample of length 2 gives 1 elements"):
        next(iter(DataLoader(Samples(None, None))))
