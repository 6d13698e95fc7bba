"""The batch fast path: from sample indices to a collated batch without a Python loop over the samples.

A method that handles one sample may name a *batch function* that does the same for a whole batch at once::

    class Negative(Transform):
        @vectorised(lambda self, fields: tuple(-field for field in fields))
        def apply(self, input):
            return tuple(-field for field in input)

The mark belongs to the function and not to the class, so that a subclass which overrides the method is served one by one,
as is an object whose method was replaced. The methods looked at are ``Dataset.__getitem__``, ``Transform.apply_batch``,
``Transform.apply``, the ``_apply_*`` methods of a ``VisionTransform``, and ``Collator.apply``.

In a batch function a sample is what the method takes or returns, with one more dimension, the batch, before all others:
an array or a tuple of arrays. It returns ``NotImplemented`` where it cannot promise the very same result (values, dtypes
and nesting); the loader then goes on one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

__all__ = ["batch_function", "batch_pipeline", "vectorised"]

Method = TypeVar("Method", bound=Callable[..., Any])


class _Mark(NamedTuple):
    method: Callable[..., Any]
    batch: Callable[..., Any]


def vectorised(batch: Callable[..., Any]) -> Callable[[Method], Method]:
    """Says that ``batch`` does for a whole batch what the decorated method does for one sample.

    Args:
        batch: function of the object and of the method's argument with a leading batch dimension; for a dataset's
            ``__getitem__``, of the dataset and a list of indices. Its result equals the stacked results of the method, or
            is ``NotImplemented``.

    Returns:
        A decorator that returns its method unchanged but for the mark.

    Example:
        >>> from megengine.data.vectorise import batch_function, vectorised
        >>> class Doubler:
        ...     @vectorised(lambda self, values: values * 2)
        ...     def double(self, value):
        ...         return value * 2
        >>> batch_function(Doubler().double)(np.arange(3)).tolist()
        [0, 2, 4]
    """

    def mark(method: Method) -> Method:
        vars(method)["_vectorised"] = _Mark(method, batch)
        return method

    return mark


def batch_function(method: Callable[..., Any]) -> Callable[[Any], Any] | None:
    """The batch function of a bound method, bound to the same object.

    Args:
        method: a method looked up on an object.

    Returns:
        The function, or None where the method has none or was wrapped by something that copied the mark.

    Example:
        >>> from megengine.data.vectorise import batch_function
        >>> batch_function([].append) is None
        True
    """
    mark = getattr(method, "_vectorised", None)
    if mark is None or mark.method is not getattr(method, "__func__", None):
        return None
    return partial(mark.batch, method.__self__)  # type: ignore[attr-defined]


def batch_pipeline(dataset: Any, transform: Any, collator: Any) -> Callable[[Any], Any] | None:
    """Joins the batch functions of a dataset, a transform and a collator.

    Args:
        dataset: what is indexed.
        transform: object with ``apply_batch``.
        collator: object with ``apply``.

    Returns:
        A function from a list of indices to a batch or ``NotImplemented``, or None if one of the three has no batch
        function.

    Example:
        >>> from megengine.data import Collator
        >>> from megengine.data.dataset import ArrayDataset
        >>> from megengine.data.transform import Normalize
        >>> from megengine.data.vectorise import batch_pipeline
        >>> load = batch_pipeline(ArrayDataset(np.arange(8.0).reshape(4, 2)), Normalize(1.0, 2.0), Collator())
        >>> load([3, 0]).tolist()
        [[2.5, 3.0], [-0.5, 0.0]]
    """
    # `dataset[i]` looks up the class, never the object.
    gather = batch_function(type(dataset).__getitem__.__get__(dataset))
    apply = batch_function(transform.apply_batch)
    collate = batch_function(collator.apply)
    if gather is None or apply is None or collate is None:
        return None

    def load(indices: Any) -> Any:
        sample = gather(indices)
        for stage in (apply, collate):
            if sample is NotImplemented:
                return sample
            sample = stage(sample)
        return sample

    return load
