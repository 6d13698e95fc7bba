"""Says in what an answer differs from the reference's record of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .runner import encode, upstream
from .spec import Case, Refused, Wrong

# Relative and absolute tolerance by dtype; everything else is exact.
TOLERANCE = {"float16": (4e-3, 2e-3), "float32": (1e-5, 2e-6), "float64": (1e-6, 1e-7)}


def compare(case: Case, expr: str | Wrong | Refused, recorded: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Return the differences of one expression, none if our answer stands."""
    if isinstance(expr, Wrong):
        return _against_right(case, expr, ours)
    if _useless(recorded):
        return ["the reference %s: the case needs a mark" % _useless(recorded)]
    if "error" in recorded:
        if "error" in ours:
            return _errors(recorded["error"], ours["error"])
        if isinstance(expr, Refused):
            right = evaluate_right(case, expr.expr, expr.right)
            return list(_values(case, right, ours["value"], "value", loose=True))
        return ["should raise %s, gave %s" % (recorded["error"]["class"], brief(ours["value"]))]
    if "error" in ours:
        return ["raised %s instead of giving %s" % (ours["error"]["class"], brief(recorded["value"]))]
    differences = list(_values(case, recorded["value"], ours["value"], "value"))
    if "grad_error" in recorded or "grads" not in recorded:
        return differences
    if "grad_error" in ours:
        return [*differences, "backward raised " + ours["grad_error"]["class"]]
    for name, grad in recorded["grads"].items():
        differences += _gradient(case, name, grad, ours["grads"][name])
    return differences


def _useless(recorded: dict[str, Any]) -> str:
    """Why a record is no answer: the call hung, ended the process, or failed after answering."""
    kind = recorded.get("error", {}).get("class")
    if kind in ("hang", "crash"):
        return str(kind)
    return "failed later" if "late_error" in recorded and "error" not in recorded else ""


def _errors(recorded: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    wanted = recorded["builtins"][0]
    if wanted in ours["builtins"]:
        return []
    return ["should raise %s, raised %s" % (wanted, ours["class"])]


def _against_right(case: Case, expr: Wrong, ours: dict[str, Any]) -> list[str]:
    if expr.raises:
        if "error" not in ours:
            return ["should raise %s, gave %s" % (" or ".join(expr.raises), brief(ours["value"]))]
        known = any(name in ours["error"]["builtins"] for name in expr.raises)
        return [] if known else ["should raise %s, raised %s" % (" or ".join(expr.raises), ours["error"]["class"])]
    if "error" in ours:
        return ["raised %s" % ours["error"]["class"]]
    differences: list[str] = []
    if expr.right is not None:
        right = evaluate_right(case, expr.expr, expr.right)
        differences += _values(case, right, ours["value"], "value", loose=True)
    for name, source in expr.grads.items():
        right = evaluate_right(case, expr.expr, source)
        differences += _values(case, right, ours["grads"][name], "gradient of " + name, loose=True)
    return differences


def evaluate_right(case: Case, source: str, right: str) -> Any:
    """Evaluate what is right, a NumPy expression over the inputs' arrays."""
    with np.errstate(all="ignore"):
        return encode(eval(right, {"np": np, "upstream": upstream, **case.build(case.inputs)}))


def _gradient(case: Case, name: str, recorded: Any, ours: Any) -> list[str]:
    where = "gradient of " + name
    if recorded is None or ours is None:
        return [] if recorded is ours else ["%s: should be %s, is %s" % (where, brief(recorded), brief(ours))]
    own = case.inputs[name].dtype
    if ours.get("dtype") == own:
        # The reference gives some gradients of float16 in float32.
        recorded = dict(recorded, dtype=own)
    return list(_values(case, recorded, ours, where))


def _values(case: Case, wanted: Any, got: Any, where: str, loose: bool = False) -> list[str]:
    """Differences between two encoded values; ``loose`` compares arrays of NumPy with Tensors and other dtype widths."""
    if isinstance(wanted, dict) and "values" in wanted:
        return _arrays(case, wanted, got, where, loose)
    if isinstance(wanted, dict) and "items" in wanted:
        if not isinstance(got, dict) or "items" not in got:
            return ["%s: should be %s, is %s" % (where, brief(wanted), brief(got))]
        if not loose and wanted["is"] != got["is"]:
            return ["%s: should be a %s, is a %s" % (where, wanted["is"], got["is"])]
        if len(wanted["items"]) != len(got["items"]):
            return ["%s: should have %d items, has %d" % (where, len(wanted["items"]), len(got["items"]))]
        if wanted.get("keys") != got.get("keys"):
            return ["%s: should have keys %s, has %s" % (where, wanted.get("keys"), got.get("keys"))]
        pairs = [(w, got["items"][i]) for i, w in enumerate(wanted["items"])]
        return [d for i, (w, g) in enumerate(pairs) for d in _values(case, w, g, "%s[%d]" % (where, i), loose)]
    if isinstance(wanted, float) and isinstance(got, float):
        close = math.isclose(wanted, got, rel_tol=case.rtol or 1e-5, abs_tol=case.atol or 2e-6)
        same = close or (math.isnan(wanted) and math.isnan(got))
        return [] if same else ["%s: should be %r, is %r" % (where, wanted, got)]
    if type(wanted) is type(got) and wanted == got:
        return []
    return ["%s: should be %s, is %s" % (where, brief(wanted), brief(got))]


def _arrays(case: Case, wanted: dict[str, Any], got: Any, where: str, loose: bool) -> list[str]:
    if not isinstance(got, dict) or "values" not in got:
        return ["%s: should be %s, is %s" % (where, brief(wanted), brief(got))]
    if not loose and wanted["is"] != got["is"]:
        return ["%s: should be a %s, is a %s" % (where, wanted["is"], got["is"])]
    if wanted["shape"] != got["shape"]:
        return ["%s: should have shape %s, has %s" % (where, wanted["shape"], got["shape"])]
    if wanted["dtype"] != got["dtype"] and not loose:
        return ["%s: should have dtype %s, has %s" % (where, wanted["dtype"], got["dtype"])]
    rtol, atol = TOLERANCE.get(got["dtype"], (0, 0))
    rtol, atol = case.rtol or rtol, case.atol or atol
    left, right = (np.array(a["values"], dtype=object if a["dtype"] == "object" else None) for a in (wanted, got))
    if left.dtype.kind in "fiub" and right.dtype.kind in "fiub":
        with np.errstate(invalid="ignore"):
            same = np.allclose(right.astype("f8"), left.astype("f8"), rtol=rtol, atol=atol, equal_nan=True)
    else:
        same = left.tolist() == right.tolist()
    return [] if same else ["%s: should be %s, is %s" % (where, brief(wanted), brief(got))]


def brief(value: Any) -> str:
    """An encoded value in one short line."""
    if isinstance(value, dict) and "values" in value:
        numbers = [round(v, 6) if isinstance(v, float) else v for v in value["values"]]
        return "%s %s%s %s" % (value["is"], value["dtype"], value["shape"], str(numbers)[:120])
    if isinstance(value, dict) and "items" in value:
        return "%s(%s)" % (value["is"], ", ".join(brief(v) for v in value["items"]))[:200]
    if isinstance(value, dict):
        return " ".join(str(v) for v in value.values())
    return repr(value)[:200]
