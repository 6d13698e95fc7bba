"""How the kernels of convolutions are chosen, in the words of MegEngine's fastrun."""

from __future__ import annotations

import enum
import os

from .. import config

__all__ = [
    "Strategy", "get_conv_execution_strategy", "get_execution_strategy", "set_conv_execution_strategy",
    "set_execution_strategy",
]  # fmt: skip


class Strategy(enum.Flag):
    """Ways to choose a kernel; ``|`` joins them."""

    #: By a rule, which knows common shapes.
    HEURISTIC = 1
    #: By measuring what there is to choose from, once a shape and machine (see :attr:`megengine.config.benchmark_kernel`).
    PROFILE = 2
    #: The same bits each time; joined with ``PROFILE``, nothing is measured.
    REPRODUCIBLE = 4


def get_execution_strategy() -> Strategy:
    """The strategy that :func:`set_execution_strategy` set.

    Example:
        >>> from megengine.functional.debug_param import Strategy, get_execution_strategy
        >>> get_execution_strategy() == Strategy.HEURISTIC
        True
    """
    strategy = Strategy.PROFILE if config.benchmark_kernel else Strategy.HEURISTIC
    return strategy | Strategy.REPRODUCIBLE if config.deterministic_kernel else strategy


def set_execution_strategy(option: str | Strategy) -> None:
    """Choose a strategy: the same as setting :mod:`megengine.config`'s ``benchmark_kernel`` and ``deterministic_kernel``.

    The environment variable ``MEGENGINE_EXECUTION_STRATEGY`` sets it at the start.

    Args:
        option: a :class:`Strategy`, or its names joined by underscores: ``"HEURISTIC"``, ``"PROFILE"``,
            ``"PROFILE_REPRODUCIBLE"``, ``"HEURISTIC_REPRODUCIBLE"``.

    Raises:
        ValueError: another name.
        AssertionError: neither a name nor a strategy.

    Example:
        >>> from megengine.functional.debug_param import set_execution_strategy
        >>> set_execution_strategy("PROFILE")
        >>> megengine.config.benchmark_kernel
        True
        >>> set_execution_strategy("HEURISTIC")
    """
    if isinstance(option, str):
        names = option.split("_")
        for name in names:
            if name not in Strategy.__members__:
                raise ValueError(
                    f"{option!r}: write {', '.join(Strategy.__members__)}, or several joined by underscores"
                )
        chosen = Strategy(0)
        for name in names:
            chosen |= Strategy[name]
    elif isinstance(option, Strategy):
        chosen = option
    else:
        raise AssertionError(f"set_execution_strategy takes a str or a Strategy, not {option!r}")
    config.benchmark_kernel = bool(chosen & Strategy.PROFILE)  # type: ignore[attr-defined]
    config.deterministic_kernel = bool(chosen & Strategy.REPRODUCIBLE)  # type: ignore[attr-defined]


def get_conv_execution_strategy() -> Strategy:
    """:func:`get_execution_strategy` by the name it had before MegEngine 1.3.

    Example:
        >>> from megengine.functional.debug_param import get_conv_execution_strategy
        >>> get_conv_execution_strategy().name
        'HEURISTIC'
    """
    return get_execution_strategy()


def set_conv_execution_strategy(option: str | Strategy) -> None:
    """:func:`set_execution_strategy` by the name it had before MegEngine 1.3.

    Example:
        >>> from megengine.functional.debug_param import set_conv_execution_strategy
        >>> set_conv_execution_strategy("PROFILE")
        >>> megengine.config.benchmark_kernel
        True
        >>> set_conv_execution_strategy("HEURISTIC")
    """
    set_execution_strategy(option)


if _wanted := os.environ.get("MEGENGINE_EXECUTION_STRATEGY"):
    set_execution_strategy(_wanted)
