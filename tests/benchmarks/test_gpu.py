"""The GPU benchmark runs on whatever is here, with tiny networks; contenders agree on the losses. Nothing is timed."""

from __future__ import annotations

import pytest

from benchmarks import gpu


@pytest.mark.parametrize(
    ("network", "precision", "layout"),
    [("tutorial", "float32", "default"), ("transformer", "bf16", "default"), ("resnet50", "tf32", "channels_last")],
)
def test_a_network(network: str, precision: str, layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main([network, "--tiny", "--precision", precision, "--layout", layout])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith(f"| {network}, tiny, {precision}, {layout} |") and "JAX by hand" in lines[-1]


class Answered:
    """What stands for the process of a contender: it has sent the losses of three steps."""

    def __init__(self, python: str, program: str, *args: str, **more: object) -> None:
        self.check = {"losses": [3.0, 2.0 if program == "gpu_jax.py" else 1.0, 1.0]}

    def __enter__(self) -> Answered:
        return self

    def __exit__(self, *exc: object) -> None: ...


def test_contenders_that_disagree_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "Worker", Answered)
    with pytest.raises(AssertionError, match="jax"):
        gpu.main(["tutorial", "--tiny"])


def test_what_no_time_is_left_for_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gpu, "SECONDS", -1)
    gpu.main(["resnet50"])
    assert "resnet50: left out" in capsys.readouterr().err
