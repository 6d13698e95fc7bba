"""LAMB in NumPy and float64, by You et al., 2019, with the answers in the form of ``table.run``."""

from __future__ import annotations

from typing import Any

import numpy as np

DEFAULTS = {"lr": 0.0, "weight_decay": 0.0, "betas": (0.9, 0.999), "eps": 1e-8}


def step(x: Any, g: Any, state: dict[str, Any], group: dict[str, Any], correct: bool, adapt: bool) -> Any:
    """One step of one parameter: its new value; ``state`` changes."""
    (beta1, beta2), decay = group["betas"], group["weight_decay"]
    state["step"] += 1
    state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * g
    state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * g**2
    m, v = state["exp_avg"], state["exp_avg_sq"]
    if correct:
        m, v = m / (1 - beta1 ** state["step"]), v / (1 - beta2 ** state["step"])
    update = m / (np.sqrt(v) + group["eps"]) + decay * x
    ratio = 1.0
    if adapt or decay > 0:
        lengths = np.linalg.norm(x), np.linalg.norm(update)
        ratio = lengths[0] / lengths[1] if min(lengths) > 0 else 1.0
    return x - group["lr"] * ratio * update


def run(table: Any, kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """The twenty steps of ``table.run``."""
    settings = dict(options)
    correct, adapt = settings.pop("bias_correction", True), settings.pop("always_adapt", False)
    groups = [DEFAULTS | settings, DEFAULTS | settings | {"lr": 2 * settings["lr"]}]
    owner, numbers = {"a": 0, "c": 0, "b": 1}, {"a": "0", "c": "1", "b": "2"}
    values = {name: np.reshape(np.float32(table.start(name)), table.SHAPES[name]).astype(float) for name in owner}
    states = {
        name: {"exp_avg": np.zeros_like(x), "exp_avg_sq": np.zeros_like(x), "step": np.zeros(())}
        for name, x in values.items()
    }
    noted = {}
    for count in range(1, table.STEPS + 1):
        for name, x in values.items():
            flat = table.gradient(name, count)
            if flat is not None:
                gradient = np.reshape(np.float32(flat), x.shape).astype(float)
                values[name] = step(x, gradient, states[name], groups[owner[name]], correct, adapt)
        if count == table.STEPS // 2:
            for group in groups:
                group["lr"] *= 0.5
        if count in table.NOTED:
            noted[str(count)] = {name: values[name].tolist() for name in table.SHAPES}
    if kind == "LAMBFp16":
        for name, state in states.items():
            state["param_fp32"] = values[name]
    listed = [{k: list(v) if isinstance(v, tuple) else v for k, v in group.items()} for group in groups]
    listed[0]["params"], listed[1]["params"] = [0, 1], [2]
    return {
        "values": noted,
        "groups": listed,
        "state": {
            numbers[name]: {k: ["float32", list(np.shape(v)), np.asarray(v).tolist()] for k, v in state.items()}
            for name, state in states.items()
        },
    }
