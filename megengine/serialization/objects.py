"""Objects whose state here is not that of MegEngine: what of it is written, and how MegEngine's is read."""

from __future__ import annotations

from typing import Any

from ..optimizer import Optimizer
from ..optimizer.idle import Progress
from ..random.rng import RNG, _Streams


def outgoing(optimizer: Optimizer) -> dict[str, Any]:
    """What MegEngine keeps of an optimizer."""
    kept = {name: value for name, value in vars(optimizer).items() if name not in ("_ready", "_progress")}
    return {"_disable_type_convert": False, **kept}


def incoming(item: Any, state: Any) -> Any:
    """The state of an object here, from that in a file."""
    if not isinstance(state, dict):
        return state
    if isinstance(item, Optimizer):
        return {**state, "_ready": True, "_progress": Progress()}
    if isinstance(item, RNG) and isinstance(state.get("_seed"), int):
        # MegEngine saves no more of it than where its state was in memory.
        return {"_device": state.get("_device"), "_streams": _Streams(state["_seed"])}
    return state
