"""Our answers to the golden cases against those of MegEngine 1.13.0 (see golden/README.md)."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from golden import cases as cases_package  # noqa: E402
from golden.compare import compare  # noqa: E402
from golden.runner import run  # noqa: E402
from golden.spec import Case, text  # noqa: E402

from megengine import graph  # noqa: E402
from megengine.graph import tiers  # noqa: E402

FAMILIES = sorted(m.name for m in pkgutil.iter_modules(cases_package.__path__))


def family_cases() -> list[tuple[str, Case]]:
    """Every case with its family."""
    return [(f, c) for f in FAMILIES for c in importlib.import_module("golden.cases." + f).CASES]


@pytest.fixture(scope="module")
def records() -> dict[tuple[str, str], dict[str, dict]]:
    """The reference's records by family and case, then by source."""
    found: dict[tuple[str, str], dict[str, dict]] = {}
    for family in FAMILIES:
        for line in (HERE / "golden" / "data" / (family + ".jsonl")).read_text().splitlines():
            record = json.loads(line)
            found.setdefault((family, record["case"]), {})[record["source"]] = record
    return found


def _params(every: int) -> list:
    return [pytest.param(f, c, id=f"{f}-{c.name}") for f, c in family_cases()[::every]]


@pytest.mark.parametrize(("family", "case"), _params(1))
def test_answers_as_the_reference(family: str, case: Case, records: dict) -> None:
    with graph.tier("host"):
        _check(family, case, records)


# Of what is compiled a part has to do: a compilation takes a hundred times as long.
@pytest.mark.parametrize(("family", "case"), _params(24))
def test_compiled_programs_answer_as_the_reference(family: str, case: Case, records: dict, as_users: None) -> None:
    with graph.tier("compiled"):
        _check(family, case, records)


@pytest.mark.parametrize(("family", "case"), _params(48))
def test_ops_by_themselves_answer_as_the_reference(
    family: str, case: Case, records: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph.options, "first_tier", "ops")
    monkeypatch.setattr(tiers, "_of_physical", {})
    graph.program.clear()
    before = graph.counters.interpreted
    with graph.tier("host"):
        _check(family, case, records)
    assert graph.counters.interpreted == before


def _check(family: str, case: Case, records: dict) -> None:
    recorded = records[family, case.name]
    assert list(recorded) == [text(e) for e in case.exprs], "the case has changed: record it again"
    alone = graph.counters.compiled_alone.copy()
    ours = run(case, together=not case.name.endswith("_errors"))
    assert graph.counters.compiled_alone == alone, "primitives without a rule on the host"
    wrong = []
    for expr in case.exprs:
        source = text(expr)
        wrong += [f"{source!s}\n        {d}" for d in compare(case, expr, recorded[source], ours[source])]
    if wrong:
        pytest.fail(f"{len(wrong)} of {len(case.exprs)} answers differ:\n    " + "\n    ".join(wrong), pytrace=False)
