"""Every example in a docstring runs and prints what it says, and the documented API has docstrings with examples."""

from __future__ import annotations

import doctest
import importlib
import inspect
import io
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import megengine
import megengine.functional
import megengine.module

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTED = ROOT / "docs" / "api" / "documented_api.txt"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# What an example may use without importing it; the API reference's front page says so too.
NAMES: dict[str, Any] = {
    "np": np,
    "megengine": megengine,
    "mge": megengine,
    "F": megengine.functional,
    "M": megengine.module,
    "Tensor": megengine.Tensor,
}
MISSING = object()
# Errors, results and options are shown by what raises, returns and takes them.
WITHOUT_EXAMPLE = ("Error", "TotalStats", "StatsDetails", "Ran", "Counters", "Options")


def all_modules() -> list[ModuleType]:
    """All modules of the package, by name."""
    found = [megengine]
    for info in pkgutil.walk_packages(megengine.__path__, "megengine."):
        if not info.name.endswith("__main__"):
            found.append(importlib.import_module(info.name))
    return sorted(found, key=lambda m: m.__name__)


def documented(here: bool = True) -> list[str]:
    """The documented names that the list says are here, or those that it says are not."""
    lines = [line for line in DOCUMENTED.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return [line.removeprefix("- ") for line in lines if line.startswith("- ") != here]


def resolve(name: str) -> Any:
    """The object of a dotted name, or MISSING."""
    parts = name.split(".")
    value: Any = megengine
    for depth, part in enumerate(parts[1:], start=2):
        if not hasattr(value, part):
            try:
                importlib.import_module(".".join(parts[:depth]))
            except ImportError:
                return MISSING
        value = getattr(value, part, MISSING)
    return value


def on_written_pages() -> Iterator[str]:
    """The names on those pages of the API reference that are written by hand."""
    for page in sorted((ROOT / "docs" / "api").glob("*.md")):
        module = ""
        for kind, name in re.findall(r"^\.\. (module|auto\w+):: (\S+)$", page.read_text(encoding="utf-8"), re.M):
            if kind == "module":
                module = name
            else:
                yield name if name.startswith("megengine.") else f"{module}.{name}"


def examples() -> Iterator[doctest.DocTest]:
    """The doctests of all modules, classes, functions and methods, each where it was defined.

    Those of the documented API see NAMES only, as a reader does; internal ones also see the names of their module.
    """
    finder = doctest.DocTestFinder(exclude_empty=True)
    public = [resolve(name) for name in [*documented(), *on_written_pages()]]
    for module in all_modules():
        if ">>>" in (module.__doc__ or ""):
            yield doctest.DocTestParser().get_doctest(module.__doc__ or "", NAMES, module.__name__, module.__file__, 0)
        for name, value in sorted(vars(module).items()):
            if getattr(value, "__module__", None) != module.__name__ or getattr(value, "__name__", None) != name:
                continue
            if inspect.isclass(value) or inspect.isroutine(value):
                names = NAMES if any(value is p for p in public) else vars(module) | NAMES
                yield from finder.find(inspect.unwrap(value), f"{module.__name__}.{name}", module=False, globs=names)


OF_DOCS = (
    "index",
    "getting-started",
    "how-it-works",
    "speed-and-shapes",
    "data",
    "checkpoints",
    "graph-files",
    "distributed",
    "quantization",
    "traced-modules",
    "onnx",
    "seeing",
    "pytorch",
    "custom-operators",
)
PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{name}.md" for name in OF_DOCS)]


def draw_pictures(folder: Path) -> None:
    """Two classes of pictures, together as many as a batch of the page about data takes."""
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (folder / name).mkdir(parents=True)
        for number in range(32):
            assert cv2.imwrite(str(folder / name / f"{number}.png"), rng.integers(0, 256, (40, 30, 3), np.uint8))


@pytest.mark.parametrize("page", PAGES)
def test_page(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The `>>>` examples of a page run from top to bottom, and its blocks that begin with an import are whole programs."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text(encoding="utf-8")
    if page == "docs/onnx.md":
        pytest.importorskip("onnxruntime")
    if "pictures/train" in text:
        draw_pictures(tmp_path / "pictures" / "train")
    report = io.StringIO()
    sessions = "\n".join(re.findall(r"^```pycon\n(.*?)^```", text, re.M | re.S))
    with megengine.graph.tier("auto"):  # as whoever reads it
        result = doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(
            doctest.DocTestParser().get_doctest(sessions, {}, page, page, 0), out=report.write
        )
    assert result.failed == 0, report.getvalue()
    assert not re.search(r"^ +```", text, re.M), f"{page} has an indented block, which nothing runs"
    programs = re.findall(r"^```python\n((?:import|from) .*?)^```", text, re.M | re.S)
    needs_compiler = page == "docs/custom-operators.md"  # test_docs_custom_operators.py runs its programs
    for program in [] if needs_compiler else programs:
        exec(compile(program, page, "exec"), {"__name__": "__main__"})
    assert result.attempted or programs, f"{page} has nothing to run"


@pytest.mark.parametrize(
    "example", [pytest.param(e, id=e.name.removeprefix("megengine.")) for e in examples() if e.examples]
)
def test_example(example: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if ".onnx" in example.name:
        pytest.importorskip("onnx")
    report = io.StringIO()
    result = doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(example, out=report.write)
    assert result.failed == 0, report.getvalue()


def test_documented_names_are_here() -> None:
    absent = [name for name in documented() if resolve(name) is MISSING]
    assert not absent, f"{DOCUMENTED.name} says that these exist: {absent}"


def test_names_on_written_pages_are_here_with_an_example() -> None:
    names = list(on_written_pages())
    assert len(names) > 25
    problems = [lacks(n, getattr(importlib.import_module(n.rpartition(".")[0]), n.rpartition(".")[2])) for n in names]
    assert not [p for p in problems if p and not p.removesuffix(": no example").endswith(WITHOUT_EXAMPLE)]


def test_all_helpers_are_in_the_reference() -> None:
    """Modules of ``megengine.utils`` that programs import, as MegEngine has them; the others are parts of these."""
    parts = {"graph_def", "layer_flops", "stats_rows"}
    shown = {name.split(".")[2] for name in on_written_pages() if name.startswith("megengine.utils.")}
    modules = {info.name for info in pkgutil.iter_modules(megengine.utils.__path__)}
    assert parts < modules and shown == modules - parts


def test_what_is_here_is_listed_as_here() -> None:
    present = [name for name in documented(here=False) if resolve(name) is not MISSING]
    assert not present, f"these exist now: remove their mark in {DOCUMENTED.name}: {present}"


def lacks(name: str, value: Any) -> str | None:
    """What the docstring of a documented function or class lacks."""
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return None
    text = value.__dict__.get("__doc__") if inspect.isclass(value) else value.__doc__
    if not text:
        return f"{name}: no docstring"
    return None if ">>>" in text else f"{name}: no example"


# Their examples show a call that prints nothing, since what it does is seen outside of the program.
SILENT = {"megengine.device.coalesce_free_memory", "megengine.data.dataloader.DataLoader.check_memory_rationality"}


def test_examples_say_what_comes_out() -> None:
    """An example of a call alone, or of a comparison that holds for any result, would be right whatever the function did."""
    found = [example for example in examples() if example.examples and example.name not in SILENT]
    assert len(found) > 500
    silent = [example.name for example in found if not any(part.want for part in example.examples)]
    assert not silent
    empty = re.compile(r">= 0$|in \(True, False\)$|(\b\S+) (is|==) \1$")
    vacuous = [e.name for e in found if all(empty.search(part.source.strip()) for part in e.examples if part.want)]
    assert not vacuous


def test_documented_functions_and_classes_have_an_example() -> None:
    found = [problem for name in documented() if (problem := lacks(name, resolve(name)))]
    assert not found, "\n" + "\n".join(found)
