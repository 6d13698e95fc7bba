"""What importing the package makes JAX do, as JSON: names of compilations, and whether a backend was started."""

from __future__ import annotations

import json

import jax

events = []
jax.monitoring.register_event_duration_secs_listener(lambda name, seconds, **_: events.append(name))
import megengine  # noqa: E402

imported = [name for name in events if "compil" in name]
(megengine.Tensor([1.0]) + 1).numpy()
print(json.dumps({"imported": imported, "seen_later": any("compil" in name for name in events)}))
