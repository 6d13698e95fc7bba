"""The page itself: sections put together into one file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from importlib import resources
from pathlib import Path

import numpy as np

from ..._support.files import write_atomically
from ...graph.pictures import page as pictures
from ...graph.pictures.groups import arrange
from .classification import confusion_matrix, surest_mistakes
from .curves import Series, chart, smooth, thin_out
from .png import data_uri, encode_png
from .summary import RunSummary

__all__ = ["render", "write_report"]

MISTAKES = 24
MOST_UNITS = 256
UNITS_SHOWN = 32
CURVE_POINTS = 400
WEIGHT_LEVELS = 63  # odd, so that zero has a level of its own


def write_report(path: Path, run: RunSummary) -> None:
    """Writes the report; an older one is replaced when the new one is whole."""
    write_atomically(path, render(run))


def render(run: RunSummary) -> str:
    """The report as one HTML document without references to anything outside of it."""
    answers = run.probabilities.argmax(axis=1)
    confusion = confusion_matrix(run.test_labels, answers, len(run.class_names))
    parts = {
        "title": escape(run.name),
        "style": pictures.asset("base.css") + pictures.asset("graph.css") + _asset("style.css"),
        "script": f"{_asset('page.js')}\n{pictures.scripts()}",
        "headline": headline(run),
        "curves": curves(run),
        "confusion": confusion_table(run, confusion),
        "mistakes": mistakes(run),
        "weights": weights(run),
        "graph_summary": graph_summary(run),
        "options": definition_list({k.replace("_", " "): _plain(v) for k, v in run.options.items() if v is not None}),
        "environment": definition_list(run.environment),
        "throughput": throughput(run),
        "view": pictures.asset("graph.html"),
        "graph": pictures.as_script([{"measured": False, "nodes": arrange(run.picture["nodes"])}]),
    }
    return pictures.fill(_asset("template.html"), parts)


def headline(run: RunSummary) -> str:
    """The accuracy, what it is measured on, and the other numbers one looks for first."""
    last = run.epochs[-1]
    best = max(run.epochs, key=lambda epoch: epoch.val_acc)
    network = " – ".join(f"{size:,}" for size in run.layer_sizes)
    tiles = {
        "best test accuracy": _percent(best.val_acc),
        "training accuracy": _percent(last.train_acc),
        "training loss": f"{last.train_loss:.3f}",
        "test loss": f"{last.val_loss:.3f}",
        "epochs": f"{len(run.epochs)}",
        "parameters": f"{run.num_parameters:,}",
        "images a second": f"{_median([e.images_per_second for e in run.epochs]):,.0f}",
        "training time": _duration(sum(e.train_seconds for e in run.epochs)),
    }
    cells = "".join(f"<div><dd>{escape(v)}</dd><dt>{escape(k)}</dt></div>" for k, v in tiles.items())
    number = _percent(last.val_acc).removesuffix(" %")
    return (
        f'<p class="eyebrow">{escape(run.name)}</p>'
        f'<h1><span class="big">{number}<small>%</small></span>'
        f"<span>of {len(run.test_labels):,} test images recognised</span></h1>"
        f'<p class="network">{escape(run.options["model"])} network {network}</p>'
        f'<dl class="tiles">{cells}</dl>'
        f'<p class="command"><code>{escape(run.command)}</code><button type="button" data-copy>Copy</button></p>'
    )


def curves(run: RunSummary) -> str:
    """Loss and accuracy, per step (smoothed) and per epoch."""
    steps_per_epoch = len(run.steps) / len(run.epochs)
    loss = np.array([row[2] for row in run.steps])
    accuracy = np.array([row[3] for row in run.steps])
    keep = thin_out(len(run.steps), CURVE_POINTS)
    x = [round(float((k + 1) / steps_per_epoch), 4) for k in keep]
    ends = [float(e.epoch + 1) for e in run.epochs]
    window = max(steps_per_epoch / 10, 5)
    charts = []
    for title, raw, train, val, show in (
        ("Loss", loss, [e.train_loss for e in run.epochs], [e.val_loss for e in run.epochs], "{:.4g}".format),
        ("Accuracy", accuracy, [e.train_acc for e in run.epochs], [e.val_acc for e in run.epochs], _tick_percent),
    ):
        smoothed = smooth(raw, window)[keep]
        # The first, wild steps may leave the picture; the rest of the smoothed line and the epochs may not.
        shown = np.concatenate([smoothed[len(smoothed) // 40 :], train, val])
        series = [
            Series("", "raw", x, raw[keep].tolist()),
            Series("training, smoothed", "smooth", x, smoothed.tolist()),
            Series("training, epoch mean", "train", ends, train, dots=True),
            Series("test", "test", ends, val, dots=True),
        ]
        hover = {
            "kind": title.lower(),
            "x": x,
            "y": [round(float(v), 5) for v in smoothed],
            "train": [round(v, 5) for v in train],
            "test": [round(v, 5) for v in val],
        }
        charts.append(chart(title, series, float(len(run.epochs)), (shown.min(), shown.max()), show, hover))
    return "".join(charts)


def confusion_table(run: RunSummary, confusion: np.ndarray) -> str:
    """True classes by row, answers by column, and the pair most often taken for one another."""
    names = [escape(name) for name in run.class_names]
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    total = np.maximum(confusion.sum(axis=1), 1)
    head = "".join(f'<th scope="col"><span>{name}</span></th>' for name in names)
    rows = []
    for row, name in enumerate(names):
        cells = []
        for column, other in enumerate(names):
            count = int(confusion[row, column])
            share = count / total[row]
            css = "right" if row == column else "wrong"
            tint = round(100 * (share * 0.55 if row == column else min(1.0, math.sqrt(share) * 1.25) * 0.9))
            verb = "recognised" if row == column else f"taken for {other}"
            text = f"{count}" if count else "·"
            cells.append(
                f'<td class="{css}{"" if count else " none"}" style="--tint:{tint}%"'
                f' title="{name}: {count} of {total[row]} {verb}">{text}</td>'
            )
        recall = _percent(confusion[row, row] / total[row])
        rows.append(f'<tr><th scope="row">{name}</th>{"".join(cells)}<td class="recall">{recall}</td></tr>')
    worst = ""
    if wrong.any():
        label, answer = np.unravel_index(wrong.argmax(), wrong.shape)
        worst = (
            f"<p>Most often mistaken: <b>{names[label]}</b> for <b>{names[answer]}</b>, "
            f"{wrong[label, answer]} of {total[label]} times.</p>"
        )
    return (
        f'{worst}<div class="scroll"><table class="confusion"><thead><tr><td class="corner">is ↓ &nbsp; taken for →</td>{head}'
        f'<th scope="col" class="recall"><span>recall</span></th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def mistakes(run: RunSummary) -> str:
    """The wrong answers that the network was surest of, with their images."""
    side = math.isqrt(run.test_images.shape[1])
    found = surest_mistakes(run.test_labels, run.probabilities, MISTAKES)
    figures = []
    for one in found:
        pixels = np.clip(run.test_images[one.index], 0, 255).astype(np.uint8).reshape(side, side)
        label, answer = escape(run.class_names[one.label]), escape(run.class_names[one.answer])
        figures.append(
            f'<figure><img src="{data_uri(encode_png(pixels))}" width="{side}" height="{side}"'
            f' alt="test image {one.index}, {label}" title="test image {one.index}">'
            f"<figcaption><b>{answer}</b> <span>{_sure(one.probability)}</span><br>is {label}</figcaption></figure>"
        )
    if not figures:
        return "<p>Every test image was recognised.</p>"
    return f'<div class="mistakes">{"".join(figures)}</div>'


def weights(run: RunSummary) -> str:
    """The first layer's weights of every unit, and what training made of the initial ones, as images."""
    units = len(run.first_layer)
    is_output = len(run.layer_sizes) == 2
    strength = np.square(run.first_layer, dtype="float64").sum(axis=1)
    order = np.arange(units) if is_output else np.argsort(-strength, kind="stable")[:MOST_UNITS]
    names = [run.class_names[unit] if is_output else f"unit {unit}" for unit in order]
    change = run.first_layer - run.first_layer_before
    views = [_weight_images(values[order], names, is_output) for values in (run.first_layer, change)]
    if is_output:
        about = "One template a class"
    elif units > len(order):
        about = f"The {len(order)} strongest of {units} units, strongest first"
    else:
        about = f"All {units} units, strongest first"
    more = f'<button type="button" data-more>Show all {len(order)}</button>' if len(order) > UNITS_SHOWN else ""
    return (
        f'<p>{about}: <span class="swatch plus">positive</span> and <span class="swatch minus">negative</span>'
        " weights, each unit on a scale of its own.</p>"
        f"<div><h3>Weights after training</h3>{views[0]}<h3>What training changed</h3>{views[1]}{more}</div>"
    )


def _weight_images(values: np.ndarray, names: list[str], captions: bool) -> str:
    """One sprite with the images below one another, and a tile for each."""
    side = math.isqrt(values.shape[1])
    scale = np.percentile(np.abs(values), 99.5, axis=1, keepdims=True)
    half = WEIGHT_LEVELS // 2
    levels = np.rint(np.clip(values / np.where(scale == 0, 1, scale), -1, 1) * half) + half
    sprite = encode_png(levels.astype(np.uint8).reshape(-1, side), _diverging_palette(WEIGHT_LEVELS))
    last = max(len(names) - 1, 1)
    tiles = []
    for place, name in enumerate(names):
        caption = f"<figcaption>{escape(name)}</figcaption>" if captions else ""
        tiles.append(
            f'<figure class="unit{" more" if place >= UNITS_SHOWN else ""}" title="{escape(name)}">'
            f'<i style="background-position:0 {100 * place / last:.4f}%"></i>{caption}</figure>'
        )
    style = f"--sprite:url({data_uri(sprite)});--count:{len(names)}"
    return f'<div class="weights{" named" if captions else ""}" style="{style}">{"".join(tiles)}</div>'


def graph_summary(run: RunSummary) -> str:
    """A sentence about the size of the step's graph."""
    nodes = run.picture["nodes"]
    gradients = sum(node["kind"] == "gradient" for node in nodes)
    inputs = sum(not node["inputs"] for node in nodes)
    return f"{len(nodes) - inputs} operations, {gradients} of them gradients, on {inputs} inputs"


def throughput(run: RunSummary) -> str:
    """A row an epoch."""
    columns = ("epoch", "train loss", "train acc", "test loss", "test acc", "images/s", "seconds")
    head = "<tr>" + "".join(f"<th>{name}</th>" for name in columns) + "</tr>"
    rows = ""
    for e in run.epochs:
        losses = f"{e.train_loss:.4f}", f"{e.val_loss:.4f}"
        cells = (e.epoch, losses[0], _percent(e.train_acc), losses[1], _percent(e.val_acc))
        speed = (f"{e.images_per_second:,.0f}", f"{e.train_seconds:.2f}")
        rows += "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells + speed) + "</tr>"
    return f'<div class="scroll"><table class="epochs"><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def definition_list(values: Mapping[str, object]) -> str:
    """Names and values, escaped."""
    return "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(str(v))}</dd></div>" for k, v in values.items())


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _diverging_palette(levels: int) -> np.ndarray:
    """Blue over near-white to red; the page turns it over for dark mode."""
    minus, middle, plus = np.array([[29, 78, 156], [250, 249, 247], [190, 62, 18]], float)
    t = np.linspace(-1, 1, levels)[:, None]
    end = np.where(t < 0, minus, plus)
    return np.rint(middle + (end - middle) * np.abs(t) ** 0.85).astype(np.uint8)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + " %"


def _tick_percent(share: float) -> str:
    return f"{100 * share:g} %"


def _sure(probability: float) -> str:
    return ">99.9 %" if probability > 0.999 else f"{100 * probability:.1f} %"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _median(values: list[float]) -> float:
    return float(np.median(values))


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
