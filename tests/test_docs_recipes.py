"""The recipes are whole programs, each of which prints what stands below it."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "recipes.md"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PROGRAM = re.compile(r"^```python\n(.*?)^```\n\n^```text\n(.*?)^```", re.M | re.S)


def recipes() -> list[tuple[str, str, str]]:
    """Heading, program and output of each."""
    found = []
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        heading = section.partition("\n")[0]
        found += [(heading, *match) for match in PROGRAM.findall(section)]
    return found


@pytest.mark.parametrize(("heading", "program", "output"), [pytest.param(*r, id=r[0]) for r in recipes()])
def test_recipe(
    heading: str,
    program: str,
    output: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "recipe.py", "exec"), {"__name__": "__main__"})
    got = capsys.readouterr().out
    assert doctest.OutputChecker().check_output(output, got, FLAGS), f"{heading} prints:\n{got}"


def test_every_block_of_the_page_is_run() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(re.findall("^```python$", text, re.M)) == len(recipes()) > 10
    assert not [output for _, _, output in recipes() if output.strip() == "..."]
