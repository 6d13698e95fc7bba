"""What is sent to workers, and how: by value where a worker could not import it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from megengine.data.workers.channel import Channel
from megengine.data.workers.shared_memory import Lease, Shelf, Slot, anonymous_file, layout
from megengine.data.workers.shipping import culprit, pack, unpack


def through(value: Any) -> Any:
    memory, spans = pack(value)
    try:
        return unpack(memory, spans)
    finally:
        os.close(memory)


def test_arrays_keep_their_layout_and_are_private() -> None:
    arrays = [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12)[::2],
        np.zeros((0, 4)),
        np.array(3.5),
        np.array(["a", "bc"]),
        np.array([{}, None], object),
    ]
    memory, spans = pack(arrays)
    one, other = unpack(memory, spans), unpack(memory, spans)
    os.close(memory)
    for array, copy in zip(arrays, one, strict=True):
        assert array.dtype == copy.dtype and array.shape == copy.shape
        assert np.array_equal(array, copy)
        assert copy.flags.writeable
        if array.size and array.flags.contiguous:
            assert array.strides == copy.strides
    one[0][0, 0] = 99
    assert (arrays[0][0, 0], other[0][0, 0]) == (0, 0)


def test_memory_mapped_files_that_are_gone_or_private_are_copied(tmp_path: Path) -> None:
    name = tmp_path / "file"
    file = np.memmap(name, np.int32, "w+", shape=(10,))
    file[:] = range(10)
    private = np.memmap(name, np.int32, "c", shape=(10,))
    private[0] = 50
    assert through(private).tolist() == [50, *range(1, 10)]
    again = through(file)
    file[3] = 33
    assert again[3] == 33
    name.unlink()
    kept = through(file)
    file[4] = 44
    assert kept[4] == 4


def test_modules_that_cannot_be_imported_elsewhere_go_by_value(tmp_path: Path) -> None:
    path = tmp_path / "settings_of_the_test.py"
    path.write_text(
        "SCALE = 4\ndef scaled(x):\n    return SCALE * x\nclass Holder:\n    def __init__(self, x):\n        self.x = x\n"
    )
    spec = importlib.util.spec_from_file_location("settings_of_the_test", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["settings_of_the_test"] = module
    spec.loader.exec_module(module)
    try:
        memory, spans = pack((module.scaled, module.Holder(5)))
    finally:
        del sys.modules["settings_of_the_test"]
    program = (
        "import sys; from megengine.data.workers.shipping import unpack\n"
        "scaled, held = unpack(int(sys.argv[1]), eval(sys.argv[2]))\n"
        "print(scaled(held.x), type(held).__name__, 'settings_of_the_test' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(memory), repr(spans)],
        pass_fds=[memory],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    os.close(memory)
    assert done.stdout.split() == ["20", "Holder", "False"], done.stderr


def test_importable_modules_go_by_name() -> None:
    assert through(Path) is Path
    assert through(layout) is layout


def test_code_that_only_cloudpickle_can_send_is_sent() -> None:
    function = lambda: "a constant"
    marked = function.__code__.replace(co_consts=tuple(np.int64(7) if c else c for c in function.__code__.co_consts))
    assert through(types.FunctionType(marked, {}))() == 7  # as debuggers and coverage tools rewrite functions


def test_the_part_that_cannot_be_sent_is_named(tmp_path: Path) -> None:
    class Deep:
        def __init__(self) -> None:
            self.fine = [1, 2]
            self.parts = {"a": 1, "b": [0, self.Inner()]}

        class Inner:
            def __init__(self) -> None:
                self.event = threading.Event()

    with pytest.raises(TypeError, match="pickle"):
        pack(Deep())
    assert culprit(Deep(), "dataset").startswith("dataset.parts['b'][1].event")


def test_messages_of_any_size_and_their_descriptors() -> None:
    here, there = Channel.pair()
    memory = anonymous_file(3)
    os.write(memory, b"abc")
    for size in (0, 10, 16_000, 17_000, 3_000_000):
        here.send(b"x" * size, [memory])
        assert there.waiting(60)
        message, (copy,) = there.receive()
        assert message == b"x" * size
        assert os.pread(copy, 3, 0) == b"abc"
        os.close(copy)
    os.close(memory)
    assert not there.waiting()
    here.close()
    with pytest.raises(EOFError):
        there.receive()
    with pytest.raises(OSError):
        there.send(1)
    there.close()


def test_a_slot_comes_back_when_the_last_view_is_gone() -> None:
    memory = anonymous_file(4096)
    slot, shelf = Slot(0, memory), Shelf()
    os.close(memory)
    whole = np.asarray(Lease(slot, shelf))
    views = [whole[8:16].view(np.float64), whole[:8].reshape(2, 4)[1:]]
    del whole
    views[0][:] = 1.5
    assert not len(shelf)
    views.pop()
    assert not len(shelf)
    views.pop()
    assert shelf.take() is slot
    assert slot.bytes[8:16].view(np.float64).tolist() == [1.5]


def test_layout_aligns() -> None:
    spans, size = layout([1, 64, 0, 65])
    assert spans == [(0, 1), (64, 128), (128, 128), (128, 193)]
    assert size == 193


@pytest.mark.parametrize("name", ["", ".amp", ".config", ".core._config", ".distributed", ".dtr", ".functional"])
def test_modules_of_classes_of_their_own_go_by_name(name: str) -> None:
    module = importlib.import_module(f"megengine{name}")
    function, same = through((lambda: module, module))
    assert function() is same is module
