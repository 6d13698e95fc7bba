"""The collator: merges samples into a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .vectorise import vectorised

__all__ = ["Collator"]


def _collate_fields(collator: Collator, sample: Any) -> Any:
    if isinstance(sample, np.ndarray):
        return np.ascontiguousarray(sample)
    if isinstance(sample, tuple) and all(isinstance(field, np.ndarray) for field in sample):
        return [np.ascontiguousarray(field) for field in sample]
    return NotImplemented


class Collator:
    """Merges a list of samples into one batch.

    The first sample decides how:

    * arrays are stacked along a new first axis,
    * numbers become one array: integers int64, floats float64, NumPy scalars their own dtype,
    * what NumPy can take for an array, such as a PyTorch tensor or a PIL image, is stacked as one,
    * strings and bytes are left as they are,
    * of a mapping each value is merged, giving a dict; of a named tuple each field, giving the named tuple; of another
      sequence each element, giving a list.

    Example:
        >>> from megengine.data import Collator
        >>> image, label, name = Collator().apply([(np.zeros((2, 2)), 0, "a"), (np.ones((2, 2)), 1, "b")])
        >>> image.shape, label, name
        ((2, 2, 2), array([0, 1]), ('a', 'b'))
    """

    @vectorised(_collate_fields)
    def apply(self, inputs: Sequence[Any]) -> Any:
        """Merges samples.

        Args:
            inputs: the samples, all of one structure.

        Returns:
            The batch: arrays in the structure of one sample, with tuples turned into lists.

        Raises:
            IndexError: if there are no samples.
            TypeError: if samples hold something else than arrays, numbers, strings, bytes, mappings and sequences.
            ValueError: if arrays differ in shape, or sequences in length.

        Example:
            >>> from megengine.data import Collator
            >>> Collator().apply([{"x": 1.5}, {"x": 2.5}])
            {'x': array([1.5, 2.5])}
        """
        if not len(inputs):
            raise IndexError("there is no sample to collate: the batch is empty")
        first = inputs[0]
        if isinstance(first, np.ndarray):
            return _stack(inputs)
        if isinstance(first, bytes | str) and not isinstance(first, np.bytes_):
            return inputs
        if isinstance(first, np.generic | int):
            return np.array(inputs)
        if isinstance(first, float):
            return np.array(inputs, dtype=np.float64)
        if isinstance(first, Mapping):
            return {key: self._merge(key, [sample[key] for sample in inputs]) for key in first}
        if isinstance(first, Sequence):
            fields = [self._merge(position, field) for position, field in enumerate(_transpose(inputs))]
            return type(first)(*fields) if hasattr(first, "_fields") else fields
        if hasattr(first, "__array__") or hasattr(first, "__array_interface__"):
            return _stack(inputs)
        raise TypeError(_unsupported(type(first).__name__))

    def _merge(self, field: Any, inputs: Sequence[Any]) -> Any:
        try:
            return self.apply(inputs)
        except (TypeError, ValueError) as error:
            error.add_note(f"in field {field!r} of the samples")
            raise


def _unsupported(found: str) -> str:
    return f"the collator merges arrays, numbers, strings, bytes, mappings and sequences; a sample holds {found}"


def _stack(inputs: Sequence[Any]) -> np.ndarray:
    arrays = [np.asarray(array) for array in inputs]
    for position, array in enumerate(arrays):
        if array.dtype.hasobject:
            raise TypeError(_unsupported(f"an array of dtype {array.dtype}"))
        if array.shape != arrays[0].shape:
            raise ValueError(
                f"arrays of a batch must have one shape: sample 0 has {arrays[0].shape}, sample {position} {array.shape}"
            )
    return np.ascontiguousarray(np.stack(arrays))


def _transpose(sequences: Sequence[Any]) -> list[tuple[Any, ...]]:
    for position, sequence in enumerate(sequences):
        if sequence is None:
            raise TypeError(f"sample {position} of the batch is None: did the data set or a transform return nothing?")
        if len(sequence) != len(sequences[0]):
            raise ValueError(
                "sequences of a batch must have one length: "
                f"sample 0 has {len(sequences[0])}, sample {position} {len(sequence)}; give the loader a collator of your own"
            )
    fields = list(zip(*sequences, strict=True))
    if len(fields) != len(sequences[0]):
        raise ValueError(
            f"a sample of length {len(sequences[0])} gives {len(fields)} elements: its iteration ends too early"
        )
    return fields
