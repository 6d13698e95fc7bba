"""How far a pass over a dataset has come."""

from __future__ import annotations

from typing import Any

__all__ = ["Position"]


class Position:
    """How far one pass has come, in batches that the program has got.

    Args:
        number: of the first batch, 0 unless an earlier run of the program is gone on with.
        seed: the pass's seed.
        sampler: the sampler's state at the pass's beginning.

    Example:
        >>> position = Position(4, 0, None)
        >>> position.failed()
        >>> position.number
        4
        >>> position.got()
        >>> position.number
        6
    """

    def __init__(self, number: int, seed: int, sampler: Any) -> None:
        self.number = number
        self.seed = seed
        self.sampler = sampler
        self.ended = False
        self._failed = 0

    def got(self) -> None:
        """The program got a batch."""
        self.number += 1 + self._failed
        self._failed = 0

    def failed(self) -> None:
        """It got an error instead, and will get that again when it goes on from here, unless it takes another batch first."""
        self._failed += 1

    def passed(self) -> None:
        """A worker whose turn it was had no batch left."""
        self.number += 1
