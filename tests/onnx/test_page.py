"""docs/onnx.md lists the rules that there are."""

from __future__ import annotations

from docs.onnx_tables import PAGE, filled


def test_the_page_has_the_rules_of_today() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page), "run `python docs/onnx_tables.py`"
    assert page.count("| `writing/") > 8 and "`Conv`" in page and filled(page.replace("`Conv`", "")) == page
