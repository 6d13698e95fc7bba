"""Settings of the reference's graph compiler, for :class:`~megengine.jit.trace`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class SublinearMemoryConfig:
    """Have training steps keep less of their forward pass, and compute it again where gradients need it.

    Where the forward pass is cut follows from the graph (``megengine.graph.passes.rematerialise``) and is not searched for.

    Args:
        lb_memory_mb: leave a graph as it is if its forward pass makes no more megabytes than this; default 0.
        thresh_nr_try, genetic_nr_iter, genetic_pool_size, num_worker: of the reference's search; kept as given.

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

    @property
    def recompute(self) -> tuple[int, int]:
        """From how many bytes of a forward pass on, and of a part of it, things are computed again."""
        return self.lb_memory_mb << 20, 0


@dataclass
class DTRConfig:
    """Have training steps keep less of their forward pass, and compute it again where gradients need it.

    The reference drops tensors while a graph runs; here it is decided when the graph is compiled.

    Args:
        eviction_threshold: leave a graph as it is if its forward pass makes no more bytes than this; default 0.
        evictee_minimum_size: leave parts of it that make fewer bytes than this; default 1 MB.
        recomp_memory_factor, recomp_time_factor: weights of the reference's choice; kept as given.

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

    @property
    def recompute(self) -> tuple[int, int]:
        """From how many bytes of a forward pass on, and of a part of it, things are computed again."""
        return self.eviction_threshold, self.evictee_minimum_size


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
