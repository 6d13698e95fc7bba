"""Files of MegEngine 1.9 to 1.13 are read here, and ours name nothing that MegEngine 1.13 lacks.

That MegEngine reads ours was checked with tests/golden/record_checkpoints.py, which wrote and described the files.
"""

from __future__ import annotations

import importlib.util
import io
import json
import pickle
import pickletools
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import megengine as mge
import megengine.module as M
import megengine.optimizer as optim
from megengine import Parameter, Tensor

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
CHECKPOINTS = GOLDEN / "checkpoints"
VERSIONS = ("1.9.1", "1.10.0", "1.13.0")
FILES = [path for version in VERSIONS for path in sorted((CHECKPOINTS / version).glob("*.mge"))]
EXPECTED = json.loads((CHECKPOINTS / "expected.json").read_text())
GLOBALS = frozenset((CHECKPOINTS / "globals.txt").read_text().split())
OF_PYTHON = ("collections.", "builtins.", "_codecs.", "copyreg.")


@pytest.fixture(scope="module")
def recorder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("record_checkpoints", GOLDEN / "record_checkpoints.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_are_files() -> None:
    assert {path.parent.name for path in FILES} == set(VERSIONS) and len(FILES) >= 38


@pytest.mark.parametrize("path", [p for p in FILES if p.stem != "gpu0"], ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_files_of_megengine(path: Path, recorder: ModuleType) -> None:
    found = json.loads(json.dumps(recorder.behaviour(path.stem, mge.load(path))))
    assert recorder.close(found, EXPECTED[path.stem]), found


@pytest.mark.parametrize("version", ["1.9.1", "1.13.0"])
def test_a_tensor_of_another_device(version: str) -> None:
    path = CHECKPOINTS / version / "gpu0.mge"
    if not mge.is_cuda_available():
        with pytest.raises(RuntimeError, match="gpu0") as caught:
            mge.load(path)
        assert any("map_location" in note for note in caught.value.__notes__)
    for location in ("cpu0", {"gpu0": "cpu0"}, lambda name: name.replace("gpu", "cpu")):
        x = mge.load(path, map_location=location)
        assert x.device == "cpu0" and x.numpy().tolist() == [[1.5, -2.0], [0.0, 3.0]]


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_optimizers_of_megengine_go_on(name: str, recorder: ModuleType) -> None:
    loaded = mge.load(CHECKPOINTS / "1.13.0" / f"{name}.mge")
    again, weight = recorder.trained(recorder.OPTIMIZERS[name])
    (held,) = loaded.param_groups[0]["params"]
    for optimizer, parameter in ((loaded, held), (again, weight)):
        parameter.grad = Tensor(np.ones((2, 3), "float32"))
        optimizer.step().clear_grad()
    np.testing.assert_allclose(held.numpy(), weight.numpy(), rtol=1e-5)


def named(data: bytes) -> set[str]:
    """All classes and functions that a pickle of protocol 4 or 5 refers to."""
    found, memo, stack = set(), [], []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "MEMOIZE":
            memo.append(stack[-1] if stack else None)
        elif opcode.name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif opcode.name == "STACK_GLOBAL":
            module, name = [s for s in stack if isinstance(s, str)][-2:]
            found.add(f"{module}.{name}")
            stack.append(None)
        else:
            stack.append(argument if isinstance(argument, str) else None)
    return found


@pytest.mark.parametrize("protocol", [4, 5])
def test_our_files_name_what_megengine_has(protocol: int, recorder: ModuleType) -> None:
    names: set[str] = set()
    for item in recorder.everything().values():
        file = io.BytesIO()
        mge.save(item, file, pickle_protocol=protocol)
        names |= named(file.getvalue())
    assert "megengine.tensor.Parameter" in names and "megengine.core._imperative_rt.common.CompNode" in names
    unknown = {name for name in names - GLOBALS if not name.startswith(OF_PYTHON)}
    assert not unknown


def test_our_files_load_with_a_plain_pickle() -> None:
    state = {"net": M.Conv2d(1, 2, 3).state_dict(), "x": Tensor([1.5]), "scalar": np.float32(2), "flag": np.bool_(True)}
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        file = io.BytesIO()
        mge.save(state, file, pickle_protocol=protocol)
        file.seek(0)
        loaded = pickle.load(file)
        np.testing.assert_array_equal(loaded["net"]["weight"], state["net"]["weight"])
        assert loaded["x"].item() == 1.5 and loaded["scalar"] == 2 and loaded["flag"]


def test_a_stream_of_random_numbers_of_megengine() -> None:
    # As MegEngine 1.13 pickles RNG(seed=1): an address instead of a state.
    state = {"_device": "cpu0", "_seed": 1, "_handle": 94232185586032}
    data = b"\x80\x02cmegengine.random.rng\nRNG\n)\x81" + pickle.dumps(state, 2)[2:-1] + b"b."
    drawn = mge.load(io.BytesIO(data)).normal(size=(3,)).numpy()
    np.testing.assert_array_equal(drawn, mge.random.RNG(seed=1).normal(size=(3,)).numpy())


def test_module_saved_by_megengine() -> None:
    net = mge.load(CHECKPOINTS / "module.mge")
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Linear(in_features=3, out_features=4, bias=True)\n"
        "  (1): ReLU()\n"
        "  (2): Sequential(\n"
        "    (0): Dropout(drop_prob=0.5)\n"
        "    (1): Linear(in_features=4, out_features=2, bias=False)\n"
        "  )\n"
        ")"
    )
    assert not net.training and type(net[0].weight) is Parameter
    weights = [np.arange(p.size, dtype="float32").reshape(p.shape) / 8 - i for i, p in enumerate(net.parameters())]
    x = np.array([[1.0, 2.0, 3.0]], "float32")
    hidden = np.maximum(x @ weights[1].T + weights[0], 0)
    np.testing.assert_allclose(net(Tensor(x)).numpy(), hidden @ weights[2].T, rtol=1e-6)


def test_training_state_saved_by_megengine() -> None:
    state = mge.load(CHECKPOINTS / "training.mge")
    assert state["epoch"] == 3
    net = M.Sequential(M.Linear(3, 4), M.ReLU(), M.Sequential(M.Dropout(0.5), M.Linear(4, 2, bias=False)))
    net.load_state_dict(state["net"])
    optimizer = optim.Adam(net.parameters(), lr=0.5)
    optimizer.load_state_dict(state["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert [s["step"].item() for s in optimizer._state.values()] == [1, 1, 1]
    for tensors in (state["tensors"], mge.load(CHECKPOINTS / "protocol2.mge", map_location="cpu1")):
        ints, parameter, half, flag, empty = tensors
        assert ints.numpy().tolist() == [1, 2, 3] and ints.dtype == np.int32
        assert type(parameter) is Parameter and parameter.numpy().tolist() == [[1.5]]
        assert half.dtype == np.float16 and flag.dtype == np.bool_ and flag.item() is True and empty.shape == (0, 2)
