"""Settings of the reference's graph compiler, accepted by :class:`~megengine.jit.trace`; XLA makes these choices itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class SublinearMemoryConfig:
    """How the reference searches for what to recompute; XLA's memory planning takes its place.

    Args:
        thresh_nr_try, genetic_nr_iter, genetic_pool_size, lb_memory_mb, num_worker: kept as given.

    Raises:
        ValueError: a number out of its range.

    Example:
        >>> megengine.jit.SublinearMemoryConfig(num_worker=2).num_worker
        2
    """

    thresh_nr_try: int = 10
    genetic_nr_iter: int = 0
    genetic_pool_size: int = 20
    lb_memory_mb: int = 0
    num_worker: int = 1

    def __post_init__(self) -> None:
        if self.thresh_nr_try < 0 or self.genetic_nr_iter < 0 or self.genetic_pool_size < 0 or self.lb_memory_mb < 0:
            raise ValueError(f"{self}: numbers cannot be negative")
        if self.num_worker <= 0:
            raise ValueError(f"{self}: num_worker must be positive")


@dataclass
class DTRConfig:
    """When the reference drops and recomputes tensors; XLA's memory planning takes its place.

    Args:
        eviction_threshold, evictee_minimum_size, recomp_memory_factor, recomp_time_factor: kept as given.

    Raises:
        ValueError: a negative number.

    Example:
        >>> megengine.jit.DTRConfig(eviction_threshold=1024).eviction_threshold
        1024
    """

    eviction_threshold: int = 0
    evictee_minimum_size: int = 1048576
    recomp_memory_factor: float = 1
    recomp_time_factor: float = 1

    def __post_init__(self) -> None:
        if (
            min(self.eviction_threshold, self.evictee_minimum_size) < 0
            or min(self.recomp_memory_factor, self.recomp_time_factor) < 0
        ):
            raise ValueError(f"{self}: numbers cannot be negative")


@dataclass
class GraphOptimizationConfig:
    """Which rewrites the reference applies; XLA fuses by itself.

    Args:
        jit_fuse_dimshuffle, jit_fuse_reduce: kept as given.

    Example:
        >>> megengine.jit.GraphOptimizationConfig()
        GraphOptimizationConfig(jit_fuse_dimshuffle=False, jit_fuse_reduce=False)
    """

    jit_fuse_dimshuffle: bool = False
    jit_fuse_reduce: bool = False
