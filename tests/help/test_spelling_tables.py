"""The tables of docs/pytorch.md are the spellings that the errors name, all of them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from megengine._help import spellings

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_spelling_tables", DOCS / "spelling_tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_tables_of_today(tables: ModuleType) -> None:
    text = (DOCS / "pytorch.md").read_text(encoding="utf-8")
    assert tables.filled(text) == text, "run `python docs/spelling_tables.py`"


def test_the_page_has_every_table(tables: ModuleType) -> None:
    text = (DOCS / "pytorch.md").read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- (.+?) -->", text)) == {*tables.TABLES, "keywords", "end"}
    shown = [id(table) for table in tables.TABLES.values()]
    listed = {name: value for name, value in vars(spellings).items() if name.isupper() and isinstance(value, dict)}
    left_out = {name for name, value in listed.items() if id(value) not in shown}
    # RANDOM repeats what PACKAGE has, SCHEDULES holds OPTIMIZER, and the last four are no tables of names.
    assert left_out == {"RANDOM", "OPTIMIZER", "OF_MODULES", "KEYWORDS", "WITHOUT", "SORTING"}
    assert spellings.OPTIMIZER.items() <= spellings.SCHEDULES.items()


def test_a_changed_spelling_changes_the_page(tables: ModuleType) -> None:
    text = (DOCS / "pytorch.md").read_text(encoding="utf-8")
    assert "| `x.view` | `x.reshape(shape)` |" in text and "| `dim=` | `axis=` or `axes=`" in text
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spellings.TENSOR, "view", "x.reshaped(shape)  # a note")
        assert "| `x.view` | `x.reshaped(shape)`, a note |" in tables.filled(text)
