"""Memory, versions and properties of devices, where a machine without GPU can tell, and with a GPU made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
from megengine import device
from megengine.graph import memory


def test_memory_is_counted() -> None:
    x = F.zeros((256, 1024)) + 1
    x.numpy()
    assert mge.get_allocated_memory() >= x.size * 4
    assert mge.get_reserved_memory() >= mge.get_allocated_memory()
    assert mge.get_max_reserved_memory("cpu0") >= mge.get_reserved_memory("cpu0")
    mge.reset_max_memory_stats()
    mge.coalesce_free_memory()
    np.testing.assert_array_equal(x.numpy()[0, :2], 1)


def test_peaks_are_forgotten() -> None:
    counted = {"bytes_in_use": 10, "peak_bytes_in_use": 100, "pool_bytes": 50, "peak_pool_bytes": 200}
    card: Any = type("Card", (), {"memory_stats": lambda self: counted})()
    assert (memory.peak_bytes(card), memory.bytes_reserved(card), memory.peak_reserved(card)) == (100, 50, 200)
    memory.forget_peaks(card)
    assert (memory.peak_bytes(card), memory.peak_reserved(card)) == (10, 50)
    counted["peak_bytes_in_use"] = 120
    assert memory.peak_bytes(card) == 120


def test_unknown_devices() -> None:
    for ask in (mge.get_reserved_memory, mge.get_max_reserved_memory, mge.reset_max_memory_stats):
        with pytest.raises(RuntimeError, match="nosuch"):
            ask("nosuch")


def test_prealloc_config_is_checked() -> None:
    mge.set_prealloc_config(alignment=512, min_req=1, max_overhead=5, growth_factor=3.0)
    for wrong in ({"growth_factor": 0.5}, {"min_req": -1}, {"alignment": 0}, {"max_overhead": -1}):
        with pytest.raises(AssertionError, match=next(iter(wrong))):
            mge.set_prealloc_config(**wrong)


def test_properties_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(
        device_kind="Some GPU", compute_capability="9.0", memory_stats=lambda: {"bytes_limit": 1 << 30}, client=None
    )
    monkeypatch.setattr(device._device, "platforms", lambda: {"gpu": [card], "cpu": []})
    found = mge.get_cuda_device_property(0)
    assert (found.name, found.total_memory, found.major, found.minor) == ("Some GPU", 1 << 30, 9, 0)
    assert mge.get_cuda_compute_capability(0) == 90
    assert device.what_is_xpu() == "cuda"
    with pytest.raises(RuntimeError, match="no GPU 1: this machine has 1"):
        mge.get_cuda_compute_capability(1)


def test_versions_are_those_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"nvidia-cuda-runtime-cu12": "12.4.127", "nvidia-cudnn-cu12": "9.1.0.70"}

    def version(name: str) -> str:
        if name not in versions:
            raise device.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(device.metadata, "version", version)
    assert (mge.get_cuda_version(), mge.get_cudnn_version(), mge.get_tensorrt_version()) == (12040, 9100, 0)
    versions.clear()
    assert (mge.get_cuda_version(), mge.get_cudnn_version()) == (0, 0)
