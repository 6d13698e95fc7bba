"""``mge graph``, ``profile``, ``dump info``, ``infer`` and ``doctor``, as a user calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import megengine.functional as F
import megengine.module as M
from megengine import Tensor
from megengine.ops.onednn import library

Mge = Callable[..., tuple[int, str, str]]


def test_graph_of_a_program(mge: Mge, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sys.argv, sys.path[:]
    status, out, _ = mge("graph", "train.py", 5, "--mine")
    assert status == 0 and "arguments ['5', '--mine'] name __main__" in out
    assert "ran 5 times" in out or "ran 4 times" in out  # the first step may be one with the initialisation
    assert "written to train.html" in out and "linear" in (tmp_path / "train.html").read_text()
    assert (sys.argv, sys.path) == before


def test_a_program_that_fails_shows_what_ran_and_its_own_traceback(mge: Mge, tmp_path: Path) -> None:
    path = tmp_path / "fails.py"
    path.write_text("import megengine as mge\ny = (mge.Tensor([1.0]) + 1).numpy()\nraise LookupError('mine')\n")
    status, out, err = mge("graph", "--text", path)
    assert status == 0 and "add(" in out and "LookupError: mine" in err and "what ran until then" in err
    assert "runpy" not in err and "programs.py" not in err
    path.write_text("print('no tensors')\n")
    status, _, err = mge("graph", path)
    assert status == 1 and "computed nothing with tensors" in err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["graph", "nothing.py"], 2, "there is no file 'nothing.py'"),
        (["graph", "nothing.mge"], 2, "there is no file 'nothing.mge'"),
        (["graph", "-o", "x.png", "train.py"], 2, "ends in none of .html, .svg, .dot, .txt"),
        (["graph", "net.mge", "more"], 2, "takes no arguments: more"),
        (["profile", "-o", "x.txt", "train.py"], 2, "does not end in .html"),
        (["dump", "info", "train.py"], 1, "this is no graph"),
        (["infer", "net.mge", "train.py"], 1, "holds no array"),
        (["infer", "net.mge", "nothing.npy"], 2, "there is no file"),
        (["infer", "net.mge", "x.npy", "x.npy"], 2, "one input too many: the model takes image"),
        (["infer", "net.mge", "other=x.npy"], 2, "the model takes image: float32[1, 3, 8, 8]; given were other"),
        (["infer", "net.mge", "bad.npy"], 1, "does not run on image float32[2]"),
        (["convert", "net.mge", "nowhere/x.mge"], 2, "there is no folder 'nowhere'"),
        (["convert", "net.mge", "x.mge", "--shape", "image"], 2, "is not of the form name=1,3,224,224"),
        (["convert", "net.mge", "x.mge", "--shape", "other=1"], 2, "names no input; there are image"),
    ],
)
def test_mistakes_are_told_in_a_line(
    mge: Mge, program: Path, dump: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], status: int, said: str
) -> None:
    monkeypatch.chdir(dump.parent)
    np.save("x.npy", np.ones((1, 3, 8, 8), np.float32))
    np.save("bad.npy", np.ones(2, np.float32))
    found, _, err = mge(*words)
    assert found == status and said in err and err.startswith("mge: error: ") and "Traceback" not in err


def test_graph_of_a_model(mge: Mge, dump: Path) -> None:
    status, out, _ = mge("graph", dump, "--text")
    assert status == 0 and "conv(image, 0.weight, 0.bias" in out and "score: float32[1,4]" in out
    assert mge("graph", "-o", dump.with_suffix(".dot"), dump)[0] == 0
    assert "subgraph cluster" in dump.with_suffix(".dot").read_text()


def test_profile(mge: Mge, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, _ = mge("profile", "--trace", "trace.json", program, 4)
    assert status == 0
    assert "Python, imports, compiling" in out and "ms when compiled, by op" in out and "linear " in out
    assert "measured" in (tmp_path / "train.profile.html").read_text()
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {e["ph"] for e in events} >= {"X", "M"} and any(e.get("cat") == "program" for e in events)


def test_dump_info(mge: Mge, dump: Path) -> None:
    status, out, _ = mge("dump", "info", "--weights", dump)
    assert status == 0
    for line in (
        "image: float32[1, 3, 8, 8]",
        "score: float32[1, 4]",
        "weights: 6, 128 numbers",
        "0.weight: float32[4,3,3,3]",
    ):
        assert line in out
    assert "conv 1" in out and "FLOP" in out


def test_infer_on_arrays_of_other_batches(mge: Mge, dump: Path, net: M.Module, rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 3, 8, 8)).astype("float32")
    np.save(dump.parent / "x.npy", x)
    np.savez(dump.parent / "x.npz", image=x.astype("float64"))
    expected = F.flatten(net(Tensor(x)), 1).numpy()
    for given in ("x.npy", "x.npz"):
        status, out, _ = mge("infer", dump, dump.parent / given, "-o", dump.parent / "out.npz", "--top", 1)
        assert status == 0 and f"row 2: {expected[2].argmax()} (" in out
        np.testing.assert_allclose(np.load(dump.parent / "out.npz")["score"], expected, rtol=1e-5)
    assert "made-up numbers" in mge("infer", dump)[1]


def test_infer_on_pictures(mge: Mge, dump: Path, net: M.Module) -> None:
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    cv2.imwrite(str(dump.parent / "a.png"), image)
    words = ("--mean", "10,20,30", "--std", "50", "--rgb", "-o", dump.parent / "out.npy")
    assert mge("infer", dump, dump.parent / "a.png", dump.parent / "a.png", *words)[0] == 0
    batch = ((image[..., ::-1] - np.float32([10, 20, 30])) / 50).transpose(2, 0, 1)[None]
    expected = F.flatten(net(Tensor(batch)), 1).numpy()
    np.testing.assert_allclose(np.load(dump.parent / "out.npy"), np.repeat(expected, 2, 0), rtol=1e-4)


def test_convert_a_dump_folds_and_compares(mge: Mge, dump: Path) -> None:
    status, out, _ = mge("convert", dump, dump.parent / "fused.mge", "--fuse")
    assert status == 0 and "both give the same results" in out
    assert "batch_norm" not in mge("dump", "info", dump.parent / "fused.mge")[1]


def test_convert_to_onnx_and_back(mge: Mge, dump: Path) -> None:
    pytest.importorskip("onnx")
    onnx, back = dump.with_suffix(".onnx"), dump.with_name("back.mge")
    for source, target in ((dump, onnx), (onnx, back)):
        status, out, _ = mge("convert", source, target)
        assert status == 0 and "both give the same results" in out
    assert "image: float32[1, 3, 8, 8]" in mge("dump", "info", onnx)[1]
    assert "conv(" in mge("graph", onnx, "--text")[1]


def test_convert_to_stablehlo(mge: Mge, dump: Path) -> None:
    target = dump.with_suffix(".stablehlo")
    status, out, _ = mge("convert", dump, target, "--dynamic-batch")
    assert status == 0 and "both give the same results" in out
    assert "output0: float32[1, 4]" in mge("infer", target)[1]
    for words in (["graph", target], ["convert", target, dump.with_name("x.mge")]):
        status, _, err = mge(*words)
        assert status == 1 and "StableHLO" in err and "Traceback" not in err


def test_onnx_without_its_package_says_what_to_install(
    mge: Mge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    from megengine.onnx import package

    package.onnx.cache_clear()
    (tmp_path / "a.onnx").write_bytes(b"")
    status, _, err = mge("infer", tmp_path / "a.onnx")
    package.onnx.cache_clear()
    assert status == 1 and "pip install" in err


def test_doctor_in_a_fresh_process(tmp_path: Path) -> None:
    env = {**os.environ, "MEGENGINE_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "megengine.tools.mge", "doctor"], capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("megengine-xla:", "device: ", "oneDNN: ", "host tier: numbers agree", "compiled tier: numbers agree"):
        assert words in done.stdout
    assert str(tmp_path / "cache") in done.stdout and done.stdout.rstrip().endswith("All works.")


def test_doctor_tells_of_a_library_that_cannot_be_loaded(
    mge: Mge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEGENGINE_ONEDNN", str(tmp_path / "none.so"))
    monkeypatch.setattr(library, "_loaded", [])
    status, out, _ = mge("doctor")
    assert status == 1 and " ! oneDNN: MEGENGINE_ONEDNN=" in out and "unset MEGENGINE_ONEDNN" in out
