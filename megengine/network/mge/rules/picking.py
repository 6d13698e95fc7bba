"""Results whose size depends on numbers: elements under a mask, boxes that are left."""

from __future__ import annotations

from typing import Any

from .... import functional as F
from ....graph.apply import apply
from ....graph.exchange import GraphFileError
from ....ops import sized
from ..building import Builder, rule, tensor
from ..container import Operator

COMPARISONS = {"LT": F.less, "LEQ": F.less_equal, "GT": F.greater, "GEQ": F.greater_equal}


@rule("CondTake")
def take_where(builder: Builder, op: Operator, x: Any, mask: Any) -> Any:
    """The elements where a mask compares so with a number, and their places in the flattened tensor."""
    how, mask = op.param("CondTake"), tensor(mask)
    if how.mode in COMPARISONS:
        where = COMPARISONS[how.mode](mask, how.val)
    else:
        near = F.abs(mask.astype("float32") - how.val) < how.eps
        where = near if how.mode == "EQ" else F.logical_not(near)
    values, places = F.cond_take(where, tensor(x))
    return builder.opened(values), builder.opened(places)


@rule("NonZero")
def places(builder: Builder, op: Operator, x: Any) -> Any:
    """The places of elements that are not zero, ``(ndim, count)``."""
    found: Any = F.non_zero(tensor(x))
    return builder.opened(F.transpose(found, (1, 0)))


@rule("NMSKeepMGB")
def suppress(builder: Builder, op: Operator, boxes: Any) -> Any:
    """Which boxes are left, of one picture, sorted by score: their places, then zeros; and how many they are."""
    how, boxes = op.param("NMSKeep"), tensor(boxes)
    if boxes.shape[0] != 1:
        raise GraphFileError(
            f"{op} takes the boxes of {boxes.shape[0]} pictures at once, of which megengine-xla reads one"
        )
    found, count = apply(sized.nms_places, boxes[0], threshold=float(how.iou_thresh), limit=int(how.max_output))
    return builder.opened(F.expand_dims(found, 0)), F.reshape(count, (1,))
