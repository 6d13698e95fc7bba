"""One table of all optimizers and their options, and the run that all go through: here, and in real MegEngine.

The recorder imports this with Python 3.10 and MegEngine 1.13.
"""

from __future__ import annotations

import math
from typing import Any

STEPS = 20
NOTED = (1, 2, 5, 10, 20)
SHAPES = {"a": (3,), "b": (2, 2), "c": ()}

# (name, class, options)
TABLE: list[tuple[str, str, dict[str, Any]]] = [
    ("sgd", "SGD", {"lr": 0.1}),
    ("sgd_momentum", "SGD", {"lr": 0.1, "momentum": 0.9}),
    ("sgd_nesterov", "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("sgd_decay", "SGD", {"lr": 0.1, "weight_decay": 0.3}),
    ("sgd_all", "SGD", {"lr": 0.05, "momentum": 0.5, "nesterov": True, "weight_decay": 0.3}),
    ("adam", "Adam", {"lr": 0.05}),
    ("adam_betas", "Adam", {"lr": 0.05, "betas": (0.5, 0.7)}),
    ("adam_eps", "Adam", {"lr": 0.05, "eps": 0.5}),
    ("adam_decay", "Adam", {"lr": 0.05, "weight_decay": 0.3}),
    ("adam_no_memory", "Adam", {"lr": 0.05, "betas": (0.0, 0.0)}),
    ("adamw", "AdamW", {"lr": 0.05}),
    ("adamw_no_decay", "AdamW", {"lr": 0.05, "weight_decay": 0.0}),
    ("adamw_all", "AdamW", {"lr": 0.05, "betas": (0.5, 0.7), "eps": 0.1, "weight_decay": 0.3}),
    ("adagrad", "Adagrad", {}),
    ("adagrad_decays", "Adagrad", {"lr": 0.3, "lr_decay": 0.1, "weight_decay": 0.3}),
    ("adagrad_eps", "Adagrad", {"lr": 0.3, "eps": 0.5}),
    ("adadelta", "Adadelta", {}),
    ("adadelta_rho", "Adadelta", {"lr": 0.5, "rho": 0.5, "eps": 1e-3}),
    ("adadelta_decay", "Adadelta", {"weight_decay": 0.3}),
    ("adadelta_no_memory", "Adadelta", {"rho": 0.0, "eps": 0.1}),
    ("lamb", "LAMB", {"lr": 0.05}),
    ("lamb_decay", "LAMB", {"lr": 0.05, "weight_decay": 0.3}),
    ("lamb_adapt", "LAMB", {"lr": 0.05, "always_adapt": True}),
    ("lamb_uncorrected", "LAMB", {"lr": 0.05, "bias_correction": False, "weight_decay": 0.1}),
    ("lamb_all", "LAMB", {"lr": 0.05, "betas": (0.5, 0.7), "eps": 0.1, "weight_decay": 0.3, "always_adapt": True}),
    ("lamb_fp16", "LAMBFp16", {"lr": 0.05}),
    ("lamb_fp16_decay", "LAMBFp16", {"lr": 0.05, "weight_decay": 0.3}),
]

# MegEngine 1.13 cannot make these: `paper.py` says what is right.
FROM_THE_PAPER = ("LAMB", "LAMBFp16")


def start(name: str) -> list[float]:
    """First values of a parameter, flat."""
    count = math.prod(SHAPES[name])
    return [round(math.cos(ord(name) + 2 * i), 3) for i in range(count)]


def gradient(name: str, step: int) -> list[float] | None:
    """The gradient of a parameter in a step, flat; ``c`` has none in every seventh."""
    if name == "c" and step % 7 == 6:
        return None
    count = math.prod(SHAPES[name])
    return [round(2 * math.sin(ord(name) + 3 * i + 1.7 * step), 3) for i in range(count)]


def run(megengine: Any, numpy: Any, kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """Twenty steps on three parameters in two groups, with the learning rate halved after ten: values, and the state left."""

    def array(flat: list[float], name: str) -> Any:
        return numpy.array(flat, "float32").reshape(SHAPES[name])

    params = {name: megengine.Parameter(array(start(name), name)) for name in SHAPES}
    groups = [{"params": [params["a"], params["c"]]}, {"params": params["b"], "lr": 2 * options.get("lr", 0.1)}]
    optimizer = getattr(megengine.optimizer, kind)(groups, **options)
    noted = {}
    for step in range(1, STEPS + 1):
        for name, param in params.items():
            flat = gradient(name, step)
            param.grad = None if flat is None else megengine.Tensor(array(flat, name))
        assert optimizer.step() is optimizer
        optimizer.clear_grad()
        if step == STEPS // 2:
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
        if step in NOTED:
            noted[str(step)] = {name: param.numpy().tolist() for name, param in params.items()}
    state = optimizer.state_dict()
    return {
        "values": noted,
        "groups": [{k: list(v) if isinstance(v, tuple) else v for k, v in g.items()} for g in state["param_groups"]],
        "state": {
            str(number): {k: [v.dtype.name, list(v.shape), v.tolist()] for k, v in states.items()}
            for number, states in state["state"].items()
        },
    }
