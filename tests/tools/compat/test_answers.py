"""Each name that NumPy 2 took away gives what NumPy 1.23 gave, and only to the program."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDED: dict[str, str] = json.loads((HERE / "answers_numpy_1_23.json").read_text())
Run = Callable[..., subprocess.CompletedProcess[str]]


def test_numpy_answers_as_numpy_1_23_did(old: Run) -> None:
    ran = old((HERE / "answers.py").read_text())
    assert ran.returncode == 0, ran.stderr
    answers = json.loads(ran.stdout)
    different = {name: (answers.get(name), wanted) for name, wanted in RECORDED.items() if answers.get(name) != wanted}
    assert not different
    assert len(RECORDED) > 120


def test_every_numpy_name_of_the_table_was_asked_for() -> None:
    from megengine.tools.compat import table

    asked = " ".join(RECORDED)
    # They print, need a file or a test runner, or are gone since before 1.23, where there is nothing to compare with.
    other = {
        "disp",
        "source",
        "who",
        "lookfor",
        "Tester",
        "asscalar",
        "alen",
        "rank",
        "loads",
        "distutils",
        "deprecate_with_doc",
    }
    other |= {
        "os",
        "sys",
        "warnings",
        "set_string_function",
        "seterrobj",
        "add_docstring",
        "add_newdoc",
        "add_newdoc_ufunc",
    }
    other |= {
        "tracemalloc_domain",
        "matrixlib",
        "numarray",
        "oldnumeric",
        "kernel_version",
        "use_hugepage",
        "DataSource",
        "MachAr",
    }
    other |= {"chararray", "format_parser", "ModuleDeprecationWarning"}
    names = [e.path for e in table.load().values() if e.module == "numpy" and e.kind == "name" and "." not in e.path]
    assert len(names) > 100
    assert [name for name in names if f"np.{name}" not in asked and name not in other] == []


OTHERS = """
import sys, numpy as np
assert np.asscalar(np.array([3])) == 3 and np.alen([1, 2]) == 2 and np.rank([[1]]) == 2 and np.loads(b"I1\\n.") == 1
np.disp("shown"); np.source(np.who); np.seterrobj([8192, 521, None]); print(np.os.sep, np.sys is sys, np.MachAr().eps)
values = np.arange(3.0); np.who(); np.lookfor("cumulative product"); print(np.chararray((2,)).shape, np.DataSource)
try: np.testing.dec
except AttributeError as error: print(error)
"""


def test_names_that_print(old: Run) -> None:
    ran = old(OTHERS)
    assert ran.returncode == 0, ran.stderr
    assert "shown" in ran.stdout and "values" in ran.stdout and "numpy.cumprod" in ran.stdout
    assert "np.testing.dec is gone since NumPy 2.0: use pytest" in ran.stdout


PLAIN = """
import numpy as np
names = %r
print([n for n in names if hasattr(np, n)], np.bool is bool)
"""


def test_without_mge_run_nothing_is_there(old: Run) -> None:
    names = ["int", "float", "product", "bool8", "in1d", "Inf", "trapz", "asscalar"]
    ran = old("import megengine.tools.compat.launch\n" + PLAIN % names, plain=True)
    assert ran.stdout.strip() == "[] False", ran.stderr
    assert old(PLAIN % names).stdout.strip() == f"{names} True"


LIBRARY = """
from numpy import *
import builtins, numpy as np, collections, random
def found():
    mine = [n for n in ("int", "product", "bool8", "NaN") if hasattr(np, n)]
    mine += [n for n in ("Mapping",) if hasattr(collections, n)]
    refused = []
    for attempt in (lambda: int_(np.array([1])), lambda: np.array([[1], [2, 3]]), lambda: np.array([1]).ptp(),
                    lambda: random.sample({1}, 1),
                    lambda: np.zeros(2).__setitem__(0, np.array([1.0])), lambda: np.array([1], copy=False)):
        try: attempt()
        except Exception as error: refused.append(type(error).__name__)
    kept = (np.float32([1]) * np.float64(2)).dtype == np.float64 and type(np.float32(1) * 2.0) is np.float32
    return mine, np.bool is builtins.bool, refused, kept
int_ = builtins.int
"""


def test_libraries_see_what_is_there_today(old: Run) -> None:
    program = "import sys; sys.path.insert(0, 'venv/site-packages')\nimport library\nprint(library.found())\n"
    program += "import numpy as np\nnp.bool8\n"
    ran = old(program, **{"venv/site-packages/library": LIBRARY})
    wanted = "([], False, ['TypeError', 'ValueError', 'AttributeError', 'TypeError', 'ValueError', 'ValueError'], True)"
    assert ran.stdout.strip() == wanted, ran.stderr
    assert "library.py" not in ran.stderr and "np.bool8 -> np.bool_" in ran.stderr
    also = old(program, also=("library",), **{"venv/site-packages/library": LIBRARY})
    assert also.stdout.strip().startswith("(['int', 'product', 'bool8', 'NaN', 'Mapping'], True, []"), also.stderr


STAR = """
from numpy import *
print(product([2, 3]), isinstance(True, bool), max([1, 2], key=lambda v: -v), NaN, round(2.5))
"""


def test_star_import_brings_what_the_file_uses(old: Run) -> None:
    ran = old(STAR)
    assert ran.stdout.strip() == "6 True 1 nan 2", ran.stderr
    assert ran.stderr.count("\n") == 3 and "np.product" in ran.stderr and "np.NaN" in ran.stderr
