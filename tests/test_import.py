"""``import megengine`` loads what a program needs in any case; the rest is there when it is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import megengine

LATER = ("data", "distributed", "experimental", "hub", "jit")


def told(code: str) -> dict:
    """What a program prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    return json.loads(done.stdout)


def test_what_is_not_always_needed_is_imported_when_first_used() -> None:
    found = told(
        "import gc, json, sys, megengine as mge, megengine.functional as F\n"
        f"later = {LATER}\n"
        "loaded = lambda: [n for n in later if 'megengine.' + n in sys.modules]\n"
        "before, listed, collects = loaded(), sorted({*later} & {*dir(mge)}), gc.isenabled()\n"
        "names = [mge.data.DataLoader, mge.hub.load, mge.jit.trace, mge.distributed.Group, F.distributed.all_reduce_sum]\n"
        "names = [n.__module__ for n in (*names, mge.data.dataset.vision.coco.COCO)]\n"
        "other = []\n"
        "for act in (lambda: mge.data.TensorDataset, lambda: mge.data.ArrayDataset(1, dim=2), lambda: mge.optm):\n"
        "    try:\n        act()\n    except Exception as error:\n        other.append(str(error))\n"
        "print(json.dumps([before, listed, collects, names, loaded(), dir(mge.data.dataset)[:2], other]))\n"
    )
    before, listed, collects, names, after, presented, errors = found
    assert before == [] and listed == ["data", "distributed", "hub", "jit"] and collects
    assert names == [
        "megengine.data.dataloader",
        "megengine.hub.hub",
        "megengine.jit.tracing",
        "megengine.distributed.group",
        "megengine.distributed.functional",
        "megengine.data.dataset.vision.coco",
    ]
    assert after == ["data", "distributed", "hub", "jit"]
    assert all(name[0] != "_" for name in presented)
    # What comes later explains itself like what was there from the start.
    assert "MegEngine's spelling is" in errors[0] and "ArrayDataset" in errors[1] and "optm" in errors[2]


@pytest.mark.parametrize(
    "statement", ["from megengine import data, hub", "import megengine.data, megengine.hub", "from megengine import *"]
)
def test_every_form_of_import_finds_them(statement: str) -> None:
    root = "" if statement.startswith("from") else "megengine."
    found = told(f"import json\n{statement}\nprint(json.dumps([{root}data.__name__, {root}hub.__name__]))")
    assert found == ["megengine.data", "megengine.hub"]


def test_all_is_there() -> None:
    assert [name for name in megengine.__all__ if not hasattr(megengine, name)] == []
