"""`mge check` on small projects: what it resolves, what it says of each name, and how it ends."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from megengine.tools.check import differences, names, project
from megengine.tools.check.api import fits, look_up
from megengine.tools.compat import table

Run = Callable[..., tuple[int, str, str]]


def write(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def found(text: str) -> list[tuple[int, str]]:
    """(line, full name) of everything that a file names."""
    return [(use.line, use.name) for use in names.uses(ast.parse(text), lambda module: {})]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("import megengine as mge\nmge.functional.relu", (2, "megengine.functional.relu")),
        ("import megengine.functional as F\nF.relu", (2, "megengine.functional.relu")),
        ("import megengine.functional\nmegengine.functional.nn.relu", (2, "megengine.functional.nn.relu")),
        ("from megengine import module as M\nM.Conv2d", (2, "megengine.module.Conv2d")),
        ("from megengine.module import Conv2d as C\nC", (2, "megengine.module.Conv2d")),
        ("from megengine.module import *\nConv2d", (2, "megengine.module.Conv2d")),
        ("from numpy import *\nproduct", (2, "numpy.product")),
        ("import numpy as np\nalias = np\nalias.bool8", (3, "numpy.bool8")),
        ("import numpy as np\nkind = np.float\nkind", (3, "numpy.float")),
        ("import numpy as np\ndef f():\n    return np.int", (3, "numpy.int")),
        ("def f():\n    return np.int\nimport numpy as np", (2, "numpy.int")),
        ("import numpy as np\nclass A:\n    x = np.int\n    def f(self, y=np.float): pass", (4, "numpy.float")),
        ("import numpy as np\n[np.int for i in range(3) if np.bool8]", (2, "numpy.bool8")),
        ("import numpy as np\nx: np.int = 3", (2, "numpy.int")),
        ("import numpy as np\nf'{np.int}'", (2, "numpy.int")),
        ("import numpy as np\nwith a(np.int) as b: np.float", (2, "numpy.float")),
        ("import numpy as np\ntry: pass\nexcept np.AxisError: pass", (3, "numpy.AxisError")),
        ("import numpy as np\n@np.deprecate\ndef f(): pass", (2, "numpy.deprecate")),
        ("try:\n    import numpy as np\nexcept ImportError:\n    pass\nnp.int", (5, "numpy.int")),
        ("x = array()\nx.ptp()", (2, ".ptp")),
        ("f(x).ptp(axis=0)", (1, ".ptp")),
        (
            "from megengine import jit\n@jit.trace(symbolic=True)\ndef f(): pass\nf.dump",
            (4, "megengine.jit.trace().dump"),
        ),
    ],
)
def test_names_are_resolved(text: str, wanted: tuple[int, str]) -> None:
    assert wanted in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "import numpy as np\ndef f(np):\n    return np.int",
        "import numpy as np\nnp = other()\nnp.int",
        "import numpy as np\nfor np in []:\n    np.int",
        "import numpy as np\n[np.int for np in []]",
        "import numpy as np\nlambda np: np.int",
        "import numpy as np\ndef f():\n    np = 3\n    return np.int",
        "class np: int = 3\nnp.int",
    ],
)
def test_names_of_the_programs_own_are_not(text: str) -> None:
    assert "numpy.int" not in [name for _, name in found(text)]


@pytest.mark.parametrize(
    ("name", "state", "upto"),
    [
        ("megengine.functional.relu", "here", "megengine.functional.relu"),
        ("megengine.functional.nosuch", "missing", "megengine.functional.nosuch"),
        ("megengine.nosuch.deep.er", "missing", "megengine.nosuch"),
        ("megengine.module.conv.Conv2d", "here", "megengine.module.conv.Conv2d"),
        ("megengine.tensor.Tensor", "here", "megengine.tensor.Tensor"),
        ("megengine.Tensor.reshape", "here", "megengine.Tensor.reshape"),
        ("megengine.functional.relu().shape", "unknown", "megengine.functional.relu()"),
        ("megengine.jit.trace().nosuch", "missing", "megengine.jit.trace().nosuch"),
        ("megengine.module.Linear().weight", "unknown", "megengine.module.Linear()"),
    ],
)
def test_what_is_here(name: str, state: str, upto: str) -> None:
    answer = look_up(name)
    assert (answer.state, answer.upto) == (state, upto)


@pytest.mark.parametrize(
    ("name", "call", "refused"),
    [
        ("functional.relu", "f(x)", ""),
        ("functional.relu", "f(x, inplace=True)", "takes no inplace="),
        ("functional.zeros", "f(3, 4)", "takes 1 arguments by position, not 2"),
        ("functional.zeros", "f(*shape)", ""),
        ("module.Conv2d", "f(3, 4, 3, padding=1, bias=False)", ""),
        ("module.Linear", "f(3, 4, dim=2)", "takes no dim="),
        ("functional.zeros", "f((3,), **options)", ""),
    ],
)
def test_calls(name: str, call: str, refused: str) -> None:
    expression = ast.parse(call).body[0]
    assert isinstance(expression, ast.Expr) and isinstance(expression.value, ast.Call)
    said = fits(look_up(f"megengine.{name}").value, expression.value)
    assert said.partition(";")[0] == refused


def test_what_to_write_instead() -> None:
    call = ast.parse("f(x, dim=1)").body[0]
    assert isinstance(call, ast.Expr) and isinstance(call.value, ast.Call)
    assert fits(look_up("megengine.functional.sum").value, call.value) == "takes no dim=; write axis="
    assert look_up("megengine.functional.interpolate").note == "write F.nn.interpolate(...)"
    assert look_up("megengine.module.Parameter").note == "write mge.Parameter(array)"
    assert look_up("megengine.functional.nosuch").note == ""
    assert look_up("megengine.autodiff.GradManager().zero_grad").state == "missing"


def test_what_a_call_gives_is_another_use(tmp_path: Path) -> None:
    write(
        tmp_path,
        train="import numpy as np\nimport megengine as mge\nfrom megengine import functional as F\n"
        "x = np.zeros(3)\nx.ptp(); np.arange(3).ptp(); mge.tensor([1.0]).numpy().tostring()\n"
        "np.product([1]).item(); np.int(3).bit_length(); F.cross_entropy(x, x).numpy()\n",
    )
    found = [(line, written) for line, written, state in states(tmp_path)["train.py"] if state in ("gone", "missing")]
    assert found == [
        (5, "x.ptp"), (5, "np.arange(3).ptp"), (5, "mge.tensor([1.0]).numpy().tostring"),
        (6, "np.product"), (6, "np.int"), (6, "F.cross_entropy"),
    ]  # fmt: skip


def test_modules_of_the_project_go_before_others_of_their_name(tmp_path: Path) -> None:
    """``parser`` was one of Python's own; here it is a file beside, and what it imports is found through it."""
    write(
        tmp_path,
        train="import parser\nimport tools.distutils as d\nimport imp\nparser.parse(); parser.np.bool8\n"
        "d.np.int; imp.load_source\n",
        parser="import numpy as np\nimport imp\n",
        **{"tools/__init__": "", "tools/distutils": "import numpy as np\n"},
    )
    found = [(line, written) for line, written, state in states(tmp_path)["train.py"] if state == "gone"]
    assert found == [(3, "imp"), (4, "parser.np.bool8"), (5, "d.np.int"), (5, "imp.load_source")]


def states(folder: Path) -> dict[str, list[tuple[int, str, str]]]:
    report = project.read(folder)
    return {file: [(f.line, f.written, f.state) for f in found] for file, found in report.files.items()}


def test_a_project_is_read_file_by_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        train="from common import np, F\nfrom data.loader import M as modules\nnp.bool8; F.nosuch; modules.Conv2d\n"
        "from common import *\nmge.nosuch\n",
        common="import numpy as np\nimport megengine as mge\nimport megengine.functional as F\n",
        old="print 3\n",
        **{
            "data/__init__": "from .loader import M\n",
            "data/loader": "import megengine.module as M\nfrom ..common import F\nfrom . import M as again\nagain.Linear\n",
            "build/generated": "import numpy as np\nnp.int\n",
        },
    )
    seen = states(tmp_path)
    assert sorted(seen) == ["common.py", "data/__init__.py", "data/loader.py", "old.py", "train.py"]
    assert [s for s in seen["train.py"] if s[2] != "differs"] == [
        (3, "np.bool8", "gone"),
        (3, "F.nosuch", "missing"),
        (3, "modules.Conv2d", "here"),
        (5, "mge.nosuch", "missing"),
    ]
    assert (4, "again.Linear", "here") in seen["data/loader.py"] and seen["old.py"][0][0] == 1


LINES = {
    "np.zeros(3, np.bool8)": "np.bool8 gone since NumPy 1.24: write np.bool_",
    "np.bool": "np.bool gone since NumPy 1.24: write bool",
    "np.lib.pad(x, 1)": "np.lib.pad gone since NumPy 2.0: write np.pad",
    "np.core.numeric.ones(2)": "np.core.numeric.ones gone since NumPy 2.0: write np.ones",
    "np.linalg.linalg.norm(x)": "np.linalg.linalg.norm gone since NumPy 2.0: write np.linalg",
    "np.array(x, copy=False)": "np.array gone since NumPy 2.0: write ",
    "np.fromstring(x, np.uint8)": "np.fromstring gone since NumPy 2.3: write np.frombuffer(text, dtype).copy()",
    "np.histogram(x, normed=True)": "np.histogram gone since NumPy 1.24: write density=",
    "np.testing.dec": "np.testing.dec gone since NumPy 2.0: use pytest",
    "x.ptp()": "x.ptp gone since NumPy 2.0: write np.ptp(array)",
    "f(x).itemset(0, 1)": "f(x).itemset gone since NumPy 2.0: write array[index] = value",
    "import imp": "imp gone since Python 3.12: write importlib",
    "from distutils.version import LooseVersion": "gone since Python 3.12: write packaging.version",
    "import asyncore": "asyncore gone since Python 3.12: asyncio",
    "from collections import Mapping, OrderedDict": "gone since Python 3.10: write collections.abc.Mapping",
    "import inspect; inspect.getargspec(f)": "inspect.getargspec gone since Python 3.11: write inspect.getfullargspec",
    "import random; random.shuffle(x, r)": "random.shuffle gone since Python 3.11: write random.shuffle(x)",
    "import json; json.loads(x, encoding='utf-8')": "json.loads gone since Python 3.9: write the call without encoding=",
    "open('f', 'rU')": 'open gone since Python 3.11: write a mode without "U"',
    "thread.isAlive()": "thread.isAlive gone since Python 3.9: write Thread.is_alive",
    "from PIL import Image; Image.ANTIALIAS": "Image.ANTIALIAS gone since Pillow 10.0: write Image.LANCZOS",
    "import PIL.Image; PIL.Image.LINEAR": "PIL.Image.LINEAR gone since Pillow 10.0: write Image.BILINEAR",
    "draw.textsize('a')": "draw.textsize gone since Pillow 10.0: write draw.textbbox((0, 0), text)[2:]",
    "import cv2; cv2.cv.CV_AA": "cv2.cv.CV_AA gone since OpenCV 3.0: write the name in cv2 without CV_",
    "import cv2; cv2.CascadeClassifier()": "cv2.CascadeClassifier gone since OpenCV 5.0: install opencv-python<5",
    "import yaml; yaml.load(f)": "yaml.load gone since PyYAML 6.0: write yaml.safe_load",
    "import scipy.misc; scipy.misc.imread(f)": "scipy.misc.imread gone since SciPy 1.3: write imageio, or PIL.Image",
    "F.nosuch": "F.nosuch missing",
    "F.add_axis(x, 0)": "F.add_axis missing: gone since MegEngine 1.0: write F.expand_dims",
    "F.pad(x, pad_witdth=1)": "F.pad missing: gone since MegEngine 1.8: write pad_width=",
    "from megengine.distributed import get_free_ports": "gone since MegEngine 1.2: write port 0",
    "F.relu(x, inplace=True)": "F.relu missing: takes no inplace=",
    "mge.nosuch.a.b": "mge.nosuch.a.b missing: megengine.nosuch",
    "from megengine.nosuch import a": "from megengine.nosuch import a missing: megengine.nosuch",
}
FINE = """
np.zeros(3, bool); np.fromstring("1 2", sep=" "); yaml.load(f, Loader=yaml.SafeLoader); yaml.load(f, L)
np.histogram(x, density=True)
random.shuffle(x); json.loads(x); open("f", "rb"); os.path.getsize("f"); x.append(3); F.relu(x); mge.Tensor([1.0]); np.array(x)
np.random.rand(3); np.lib.stride_tricks.as_strided(x); cv2.circle(x, (1, 2), 3, 4); Image.LANCZOS; x.tobytes(); np.bool_
M.Linear(3, 4)
"""
HEAD = "import cv2, json, os, random, yaml\nimport numpy as np\nimport megengine as mge\nimport megengine.functional as F\n"
HEAD += "import megengine.module as M\nfrom PIL import Image\n"


@pytest.mark.parametrize("line", LINES)
def test_what_is_said(line: str, tmp_path: Path, mge: Run) -> None:
    write(tmp_path, program=f"{HEAD}{line}\n")
    status, out, _ = mge("check", tmp_path)
    assert status == 1
    assert (f"  7: {LINES[line]}" in out) or (LINES[line].startswith("gone") and LINES[line] in out)


def test_a_project_with_nothing_to_do(tmp_path: Path, mge: Run) -> None:
    write(tmp_path, program=HEAD + FINE)
    status, out, _ = mge("check", tmp_path)
    assert status == 0, out
    assert " 0 are missing." in out and "gone" not in out
    status, everything, _ = mge("check", tmp_path, "--all")
    assert status == 0 and "np.array" not in everything and "M.Linear here" in everything


def test_differences_are_said_once_with_their_lines(tmp_path: Path, mge: Run) -> None:
    text = "import megengine.functional as F\nfrom megengine.data.transform import RandomCrop\nF.norm(x)\nF.norm(y)\n"
    write(tmp_path, a=text + "RandomCrop(3)\nRandomCrop(3, padding_size=2)\n", b=text)
    status, out, _ = mge("check", tmp_path)
    assert status == 0
    norm = "  F.norm(x, inf, axis): in MegEngine axis is ignored; here is used\n      a.py: 3, 4; b.py: 3, 4\n"
    assert norm in out and out.count("F.norm(x") == 1
    assert "RandomCrop(padding_size=...) in a Compose: in MegEngine pads" in out and "\n      a.py: 6\n" in out


def test_entries_of_the_page_are_understood() -> None:
    value = look_up("megengine.jit.trace").value
    assert any("jit.trace" in one.text for one in differences.about(value, None))
    subjects = differences._rows() + differences._paragraphs()
    named = [name for subject, _ in subjects for name, _, _ in differences._snippets(subject)]
    understood = [name for name in named if differences._objects(name)]
    assert len(subjects) > 60 and len(understood) > 50 and len(understood) > len(named) * 0.6


def test_mistakes_of_the_caller(tmp_path: Path, mge: Run) -> None:
    assert mge("check", tmp_path / "nosuch")[0] == 2
    assert mge("check", tmp_path)[0] == 2
    status, _, errors = mge("check", tmp_path / "nosuch")
    assert f"there is no folder {str(tmp_path / 'nosuch')!r}" in errors


def test_a_file_that_is_not_python_3(tmp_path: Path, mge: Run) -> None:
    write(tmp_path, old="import numpy\nprint 'a'\n")
    status, out, _ = mge("check", tmp_path / "old.py")
    assert status == 1 and "  2: cannot be read: is not Python 3" in out and "1 file is not Python 3." in out


def test_every_entry_of_the_table_says_what_to_do() -> None:
    entries = table.load()
    assert len(entries) > 500
    assert [name for name, entry in entries.items() if not entry.instead or not entry.gone[-1].isdigit()] == []


def test_a_reader_that_goes_is_no_error(tmp_path: Path) -> None:
    """As in ``mge check . | head -1``."""
    write(tmp_path, train="import numpy as np\n" + "np.bool8\nnp.float\n" * 20_000)
    command = [sys.executable, "-m", "megengine.tools.mge", "check", "--all", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "train.py\n"
        process.stdout.close()
        errors = process.stderr.read() if process.stderr else ""
        assert process.wait(60) == 141 and errors == ""
