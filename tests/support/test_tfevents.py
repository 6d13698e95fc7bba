"""TensorBoard event files, read back by a small reader that knows only the formats' specifications."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from megengine._support.tfevents import EventWriter, crc32c, masked_crc32c, read_records


def fields(message: bytes) -> list[tuple[int, Any]]:
    """The (field number, value) pairs of a protobuf message, by its wire types."""
    found, at = [], 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        number, wire = key >> 3, key & 7
        if wire == 0:
            found.append((number, varint()))
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            found.append((number, struct.unpack("<d" if wire == 1 else "<f", message[at : at + size])[0]))
            at += size
        else:
            assert wire == 2
            size = varint()
            found.append((number, message[at : at + size]))
            at += size
    assert at == len(message)
    return found


def scalars(event: bytes) -> dict[str, float]:
    values = {}
    for number, summary in fields(event):
        if number == 5:
            for _, value in fields(summary):
                content = dict(fields(value))
                values[content[1].decode()] = content[2]
    return values


@pytest.mark.parametrize(
    "data, crc",
    [
        # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_crc32c(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    with EventWriter(tmp_path) as events:
        events.add_scalars({"loss": 0.5, "accuracy": 0.75}, step=3)
        events.add_scalars({"loss": float("inf")}, step=300)
        path = events.path
    assert path.name.startswith("events.out.tfevents.")
    version, first, second = read_records(path.read_bytes())
    assert dict(fields(version))[3] == b"brain.Event:2"
    assert dict(fields(first))[2] == 3 and dict(fields(second))[2] == 300
    assert dict(fields(first))[1] > 1e9  # seconds since 1970
    assert scalars(first) == {"loss": 0.5, "accuracy": 0.75}
    assert scalars(second) == {"loss": float("inf")}


def test_a_run_that_goes_on_takes_back_later_steps(tmp_path: Path) -> None:
    with EventWriter(tmp_path, purge_step=10) as events:
        path = events.path
    _, session = read_records(path.read_bytes())
    content = dict(fields(session))
    assert content[2] == 10
    assert fields(content[7]) == [(1, 1)]  # SessionLog.status = START


def test_two_writers_have_two_files(tmp_path: Path) -> None:
    with EventWriter(tmp_path) as one, EventWriter(tmp_path) as other:
        assert one.path != other.path


@pytest.mark.parametrize("place", [0, 9, 14, -1])
def test_a_changed_byte_is_noticed(tmp_path: Path, place: int) -> None:
    with EventWriter(tmp_path) as events:
        path = events.path
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    with pytest.raises(ValueError, match="record at byte 0"):
        list(read_records(bytes(data)))


def test_a_cut_file_is_noticed(tmp_path: Path) -> None:
    with EventWriter(tmp_path) as events:
        path = events.path
    for kept in (5, 14, len(path.read_bytes()) - 1):
        with pytest.raises(ValueError, match="cut short"):
            list(read_records(path.read_bytes()[:kept]))


def test_the_mask_is_the_one_of_tfrecord() -> None:
    crc = crc32c(b"123456789")
    rotated = int(f"{crc:032b}"[-15:] + f"{crc:032b}"[:-15], 2)
    assert masked_crc32c(b"123456789") == (rotated + 0xA282EAD8) % 2**32
