"""The base of image datasets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..meta_dataset import Dataset

__all__ = ["VisionDataset"]


class VisionDataset(Dataset):
    """Base of all image datasets: it knows its folder and what the fields of a sample are.

    Args:
        root: the folder of the data; ``~`` is expanded.
        order: the kinds of a sample's fields, such as ``("image", "boxes")``; default ``("image",)``.
        supported_order: the kinds that the dataset can give; None allows all.

    Raises:
        ValueError: if ``order`` is not a sequence.
        AssertionError: if ``supported_order`` is not a sequence.
        NotImplementedError: if ``order`` names a kind that is not supported.

    Example:
        >>> from megengine.data.dataset import VisionDataset
        >>> VisionDataset("photos", order=("image", "boxes")).order
        ('image', 'boxes')
    """

    def __init__(
        self, root: Any, *, order: Sequence[str] | None = None, supported_order: Sequence[str] | None = None
    ) -> None:
        self.root: Any = os.path.expanduser(root) if isinstance(root, str | bytes | os.PathLike) else root
        if order is None:
            order = ("image",)
        if not isinstance(order, Sequence):
            raise ValueError(f"order must be a sequence of kinds, not {order!r}")
        if supported_order is not None:
            if not isinstance(supported_order, Sequence):
                raise AssertionError(f"supported_order must be a sequence of kinds, not {supported_order!r}")
            for kind in order:
                if kind not in supported_order:
                    raise NotImplementedError(f"{type(self).__name__} has no {kind!r}; it has {tuple(supported_order)}")
        self.order = order

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__")
