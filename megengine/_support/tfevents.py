"""TensorBoard event files, written without TensorBoard or protobuf.

A file is a sequence of TFRecords, each an ``Event`` message of
`event.proto <https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/event.proto>`_:

    uint64 length | uint32 masked_crc(length) | length bytes | uint32 masked_crc(bytes)

all little-endian, where ``masked_crc`` is CRC-32C rotated right by 15 bits plus a constant.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["EventWriter", "crc32c", "key", "masked_crc32c", "message", "read_records", "varint"]

CASTAGNOLI = 0x82F63B78  # the CRC-32C polynomial, bits reversed
MASK_DELTA = 0xA282EAD8

# Protobuf wire types.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return tuple(table)


CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) of the bytes, RFC 3720 appendix B.4.

    Example:
        >>> from megengine._support.tfevents import crc32c
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """The checksum as TFRecord stores it."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF


def varint(value: int) -> bytes:
    """A whole number as protobuf writes it: seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def key(field: int, wire_type: int) -> bytes:
    """What stands before a field: its number and how it is written."""
    return varint(field << 3 | wire_type)


def message(field: int, content: bytes) -> bytes:
    """A field of bytes: a string, a packed array or another message."""
    return key(field, BYTES) + varint(len(content)) + content


def _event(step: int, body: bytes) -> bytes:
    wall_time = key(1, FIXED64) + struct.pack("<d", time.time())
    return wall_time + key(2, VARINT) + varint(step) + body


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    crc_of_length, crc = masked_crc32c(length), masked_crc32c(content)
    return length + struct.pack("<I", crc_of_length) + content + struct.pack("<I", crc)


def read_records(data: bytes) -> Iterator[bytes]:
    """Yields the contents of the TFRecords, checking both checksums of each.

    Raises:
        ValueError: if a record is cut short or a checksum is wrong, with its offset.
    """
    offset = 0
    while offset < len(data):
        header, end = data[offset : offset + 12], offset + 12
        if len(header) < 12:
            raise ValueError(f"record at byte {offset} is cut short")
        length, crc_of_length = struct.unpack("<QI", header)
        if crc_of_length != masked_crc32c(header[:8]):
            raise ValueError(f"record at byte {offset} has a damaged length")
        content, stored = data[end : end + length], data[end + length : end + length + 4]
        if len(stored) < 4:
            raise ValueError(f"record at byte {offset} is cut short")
        if struct.unpack("<I", stored)[0] != masked_crc32c(content):
            raise ValueError(f"record at byte {offset} is damaged")
        yield content
        offset = end + length + 4


class EventWriter:
    """Writes scalars to a new event file of a folder.

    Args:
        folder: where TensorBoard is pointed at; must exist.
        purge_step: when a run goes on, the first step to be written again; readers then forget what an
            interrupted run had written from there on.

    Example:
        >>> from megengine._support.tfevents import EventWriter, read_records
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with EventWriter(folder) as events:
        ...         events.add_scalars({"loss": 0.5}, step=3)
        ...     len(list(read_records(events.path.read_bytes())))
        2
    """

    def __init__(self, folder: str | os.PathLike[str], purge_step: int | None = None) -> None:
        stamp, count = int(time.time()), 0
        while True:
            name = f"events.out.tfevents.{stamp:010d}.{socket.gethostname()}.{os.getpid()}.{count}"
            self.path = Path(folder) / name
            try:
                self._file = open(self.path, "xb")  # noqa: SIM115 - closed by close()
                break
            except FileExistsError:
                count += 1
        self._write(0, message(3, b"brain.Event:2"))  # Event.file_version
        if purge_step is not None:
            session_start = key(1, VARINT) + varint(1)  # SessionLog.status = START
            self._write(purge_step, message(7, session_start))

    def add_scalars(self, values: Mapping[str, float], step: int) -> None:
        """Writes one event with a value for every tag."""
        summary = b""
        for tag, value in values.items():
            scalar = message(1, tag.encode()) + key(2, FIXED32) + struct.pack("<f", value)
            summary += message(1, scalar)  # Summary.value
        self._write(step, message(5, summary))  # Event.summary

    def add_value(self, value: bytes, step: int) -> None:
        """Writes one event with one value, a ``Summary.Value`` message."""
        self._write(step, message(5, message(1, value)))

    def add_graph(self, graph: bytes) -> None:
        """Writes one event with a graph, a ``GraphDef`` message."""
        self._write(0, message(4, graph))

    def flush(self) -> None:
        """Makes what was written visible to readers."""
        self._file.flush()

    def close(self) -> None:
        """Ends the file."""
        self._file.close()

    def _write(self, step: int, body: bytes) -> None:
        self._file.write(_record(_event(step, body)))

    def __enter__(self) -> EventWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
