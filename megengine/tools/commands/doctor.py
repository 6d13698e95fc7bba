"""``mge doctor``: what this installation is made of, whether it computes, and what is missing."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from megengine._support.switches import switched_off

__all__ = ["add_to"]

DESCRIPTION = """Reports versions, devices, caches, libraries, threads and settings, computes a little, and says what is missing
and what to do about it. Put its output into a bug report. Exit status: 0 if all works, 1 if something is broken."""
NEEDED = ("jax", "jaxlib", "numpy", "scipy", "ml_dtypes")
EXTRAS = {
    "opencv-python-headless": ("pictures, transforms", "pip install 'megengine-xla[vision]'"),
    "pillow": ("pictures in some data sets", "pip install 'megengine-xla[vision]'"),
    "onnx": ("ONNX files", "pip install 'megengine-xla[onnx]'"),
    "safetensors": ("safetensors checkpoints", "pip install 'megengine-xla[safetensors]'"),
}
VARIABLES = ("MEGENGINE_", "XLA_", "JAX_", "OMP_", "OPENBLAS_", "MKL_", "CUDA_VISIBLE", "TF_CPP")
LITTLE = 2 << 30  # bytes


class Finding(NamedTuple):
    """A line of the report: ``ok``, ``note``, ``missing`` (something optional) or ``broken``, and what to do."""

    state: str
    what: str
    said: str
    advice: str = ""


def add_to(commands: Any) -> None:
    """Adds ``doctor`` to the subcommands of ``mge``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor", help="report on this installation", description=DESCRIPTION
    )
    parser.set_defaults(run=run, debug=False)


def run(arguments: argparse.Namespace) -> int:
    """Prints the report and returns the exit status."""
    found = []
    for title, part in (
        ("Versions", versions),
        ("Devices and threads", devices),
        ("Libraries", libraries),
        ("Caches", caches),
        ("Settings", settings),
        ("Computing", computing),
    ):
        print(title)
        for finding in part():
            found.append(finding)
            mark = {"ok": " ", "note": " ", "missing": "-", "broken": "!"}[finding.state]
            print(f" {mark} {finding.what}: {finding.said}", flush=True)
    todo = [f for f in found if f.advice]
    if todo:
        print("What to do")
        for finding in todo:
            print(f"   {finding.what}: {finding.advice}")
    broken = sum(f.state == "broken" for f in found)
    print("All works." if not broken else f"{broken} {'thing is' if broken == 1 else 'things are'} broken.")
    return int(broken > 0)


def versions() -> Iterator[Finding]:
    """Of the package and of what it needs."""
    from megengine.version import __release__

    yield Finding("ok", "megengine-xla", f"{__release__}, {Path(__file__).resolve().parents[2]}")
    yield Finding("ok", "Python", f"{platform.python_version()}, {sys.executable}")
    yield Finding("ok", "system", f"{platform.platform()}")
    for name in NEEDED:
        version = _version(name)
        advice = "" if version else "pip install megengine-xla brings it"
        yield Finding("ok" if version else "broken", name, version or "not installed", advice)
    theirs = _version("megengine")
    if theirs:
        yield Finding(
            "broken", "megengine", f"MegEngine {theirs} is installed beside megengine-xla", "pip uninstall megengine"
        )


def devices() -> Iterator[Finding]:
    """What JAX finds, processors and memory."""
    from megengine.graph.device import platforms

    found = platforms()
    for platform_name, several in found.items():
        for device in several:
            yield Finding("ok", "device", f"{platform_name}:{device.id} {device.device_kind}")
    if shutil.which("nvidia-smi") and set(found) == {"cpu"}:
        advice = "pip install 'megengine-xla[cuda]'"
        yield Finding("missing", "GPU", "there is one, which JAX does not use", advice)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("ok", "processors", f"{os.cpu_count()}, of which this process may use {allowed}")
    total, free = _memory()
    said = f"{total / 2**30:.1f} GiB" + (f", {free / 2**30:.1f} GiB free" if free is not None else "")
    little = free is not None and free < LITTLE
    yield Finding("note", "memory", said, "little is free: end other programs" if little else "")


def libraries() -> Iterator[Finding]:
    """What makes it faster, or is needed for some things only."""
    from threadpoolctl import threadpool_info

    from megengine.ops.onednn.library import WHEEL, OneDNNError, library

    try:
        found = library()
        here = found is not None
        off = switched_off("MEGENGINE_ONEDNN")
        why = "switched off by MEGENGINE_ONEDNN" if off else "not found: convolutions are slower"
        said = f"{found.version}, {found.path}" if found is not None else why
        advice = "" if here or off or sys.platform != "linux" else f"pip install {WHEEL}"
        yield Finding("ok" if here else "missing", "oneDNN", said, advice)
    except OneDNNError as error:
        yield Finding("broken", "oneDNN", str(error), "unset MEGENGINE_ONEDNN, or name a library that can be loaded")
    for pool in threadpool_info():
        yield Finding(
            "ok", pool["internal_api"], f"{pool.get('version') or 'no version'}, {pool['num_threads']} threads"
        )
    dot = shutil.which("dot")
    said = dot or "not found: graphs cannot be saved as .svg"
    yield Finding("ok" if dot else "missing", "Graphviz", said, "" if dot else "install graphviz")
    for name, (purpose, advice) in EXTRAS.items():
        version = _version(name) or (_version("opencv-python") if name.startswith("opencv") else None)
        said = version or f"not installed: needed for {purpose}"
        yield Finding("ok" if version else "missing", name, said, "" if version else advice)


def caches() -> Iterator[Finding]:
    """Where compiled programs are kept."""
    from megengine.graph import runtime

    folder = runtime.cache_directory()
    if not runtime.keeps:
        off = switched_off("MEGENGINE_CACHE")
        said = "switched off by MEGENGINE_CACHE" if off else f"{folder} cannot be written"
        advice = "" if off else "name a folder that can: MEGENGINE_CACHE_DIR=/path"
        yield Finding("note" if off else "broken", "compiled programs", f"{said}: each process compiles anew", advice)
        return
    files = [entry.stat().st_size for entry in os.scandir(folder)] if folder.is_dir() else []
    size = f"{len(files)} files, {sum(files) / 2**20:.1f} MiB of at most {runtime.CACHE_BYTES / 2**30:.0f} GiB"
    yield Finding("ok", "compiled programs", f"{folder}, {size}")
    free = shutil.disk_usage(folder).free
    yield Finding("note", "disk", f"{free / 2**30:.1f} GiB free", "free some" if free < LITTLE else "")


def settings() -> Iterator[Finding]:
    """Environment variables that change what happens."""
    named = {key: value for key, value in sorted(os.environ.items()) if key.startswith(VARIABLES)}
    for key, value in named.items():
        yield Finding("note", key, value)
    if not named:
        yield Finding("note", "environment", "nothing set that changes what happens")


def computing() -> Iterator[Finding]:
    """A convolution with its gradient by each tier, against NumPy."""
    import numpy as np

    import megengine as mge
    import megengine.functional as F
    from megengine.autodiff import GradManager

    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 3, 8, 8)).astype("float32"), rng.normal(size=(4, 3, 1, 1)).astype("float32")
    expected = np.einsum("nchw,oc->nohw", x, w[:, :, 0, 0])
    for tier in ("host", "compiled"):
        try:
            start = time.perf_counter()
            with mge.graph.tier(tier):
                weight = mge.Parameter(w)
                with GradManager().attach(weight) as gm:
                    y = F.conv2d(mge.Tensor(x), weight)
                    gm.backward(F.sum(y * y) / 2)
                gradient = np.einsum("nohw,nchw->oc", expected, x)[:, :, None, None]
                worst = max(_apart(y, expected), _apart(weight.grad, gradient))
            took = f"{time.perf_counter() - start:.2f} s"
        except Exception as error:
            yield Finding(
                "broken", f"{tier} tier", f"{type(error).__name__}: {error}", "report this, with all of the above"
            )
            continue
        right = worst < 1e-4
        said = f"numbers agree with NumPy's, {took}" if right else f"wrong numbers: {worst:.2g} apart"
        advice = "" if right else "report this, with all of the above"
        yield Finding("ok" if right else "broken", f"{tier} tier", said, advice)


def _apart(found: Any, expected: Any) -> float:
    return float(abs(found.numpy() - expected).max() / abs(expected).max())


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _memory() -> tuple[int, int | None]:
    """Bytes of memory in all, and free as far as that is known."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    path = Path("/proc/meminfo")
    if not path.is_file():
        return total, None
    lines = dict(line.split(":", 1) for line in path.read_text().splitlines())
    return total, int(lines["MemAvailable"].split()[0]) << 10
