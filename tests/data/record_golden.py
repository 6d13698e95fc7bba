"""Asks real MegEngine 1.13.0 the cases of ``golden_*.py`` and writes what it answers.

Run with the interpreter that has it: ``python tests/data/record_golden.py [cases] [transforms] [datasets]``.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from golden_cases import answer  # noqa: E402

import megengine  # noqa: E402

FILES = {"cases": "golden.json", "transforms": "golden_transforms.json", "datasets": "golden_datasets.json"}


def main() -> None:
    if not hasattr(megengine, "__version__") or not megengine.__version__.startswith("1.13."):
        raise SystemExit("this is not MegEngine 1.13")
    for name in sys.argv[1:] or FILES:
        module = importlib.import_module(f"golden_{name}")
        write = getattr(module, "compact", json.dumps)
        rows = [f" {json.dumps(case)}: {write(answer(ask))}" for case, ask in module.CASES.items()]
        (HERE / FILES[name]).write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
