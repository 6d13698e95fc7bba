"""Line charts as inline SVG that stretches with the page, and the data behind their hover."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np

__all__ = ["Series", "chart", "nice_ticks", "smooth", "thin_out"]


@dataclasses.dataclass
class Series:
    """A line of a chart.

    Args:
        name: as the legend shows it; an empty name is not listed.
        css: class that gives it its colour and width.
        x: ascending positions.
        y: values.
        dots: mark every point.
    """

    name: str
    css: str
    x: Sequence[float]
    y: Sequence[float]
    dots: bool = False


def smooth(values: np.ndarray, window: float) -> np.ndarray:
    r"""Exponential moving average without the start's pull to zero.

    .. math:: s_t = \sum_{i \le t} d^{t-i} v_i / \sum_{i \le t} d^{t-i}, \quad d = 1 - 1 / window

    Example:
        >>> from megengine.tools.report.curves import smooth
        >>> smooth(np.array([1.0, 1.0, 1.0]), window=4)
        array([1., 1., 1.])
    """
    decay = 1 - 1 / max(window, 1.0)
    out, total, weight = np.empty(len(values)), 0.0, 0.0
    for index, value in enumerate(values):
        total, weight = decay * total + value, decay * weight + 1
        out[index] = total / weight
    return out


def thin_out(count: int, most: int) -> np.ndarray:
    """At most ``most`` indices of ``range(count)``, evenly spread, the last one among them.

    Example:
        >>> from megengine.tools.report.curves import thin_out
        >>> thin_out(10, 4)
        array([0, 3, 6, 9])
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that cover a range, at most ``most`` of them.

    Example:
        >>> from megengine.tools.report.curves import nice_ticks
        >>> nice_ticks(0.31, 1.07)
        [0.2, 0.4, 0.6, 0.8, 1.0, 1.2]
    """
    if high <= low:
        low, high = low - 0.5, high + 0.5
    magnitude = 10.0 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 2.5, 5, 10, 20):
        unit = factor * magnitude
        first, last = math.floor(low / unit + 1e-9), math.ceil(high / unit - 1e-9)
        if last - first + 1 <= most:
            break
    return [round(i * unit, 10) for i in range(first, last + 1)]


def chart(
    title: str,
    series: Sequence[Series],
    x_max: float,
    y_range: tuple[float, float],
    show: Callable[[float], str],
    hover: Mapping[str, object],
) -> str:
    """One chart as HTML.

    Lines are an SVG that is stretched to the box with strokes of constant width; text stands outside of it
    in HTML, so that it keeps its size on a phone.

    Args:
        title: above the chart.
        series: drawn in this order.
        x_max: the x axis goes from 0 to here, in epochs.
        y_range: values that must be inside.
        show: writes a value of the y axis.
        hover: what the page's script shows under the pointer.
    """
    ticks = nice_ticks(*y_range)
    low, high = ticks[0], ticks[-1]

    def across(x: float) -> float:
        return 1000 * x / x_max

    def down(y: float) -> float:
        return 500 * (high - y) / (high - low)

    grid = "".join(f'<path class="grid" d="M0 {down(t):.1f}H1000"/>' for t in ticks)
    lines = "".join(_line(one, across, down) for one in series)
    y_labels = "".join(f'<span style="top:{down(t) / 5:.2f}%">{escape(show(t))}</span>' for t in ticks)
    x_ticks = [t for t in nice_ticks(0, x_max, 8) if t <= x_max and t == int(t)]
    x_labels = "".join(f'<span style="left:{across(t) / 10:.2f}%">{t:g}</span>' for t in x_ticks)
    legend = "".join(f'<li class="{s.css}">{escape(s.name)}</li>' for s in series if s.name)
    axes = {"xMax": x_max, "low": low, "high": high, **hover}
    return (
        f'<figure class="chart"><figcaption><b>{escape(title)}</b><ul class="legend">{legend}</ul></figcaption>'
        f'<div class="plot" tabindex="0" aria-label="{escape(title)} by epoch"'
        f' data-chart="{escape(json.dumps(axes))}">'
        f'<svg viewBox="0 0 1000 500" preserveAspectRatio="none" aria-hidden="true">{grid}{lines}</svg>'
        f'<div class="y-axis">{y_labels}</div><div class="x-axis">{x_labels}<em>epochs</em></div>'
        f'<div class="cursor" hidden></div><div class="tip" hidden></div></div></figure>'
    )


def _line(series: Series, across: Callable[[float], float], down: Callable[[float], float]) -> str:
    points = [f"{across(x):.1f} {down(y):.1f}" for x, y in zip(series.x, series.y, strict=True)]
    line = f'<path class="line {series.css}" d="M{"L".join(points)}"/>' if len(points) > 1 else ""
    # A line of no length with round ends is a dot that the stretching leaves round.
    dots = "".join(f'<path class="dot {series.css}" d="M{p}h.01"/>' for p in points) if series.dots else ""
    return line + dots
