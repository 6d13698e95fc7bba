"""Records what MegEngine 1.13.0 itself answers: run it with the Python that has the reference installed.

`random_behaviour.json`: for each statement its result's shape and dtype, its value where that is settled, or the class
of its error. `random_streams.json`: numbers of the CPU streams, by seed and by call.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.random as R
from megengine import Tensor

HERE = Path(__file__).parent

BEHAVIOUR = """
R.normal()
R.uniform()
R.normal(0, 1, (3, 3))
R.uniform(0, 1, (2, 3))
R.normal(mean=1, std=2, size=(4,))
R.uniform(low=-1, high=1, size=(4,))
R.normal(size=[2, 3])
R.normal(size=Tensor([2, 3], dtype="int32"))
R.normal(size=Tensor(3, dtype="int32"))
R.normal(size=np.array([2, 3]))
R.normal(size=np.int64(5))
R.normal(size=[2, Tensor(3)])
R.normal(size=(2.0, 3))
R.normal(size=(0, 3))
R.uniform(size=(0,))
R.normal(size=5)
R.normal(size=(-1, 3))
R.normal(size="ab")
R.uniform(1, 0, (2,))
R.uniform(1, 1, (2,))
R.uniform(Tensor(0.0), Tensor(2.0), (2,))
R.uniform(Tensor([0.0, 1.0]), Tensor([2.0, 3.0]), (2,))
R.uniform("a", 1, (2,))
R.normal(Tensor(1.0), 2.0, (2,))
R.normal(np.float32(1.0), 2.0, (2,))
R.normal(None, 2.0, (2,))
R.normal(3.0, 0, (2,)).numpy().tolist()
R.normal(0.0, -1, (2,))
R.permutation(5)
R.permutation(0)
R.permutation(1).numpy().tolist()
R.permutation(True).numpy().tolist()
R.permutation(-1)
R.permutation(5.0)
R.permutation(np.int64(5))
R.permutation([1, 2, 3])
R.permutation(np.arange(3))
R.permutation("a")
R.permutation(None)
R.permutation(5, dtype="int32")
R.permutation(5, dtype="int16")
R.permutation(5, dtype="float32")
R.permutation(5, dtype=np.float32)
R.permutation(5, dtype="float16")
R.permutation(5, dtype="int8")
R.permutation(5, dtype="uint8")
R.permutation(5, dtype="int64")
R.permutation(5, dtype="float64")
R.permutation(5, dtype="bool")
R.permutation(5, dtype="no_such")
R.permutation(5, "float32")
R.permutation(32765, dtype="int16")
R.permutation(32766, dtype="int16")
R.permutation(Tensor(np.arange(6).reshape(3, 2)))
R.permutation(Tensor(np.arange(6, dtype="float32")))
R.permutation(Tensor(np.arange(6, dtype="float16")))
R.permutation(Tensor(np.arange(6, dtype="int8")))
R.permutation(Tensor(np.arange(6, dtype="uint8")))
R.permutation(Tensor(np.arange(6, dtype="int16")))
R.permutation(Tensor(np.arange(24).reshape(4, 2, 3)))
R.permutation(Tensor(3))
R.permutation(Tensor(np.zeros((0, 2), "float32")))
sorted(R.permutation(Tensor(np.arange(6))).numpy().tolist())
sorted(R.permutation(Tensor(np.arange(6).reshape(3, 2))).numpy().tolist())
R.shuffle(Tensor(np.arange(6)))
R.shuffle(np.arange(6))
R.shuffle([1, 2])
R.shuffle(Tensor(np.zeros((0, 2), "float32")))
shuffled(np.arange(6))
sorted(shuffled(np.arange(6)).numpy().tolist())
R.seed(3)
R.seed(0)
R.seed(2**64 - 1)
R.seed(np.int64(3))
R.seed(np.uint32(3))
R.seed(True)
R.seed(None)
R.seed(1.5)
R.seed(-1)
R.seed(2**64)
R.seed("a")
R.seed(Tensor(3))
R.RNG(3).normal(size=(2,))
R.RNG(seed=3).uniform(size=(2,))
R.RNG().normal(size=(2,))
R.RNG(None).permutation(3)
R.RNG(0).normal(size=(2,))
R.RNG(np.int64(3)).normal(size=(2,))
R.RNG(2**64 - 1).normal(size=(2,))
R.RNG(1.5)
R.RNG(-1)
R.RNG(2**64)
R.RNG("a")
R.RNG(3, "no_such_device")
str(R.RNG(3, "cpu1").normal(size=(2,)).device)
str(R.RNG(device="cpu1").normal(size=(2,)).device)
same(first(1, "normal"), first(1, "normal"))
same(first(1, "normal"), first(2, "normal"))
same(first(1, "normal"), R.RNG(1).normal(size=(5,)))
same(first(1, "normal"), after(1, lambda: R.uniform(size=(7,)), "normal"))
same(first(1, "uniform"), after(1, lambda: R.normal(size=(7,)), "uniform"))
same(first(1, "normal"), after(1, lambda: R.normal(size=(7,)), "normal"))
same(first(1, "normal"), after(1, lambda: R.RNG(1).normal(size=(7,)), "normal"))
same(first(1, "normal"), after(1, lambda: R.RNG().normal(size=(7,)), "normal"))
same(first(1, "normal"), after(1, lambda: F.dropout(Tensor(np.ones(9, "float32")), 0.5), "normal"))
same(first(1, "uniform"), after(1, lambda: F.dropout(Tensor(np.ones(9, "float32")), 0.5), "uniform"))
same(first(1, "uniform"), after(1, lambda: R.permutation(9), "uniform"))
same(first(1, "normal"), after(1, lambda: R.normal(size=(0,)), "normal"))
same(first(1, "normal"), after(1, lambda: np.random.rand(3), "normal"))
own_stream_survives_seed()
unseeded_follows_seed()
same(seeded(1, lambda: R.permutation(9)), seeded(1, lambda: shuffled(np.arange(9))))
same(seeded(1, lambda: R.permutation(9)), seeded(1, lambda: R.permutation(Tensor(np.arange(9)))))
same(seeded(1, lambda: R.permutation(9)), after_shuffle_permutation())
same(seeded(1, lambda: R.uniform(2, 5, (6,))), 2 + 3 * seeded(1, lambda: R.uniform(0, 1, (6,))))
dropout_keeps_where_uniform_is_at_least(0.3)
F.dropout(Tensor(np.ones((2, 3), "float32")), 0.3)
F.dropout(Tensor(np.ones((2, 3), "float16")), 0.3)
F.dropout(Tensor(np.ones((2, 3), "int32")), 0.3)
F.dropout(Tensor(np.ones((2, 3), "float32")), 1.0)
F.dropout(Tensor(np.ones((2, 3), "float32")), -0.1)
same_object(lambda x: F.dropout(x, 0.0))
same_object(lambda x: F.dropout(x, 0.5, training=False))
"""


def numbers(x: object) -> np.ndarray:
    return np.asarray(x.numpy() if isinstance(x, Tensor) else x)


def same(a: object, b: object) -> bool:
    return bool(np.array_equal(numbers(a), numbers(b)))


def same_object(function) -> bool:
    x = Tensor(np.ones(3, "float32"))
    return function(x) is x


def seeded(seed: int, draw):
    R.seed(seed)
    return draw()


def first(seed: int, kind: str):
    return seeded(seed, lambda: getattr(R, kind)(size=(5,)))


def after(seed: int, before, kind: str):
    R.seed(seed)
    before()
    return getattr(R, kind)(size=(5,))


def shuffled(array: np.ndarray) -> Tensor:
    x = Tensor(array)
    R.shuffle(x)
    return x


def after_shuffle_permutation() -> Tensor:
    R.seed(1)
    shuffled(np.arange(9))
    return R.permutation(9)


def own_stream_survives_seed() -> bool:
    rng = R.RNG(1)
    begin = rng.normal(size=(2,))
    R.seed(5)
    return same(np.concatenate([numbers(begin), numbers(rng.normal(size=(2,)))]), R.RNG(1).normal(size=(4,)))


def unseeded_follows_seed() -> bool:
    rng = R.RNG()
    rng.normal(size=(2,))
    R.seed(5)
    return same(rng.normal(size=(4,)), first(5, "normal")[:4])


def dropout_keeps_where_uniform_is_at_least(p: float) -> bool:
    kept = seeded(1, lambda: F.dropout(Tensor(np.ones(1000, "float32")), p)).numpy()
    u = seeded(1, lambda: R.uniform(size=(1000,))).numpy()
    scale = np.float32(1) / (np.float32(1) - np.float32(p))
    return same(kept, np.where(u < np.float32(p), np.float32(0), scale))


def outcome(statement: str) -> dict:
    try:
        result = eval(statement)
        if isinstance(result, Tensor):
            return {"shape": list(numbers(result).shape), "dtype": np.dtype(result.dtype).name}
    except Exception as error:
        built_in = next(c for c in type(error).__mro__ if c.__module__ == "builtins")
        return {"raises": built_in.__name__}
    return {"value": result}


def streams() -> list[dict]:
    cases = []
    for seed in (0, 1, 20200325, 2**32 + 7, 2**64 - 1):
        rng = R.RNG(seed, "cpu0")
        calls = []
        for n in (9, 1, 2, 33):
            calls.append(("uniform", [n], rng.uniform(size=(n,))))
            calls.append(("normal", [n, 0.0, 1.0], rng.normal(size=(n,))))
            calls.append(("normal", [n, 0.3, 2.7], rng.normal(0.3, 2.7, size=(n,))))
            calls.append(("permutation", [n], rng.permutation(n)))
            calls.append(("shuffle_indices", [n], rng.permutation(Tensor(np.arange(n), device="cpu0"))))
        cases += [{"seed": seed, "kind": k, "args": a, "result": numbers(r).tolist()} for k, a, r in calls]
    return cases


def write(name: str, rows: list[dict]) -> None:
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    (HERE / name).write_text(text)


if __name__ == "__main__":
    if mge.__version__ != "1.13.0":
        sys.exit(f"needs MegEngine 1.13.0, not {mge.__version__}")
    R.seed(0)
    write("random_behaviour.json", [{"statement": s, **outcome(s)} for s in BEHAVIOUR.strip().splitlines()])
    write("random_streams.json", streams())
