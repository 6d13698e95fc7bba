"""The base of all transforms, and the one that does nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from ..vectorise import batch_function, vectorised

__all__ = ["PseudoTransform", "Transform", "apply_whole"]


def apply_whole(transform: Any, sample: Any) -> Any:
    """The batch function of an ``apply_batch`` that applies the transform sample by sample."""
    whole = batch_function(transform.apply)
    return NotImplemented if whole is None else whole(sample)


class Transform(ABC):
    """Base of all transforms: a subclass defines :meth:`apply`.

    Example:
        >>> from megengine.data.transform import Transform
        >>> class Scale(Transform):
        ...     def apply(self, input):
        ...         return tuple(field * 10 for field in input)
        >>> Scale().apply_batch([(1, 2), (3, 4)])
        ((10, 20), (30, 40))
    """

    @vectorised(apply_whole)
    def apply_batch(self, inputs: Sequence[Any]) -> Any:
        """Applies the transform to each sample of a sequence and returns a tuple."""
        return tuple([self.apply(sample) for sample in inputs])  # a generator would hide a StopIteration

    @abstractmethod
    def apply(self, input: Any) -> Any:
        """Applies the transform to one sample, usually a tuple of arrays."""

    def __repr__(self) -> str:
        return type(self).__name__


class PseudoTransform(Transform):
    """Returns each sample as it is.

    Example:
        >>> from megengine.data.transform import PseudoTransform
        >>> PseudoTransform().apply((1, 2))
        (1, 2)
    """

    @vectorised(lambda self, sample: sample)
    def apply(self, input: Any) -> Any:
        """Returns its argument."""
        return input
