"""The GPU benchmark runs on whatever is here, with tiny networks; contenders agree on the losses. Nothing is timed."""

from __future__ import annotations

import pytest

from benchmarks import gpu
from benchmarks.contenders import Worker


@pytest.mark.parametrize(
    ("network", "precision", "layout"),
    [("tutorial", "float32", "default"), ("transformer", "bf16", "default"), ("resnet50", "tf32", "channels_last")],
)
def test_a_network(network: str, precision: str, layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main([network, "--tiny", "--precision", precision, "--layout", layout])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith(f"| {network}, tiny, {precision}, {layout} |") and "JAX by hand" in lines[-1]


def test_contenders_that_disagree_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Worker.__init__

    def other(worker: Worker, *args: str, **more: str) -> None:
        made(worker, *args, **more)
        if "gpu_jax.py" in args:
            worker.check["losses"][1] *= 2

    monkeypatch.setattr(Worker, "__init__", other)
    with pytest.raises(AssertionError, match="jax"):
        gpu.main(["tutorial", "--tiny"])


def test_what_no_time_is_left_for_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gpu, "SECONDS", -1)
    gpu.main(["resnet50"])
    assert "resnet50: left out" in capsys.readouterr().err
