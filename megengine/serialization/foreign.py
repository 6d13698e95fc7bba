"""What a file that is no checkpoint looks like, and what to do with it: for the message of an error."""

from __future__ import annotations

import os
import tarfile
import zipfile
from typing import Any

__all__ = ["appearance", "folder_appearance", "guess"]

HEAD = 1024  # bytes that are looked at

# What files begin with.
_COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gunzip"), b"BZh": ("bzip2", "bunzip2"), b"\xfd7zXZ\0": ("xz", "unxz"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"), b"7z\xbc\xaf\x27\x1c": ("7-Zip", "7z x"), b"Rar!\x1a\x07": ("RAR", "unrar x"),
}  # fmt: skip
_PLAIN = {
    b"\x93NUMPY": "a NumPy array (.npy): read it with numpy.load()",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, such as Keras writes: read it with h5py, and save its arrays with megengine.save()",
    b"\x89PNG": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"GIF8": "a picture (GIF)",
    b"%PDF": "a PDF document",
    b"\x7fELF": "a program or library (ELF)",
    b"GGUF": "a GGUF model of llama.cpp",
    b"SQLite format 3": "an SQLite database",
}  # fmt: skip
_GRAPH = (
    "a graph that MegEngine's trace.dump() wrote: it is for inference, and holds no state dict. Load the file that "
    "megengine.save() wrote for the model instead"
)
_SAVE = "save its arrays in a dict with megengine.save()"
# Fields that a message of ONNX begins with after its version, and what follows the version byte.
_ONNX_FIELDS = (0x12, 0x1A, 0x22, 0x2A, 0x32, 0x3A, 0x42)


def appearance(head: bytes, name: str, file: Any = None) -> str | None:
    """What a file is, if its first bytes say that it is no checkpoint.

    Args:
        head: the first bytes.
        name: the file's name.
        file: the file, at its start, for looking into archives.

    Returns:
        What continues "it is", or None.

    Example:
        >>> from megengine.serialization.foreign import appearance
        >>> appearance(b"\\x93NUMPY\\x01\\x00", "a.pkl")
        'a NumPy array (.npy): read it with numpy.load()'
    """
    for start, (kind, program) in _COMPRESSED.items():
        if head.startswith(start):
            return f"compressed with {kind}: unpack it with `{program} {name}` and load what comes out"
    if head[8:12] == b"mgv2" or head.startswith((b"MGBC", b"mgbtest0", b"mgbs")):
        return _GRAPH
    for start, what in _PLAIN.items():
        if head.startswith(start):
            return what
    if head[4:8] == b"TFL3":
        return f"a TensorFlow Lite model: read it with TensorFlow, and {_SAVE}"
    if head.startswith(b"RIFF"):
        return "a picture or sound (RIFF)"
    if head[257:262] == b"ustar":
        return f"a tar archive{_tar_content(file)}: unpack it with `tar xf {name}` and load what comes out"
    if head.startswith(b"PK\x03\x04") and file is not None:
        return _zip(file, name)
    if head[:1] == b"\x08" and len(head) > 2 and head[2] in _ONNX_FIELDS:
        return "an ONNX model: read it with the onnx package, and save its initializers in a dict with megengine.save()"
    return _text(head)


def _text(head: bytes) -> str | None:
    """What a text file is, where its beginning says."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = start[:200].lower()
    if start.startswith(b"version https://git-lfs.github.com"):
        return (
            "a Git LFS pointer, which stands for a file that was not fetched: run `git lfs install` and `git lfs pull` in its "
            "repository, or download the file itself"
        )
    if lower.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")) or b"<html" in lower:
        return (
            "a web page (HTML): what was downloaded is a page that leads to the file or says why it is not to be had. Open it "
            "in a browser, and download the file itself"
        )
    if lower.startswith((b"<?xml", b"<error")):
        return "an XML document, perhaps a server's error message: open it in an editor, and download the file again"
    if lower.startswith(b"http/1."):
        return "a server's answer with its headers: download the file again, without them"
    if start[:1] in (b"{", b"["):
        return f"a JSON file: read it with json.load(), and {_SAVE}"
    return None


def _tar_content(file: Any) -> str:
    if file is None:
        return ""
    try:
        with tarfile.open(fileobj=file) as archive:
            return _listed([member.name for member in archive if member.isfile()])
    except (tarfile.TarError, EOFError, OSError):
        return ""


def _zip(file: Any, name: str) -> str | None:
    """What a zip archive is that PyTorch did not write."""
    try:
        members = zipfile.ZipFile(file).namelist()
    except (zipfile.BadZipFile, OSError):
        return None
    if any(member.rpartition("/")[2] == "data.pkl" for member in members):
        return None
    if members[:2] == ["format.json", "graph.jsonl"]:
        return (
            "a graph that trace.dump() wrote: run it with megengine.utils.comp_graph_tools.GraphInference, or change it with "
            "megengine.utils.network.Network"
        )
    if members and all(member.endswith(".npy") for member in members):
        return "an archive of NumPy arrays (.npz): read it with numpy.load(), which gives a dict of arrays"
    if "model.weights.h5" in members:
        return f"a Keras model: read it with Keras, and {_SAVE}"
    return f"a zip archive{_listed(members)}: unpack it with `unzip {name}` and load what comes out"


def _listed(members: list[str], most: int = 4) -> str:
    if not members:
        return " of nothing"
    more = f" and {len(members) - most} more" if len(members) > most else ""
    return f" of {', '.join(members[:most])}{more}"


def guess(head: bytes, size: int | None, name: str, short: bool) -> str | None:
    """What a file may be that could not be read, from its first bytes, its size and how reading failed.

    Args:
        head: the first bytes.
        size: of the file, None if that is not known.
        name: the file's name.
        short: whether reading ended where the file did.

    Returns:
        What continues "it", or None.
    """
    length = "" if size is None else f" of {size} bytes"
    if not head.strip(b"\0"):
        return f"begins with zeros only{length}, as a download or copy that was interrupted leaves it: get it again"
    if head.startswith(b"PK\x03\x04"):
        return (
            f"begins as a zip archive{length} whose end is missing: the download or copy was interrupted, get it again"
        )
    if head[:1] == b"\x80":
        return (
            f"begins as a checkpoint{length} and ends too early: the download, copy or save was interrupted, get it again"
            if short
            else None
        )
    if name.endswith((".py", ".ipynb")):
        return "is a Python program, not what it saves"
    text = head[: head.rfind(b"\n") + 1] or head
    try:
        readable = all(c.isprintable() or c in "\t\r\n" for c in text.decode("utf-8"))
    except UnicodeDecodeError:
        readable = False
    if readable:
        first = text.decode("utf-8").strip().partition("\n")[0][:60]
        return f"is a text file that begins with {first!r}"
    if name.endswith((".pb", ".onnx", ".tflite", ".h5", ".ckpt", ".params", ".pdmodel", ".mlmodel", ".engine", ".trt")):
        return f"is a file of another framework, by its name: read it there, and {_SAVE}"
    return None


def folder_appearance(path: str) -> str:
    """What a folder that stands in a file's place is.

    Args:
        path: the folder.

    Returns:
        What continues "it is".
    """
    names = sorted(os.listdir(path))
    if "saved_model.pb" in names:
        return f"a folder, a SavedModel of TensorFlow: read it there, and {_SAVE}"
    found = [n for n in names if n.endswith((".mge", ".pkl", ".pth", ".pt", ".safetensors", ".bin", ".ckpt", ".tar"))]
    if found:
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        return f"a folder: name a file in it, such as {', '.join(found[:4])}{more}"
    return "a folder: name a file" if names else "an empty folder"
