"""Samplers beyond their golden draws: sharding, indices of any kind, process groups, pickling."""

from __future__ import annotations

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megengine.data import Infinite, MapSampler, RandomSampler, ReplacementSampler, SequentialSampler, StreamSampler

sizes = st.integers(1, 60)


@given(size=sizes, world=st.integers(1, 7), kind=st.sampled_from([SequentialSampler, RandomSampler]))
def test_shards_cover_all_samples_and_are_even(size: int, world: int, kind: type[MapSampler]) -> None:
    shards = [[i for batch in kind(range(size), world_size=world, rank=rank) for i in batch] for rank in range(world)]
    share = -(-size // world)
    assert {len(shard) for shard in shards} == {share}
    taken = sorted(i for shard in shards for i in shard)
    assert set(taken) == set(range(size))
    assert len(taken) == share * world


@given(size=sizes, world=st.integers(1, 7), batch=st.integers(1, 4), drop_last=st.booleans())
@pytest.mark.parametrize("kind", [SequentialSampler, RandomSampler])
def test_shards_without_padding_hold_each_sample_once(
    kind: type[MapSampler], size: int, world: int, batch: int, drop_last: bool
) -> None:
    size = max(size, world * batch)
    samplers = [kind(range(size), batch, drop_last, world_size=world, rank=rank, pad=False) for rank in range(world)]
    shards = [list(sampler) for sampler in samplers]
    assert [len(sampler) for sampler in samplers] == [len(shard) for shard in shards]
    taken = sorted(i for shard in shards for each in shard for i in each)
    if drop_last:
        assert len(taken) == len(set(taken))
    else:
        assert taken == list(range(size))
    sizes = [sum(map(len, shard)) for shard in shards]
    assert max(sizes) - min(sizes) <= (batch if drop_last else 1)


def test_given_indices_are_sharded_without_padding() -> None:
    shards = [list(SequentialSampler(range(9), 1, indices=[4, 8, 1], world_size=2, rank=r, pad=False)) for r in (0, 1)]
    assert shards == [[[4], [1]], [[8]]]


def test_a_rank_without_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size=1 is more than the 0 samples of a rank"):
        SequentialSampler(range(2), world_size=3, rank=2, pad=False)


@pytest.mark.parametrize("kind", [RandomSampler, ReplacementSampler])
def test_a_state_has_a_pass_drawn_again(kind: type[MapSampler]) -> None:
    sampler, other = kind(range(50), 8), kind(range(50), 8)
    list(sampler)
    other.load_state_dict(pickle.loads(pickle.dumps(sampler.state_dict())))
    assert [list(other), list(other)] == [list(sampler), list(sampler)]


@given(size=sizes, batch=st.integers(1, 60), drop_last=st.booleans(), seed=st.integers(0, 99))
def test_batches_partition_the_samples(size: int, batch: int, drop_last: bool, seed: int) -> None:
    batch = min(batch, size)
    sampler = RandomSampler(range(size), batch, drop_last, seed=seed)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    flat = [i for each in batches for i in each]
    assert len(set(flat)) == len(flat) == (size - size % batch if drop_last else size)
    assert all(len(each) == batch for each in (batches if drop_last else batches[:-1]))


@given(size=sizes, draws=sizes, seed=st.integers(0, 99))
def test_replacement_draws_within_the_samples_of_positive_weight(size: int, draws: int, seed: int) -> None:
    weights = [i % 2 for i in range(size)] if size > 1 else [1]
    sampler = ReplacementSampler(range(size), num_samples=draws, weights=weights, seed=seed)
    flat = [i for each in sampler for i in each]
    assert len(flat) == draws
    assert all(0 <= i < size and weights[i] for i in flat)


def test_passes_of_a_seeded_sampler_differ_and_samplers_of_one_seed_agree() -> None:
    one, other = RandomSampler(range(50), 50, seed=4), RandomSampler(range(50), 50, seed=4)
    first, second = list(one), list(one)
    assert first != second
    assert [first, second] == [list(other), list(other)]


def test_unseeded_samplers_differ() -> None:
    assert list(RandomSampler(range(50), 50)) != list(RandomSampler(range(50), 50))


@pytest.mark.parametrize("kind", [SequentialSampler, RandomSampler])
def test_length_counts_the_given_indices(kind: type[MapSampler]) -> None:
    sampler = kind(range(100), 2, indices=np.array([4, 8, 15]))
    batches = list(sampler)
    assert len(sampler) == len(batches) == 2
    assert sorted(i for each in batches for i in each) == [4, 8, 15]
    assert all(type(i) is int for each in batches for i in each)


def test_given_indices_are_sharded() -> None:
    shards = [list(SequentialSampler(range(100), 1, indices=[4, 8, 15], world_size=2, rank=r)) for r in range(2)]
    assert shards == [[[4], [15]], [[8], [4]]]


def test_few_samples_are_repeated_until_each_rank_has_one() -> None:
    assert [list(SequentialSampler(range(2), world_size=5, rank=r)) for r in range(5)] == [
        [[0]],
        [[1]],
        [[0]],
        [[1]],
        [[0]],
    ]


def test_array_weights() -> None:
    sampler = ReplacementSampler(range(3), num_samples=5, weights=np.array([0.0, 2.0, 0.0]))
    assert list(sampler) == [[1]] * 5


@pytest.mark.parametrize("arguments", [{"world_size": 0}, {"world_size": 2, "rank": 2}, {"world_size": 2, "rank": -1}])
def test_ranks_are_checked(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SequentialSampler(range(5), **arguments)


def test_process_group_gives_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    group = SimpleNamespace(is_distributed=lambda: True, get_world_size=lambda: 3, get_rank=lambda: 1)
    monkeypatch.setitem(sys.modules, "megengine.distributed", group)
    assert list(SequentialSampler(range(7))) == [[1], [4], [0]]
    assert list(SequentialSampler(range(7), 7, world_size=1, rank=0)) == [[0, 1, 2, 3, 4, 5, 6]]
    group.is_distributed = lambda: False
    assert len(SequentialSampler(range(7))) == 7


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True])
def test_stream_batch_size_is_checked(batch_size: object) -> None:
    with pytest.raises(ValueError, match="batch_size must be a positive integer"):
        StreamSampler(batch_size)  # type: ignore[arg-type]


def test_stream_of_given_positions_leaves_out_a_part_of_a_batch() -> None:
    class Five(StreamSampler):
        def sample(self) -> range:
            return range(5)

    assert list(Five(2)) == [[0, 1], [2, 3]]


def test_infinite_sampler_survives_pickling_of_its_attributes() -> None:
    with pytest.raises(AttributeError):
        Infinite.__new__(Infinite).batch_size
    sampler = pickle.loads(pickle.dumps(RandomSampler(range(9), 2, seed=1)))
    assert list(sampler) == list(RandomSampler(range(9), 2, seed=1))
