"""The pieces of the report: images, curves, classification."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from megengine.tools.report.classification import confusion_matrix, surest_mistakes
from megengine.tools.report.curves import Series, chart, nice_ticks, smooth, thin_out
from megengine.tools.report.png import encode_png


def decode(png: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels and palette, with every chunk's checksum verified."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + content)
        chunks[kind] = content
        at += 12 + size
    assert next(iter(chunks)) == b"IHDR" and list(chunks)[-1] == b"IEND"
    width, height, depth, color, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3) if b"PLTE" in chunks else None
    assert color == (0 if palette is None else 3)
    return rows[:, 1:], palette


def test_png_holds_the_pixels(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (28, 31), dtype=np.uint8)
    decoded, palette = decode(encode_png(pixels))
    np.testing.assert_array_equal(decoded, pixels)
    assert palette is None


def test_png_with_a_palette(rng: np.random.Generator) -> None:
    palette = rng.integers(0, 256, (63, 3), dtype=np.uint8)
    pixels = rng.integers(0, 63, (4, 5), dtype=np.uint8)
    decoded, colors = decode(encode_png(pixels, palette))
    np.testing.assert_array_equal(decoded, pixels)
    np.testing.assert_array_equal(colors, palette)


@pytest.mark.parametrize("pixels", [np.zeros((2, 2)), np.zeros(4, np.uint8), np.zeros((0, 3), np.uint8)])
def test_png_refuses_what_is_not_an_image(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pixels must be uint8"):
        encode_png(pixels)


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_ticks_cover_the_range(low: float, size: float) -> None:
    ticks = nice_ticks(low, low + size)
    assert ticks[0] <= low + 1e-6 * size and ticks[-1] >= low + size - 1e-6 * size
    assert 2 <= len(ticks) <= 6
    np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0], rtol=1e-4, atol=1e-9)


def test_ticks_of_a_constant() -> None:
    assert nice_ticks(0.5, 0.5)[0] < 0.5 < nice_ticks(0.5, 0.5)[-1]


def test_smoothing_is_a_weighted_mean() -> None:
    values = np.array([4.0, 0.0, 2.0])
    decay = 0.75
    expected = [4, 4 * decay / (decay + 1), (4 * decay**2 + 2) / (decay**2 + decay + 1)]
    np.testing.assert_allclose(smooth(values, window=4), expected)


def test_thinning_keeps_both_ends() -> None:
    kept = thin_out(9380, 400)
    assert kept[0] == 0 and kept[-1] == 9379 and len(kept) <= 400
    np.testing.assert_array_equal(thin_out(3, 400), [0, 1, 2])


def test_chart_of_one_point_has_no_line() -> None:
    html = chart("Loss", [Series("test", "test", [1.0], [0.5], dots=True)], 1.0, (0.4, 0.6), str, {})
    assert 'class="dot test"' in html and 'class="line' not in html and "nan" not in html


def test_confusion_counts_every_answer(rng: np.random.Generator) -> None:
    labels, answers = rng.integers(0, 10, (2, 500))
    confusion = confusion_matrix(labels.astype(np.uint8), answers, 10)
    assert confusion.sum() == 500
    assert confusion[3, 4] == ((labels == 3) & (answers == 4)).sum()


def test_mistakes_are_sorted_and_wrong(rng: np.random.Generator) -> None:
    probabilities = rng.dirichlet(np.ones(10), 200)
    labels = rng.integers(0, 10, 200)
    found = surest_mistakes(labels, probabilities, 24)
    assert len(found) == 24
    assert all(one.answer != labels[one.index] == one.label for one in found)
    assert [one.probability for one in found] == sorted((one.probability for one in found), reverse=True)
    wrong = probabilities.argmax(axis=1) != labels
    assert found[0].probability == pytest.approx(probabilities[wrong].max())


def test_no_mistakes() -> None:
    assert surest_mistakes(np.arange(10), np.eye(10), 5) == []
