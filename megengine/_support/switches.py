"""Environment variables that switch something off."""

from __future__ import annotations

import os

__all__ = ["switched_off"]


def switched_off(variable: str) -> bool:
    """Whether an environment variable says no."""
    return os.environ.get(variable, "1").lower() in ("0", "off", "false")
