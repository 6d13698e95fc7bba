"""Only programs whose executables call Python make signals wait."""

from __future__ import annotations

import signal

import numpy as np
import pytest

import megengine.functional as F
from megengine import Tensor, graph
from megengine.graph import background, calling, program
from megengine.ops.onednn import custom_call

pytestmark = pytest.mark.skipif(not custom_call.ready(), reason="oneDNN is not installed")
IMAGE = np.ones((2, 16, 12, 12), np.float32)
KERNEL = np.ones((16, 16, 3, 3), np.float32)


def _made() -> program.Program:
    return program.loaded()[-1]


def test_what_is_compiled_says_whether_it_calls_the_library() -> None:
    F.conv2d(Tensor(IMAGE), Tensor(KERNEL)).numpy()
    assert _made().calls_python
    (Tensor(IMAGE) * 31).numpy()
    assert not _made().calls_python


def test_so_does_what_was_compiled_in_the_background() -> None:
    with graph.tier("auto"):
        for compute, calls in (
            (lambda: F.conv2d(Tensor(IMAGE) * 3, Tensor(KERNEL)).numpy(), True),
            (lambda: F.exp(Tensor(IMAGE) * 37).numpy(), False),
        ):
            compute()
            made = _made()
            background.submit(made)
            assert background.wait(120) and made.ready is not None
            compute()
            assert not made.interpreted and made.calls_python is calls


def test_handlers_of_signals_stay_where_nothing_calls_python(monkeypatch: pytest.MonkeyPatch) -> None:
    changed: list[int] = []
    monkeypatch.setattr(calling.signal, "signal", lambda number, handler: changed.append(number))
    with calling.CallingPython(False):
        assert not changed
    with calling.CallingPython(True):
        assert signal.SIGINT in changed
