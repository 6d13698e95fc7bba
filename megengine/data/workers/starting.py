"""Starting a pass of workers, or saying why there can be none."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from ...logger import get_logger
from ..position import Position
from ..worker_info import WorkerInfo
from .parallel import ParallelBatches, WorkersUnable
from .pool import pool
from .shipping import culprit, pack
from .worker import Assignment

if TYPE_CHECKING:
    from ..dataloader import DataLoader

__all__ = ["batches_of_workers"]

logger = get_logger("megengine.data")


def batches_of_workers(loader: DataLoader, work: Iterator[Any] | None, position: Position) -> ParallelBatches | None:
    """The batches of one pass, made by the loader's workers.

    Args:
        loader: whose dataset, transform and collator to use.
        work: what each batch is made of; None if the workers read the stream themselves.
        position: where to begin, and the seed.

    Returns:
        An iterator, or None, which a warning explains, if what the loader consists of cannot be sent to workers.
    """
    if not sys.platform.startswith("linux"):
        logger.warning(
            "num_workers=%d: there are workers on Linux only; batches are made in this process", loader.num_workers
        )
        return None
    reads_itself = loader.datakind == "stream" and work is None
    parts = {
        "dataset": loader.dataset if reads_itself or loader.datakind == "map" else None,
        "transform": loader.transform,
        "collator": loader.collator,
    }
    try:
        shipment = pack(tuple(parts.values()))
    except Exception as error:
        name = next((culprit(part, name) for name, part in parts.items() if not _can_be_sent(part)), "the loader")
        _give_up(loader, f"{name} cannot be sent to workers ({type(error).__name__}: {error})")
        return None
    pool.keep_for(loader)
    kind = "map" if loader.datakind == "map" else "stream" if reads_itself else "samples"
    batch_size = getattr(loader.sampler, "batch_size", 1)
    assign = partial(_assignment, kind, position, batch_size)
    batches = ParallelBatches(
        loader.num_workers, assign, shipment, position, work, loader.timeout, loader.timeout_event
    )
    try:
        batches.wait_until_ready()
    except WorkersUnable as error:
        what, trace = error.args
        _give_up(loader, f"a worker could not take over dataset, transform and collator ({what})")
        logger.debug("in the worker:\n%s", trace)
        return None
    return batches


def _assignment(kind: str, position: Position, batch_size: int, info: WorkerInfo) -> Assignment:
    """What one worker is told; workers that read a stream themselves take turns, in order."""
    skip = max(0, -(-(position.number - info.idx) // info.worker)) if kind == "stream" else 0
    return Assignment(info, kind, position.seed, batch_size, skip)


def _can_be_sent(part: Any) -> bool:

    try:
        os.close(pack(part)[0])
    except Exception:
        return False
    return True


def _give_up(loader: DataLoader, why: str) -> None:
    logger.warning("num_workers=%d: %s; batches are made in this process", loader.num_workers, why)
