"""Asks real MegEngine 1.13.0 the cases of ``golden_cases.py`` and writes ``golden.json``.

Run with the interpreter that has it: ``python tests/data/record_golden.py``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from golden_cases import CASES, answer  # noqa: E402

import megengine  # noqa: E402


def main() -> None:
    if not hasattr(megengine, "__version__") or not megengine.__version__.startswith("1.13."):
        raise SystemExit("this is not MegEngine 1.13")
    rows = [f" {json.dumps(name)}: {json.dumps(answer(case))}" for name, case in CASES.items()]
    (HERE / "golden.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
