"""Futures, deprecations, tuples of settings, the cache on disk, and the check of inputs."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from megengine import Tensor
from megengine.functional import elemwise, nn
from megengine.graph import program, runtime
from megengine.utils import deprecation, persistent_cache, tuple_function
from megengine.utils.future import Future
from megengine.utils.tensor_sanity_check import TensorSanityCheck
from tests.processes import PATIENCE


def test_a_future_waits_for_its_value_and_for_who_takes_it() -> None:
    future, steps = Future(), []

    def give() -> None:
        future.set("value")
        steps.append("taken")

    thread = threading.Thread(target=give, daemon=True)
    thread.start()
    assert future.ready.wait(PATIENCE) and steps == []
    assert future.get() == "value"
    thread.join(PATIENCE)
    assert steps == ["taken"] and future.get() == "value"


def test_deprecations_name_the_callers_line() -> None:
    @deprecation.deprecated(reason="use new", version="1.2")
    def old() -> int:
        return 1

    with pytest.warns(DeprecationWarning, match=r"old is deprecated since version 1\.2: use new") as seen:
        assert old() == 1
    assert seen[0].filename == __file__
    moved = deprecation.deprecated_func("1.3", "math", "sqrt", False)
    with pytest.warns(DeprecationWarning, match=r"sqrt is deprecated since version 1\.3: use math\.sqrt"):
        assert moved(4.0) == 2
    with pytest.raises(AttributeError):
        deprecation.deprecated_func("1.3", "math", "nosuch", False)


def test_a_default_that_will_change() -> None:
    @deprecation.deprecated_kwargs_default("2.0", "b", 2)
    def function(a: int, b: int = 3) -> int:
        return a + b

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert function(1, 1) == function(1, b=1) == 2
    with pytest.warns(PendingDeprecationWarning, match=r"the default of b changes in version 2\.0"):
        assert function(1) == 4


def test_tuples_of_settings() -> None:
    assert tuple_function._pair(0) == (0, 0) and tuple_function._quadruple(np.arange(4)) == (0, 1, 2, 3)
    assert tuple_function._single(2) == (2,) and tuple_function._triple([1, 2, 3]) == (1, 2, 3)
    with pytest.raises(AssertionError, match="has 3 numbers instead of 2"):
        tuple_function._pair((1, 2, 3))
    for nonzero in (tuple_function._pair_nonzero, tuple_function._triple_nonzero):
        with pytest.raises(AssertionError, match="below 1"):
            nonzero(0)


def test_the_cache_on_disk_is_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEGENGINE_CACHE_DIR", str(tmp_path))
    cache = persistent_cache.PersistentCacheOnServer()
    folder = Path(cache.get_cache_dir())
    assert folder == runtime.cache_directory() and tmp_path in folder.parents
    assert cache.clean() == 0
    folder.mkdir(parents=True)
    for name in "abc":
        (folder / name).write_text("program")
    cache.flush()
    persistent_cache.main(["clean"])
    assert capsys.readouterr().out == "3 cache entries deleted\n"
    assert [*folder.iterdir()] == []


def test_old_spellings_of_activations() -> None:
    for name in ("relu", "relu6", "sigmoid", "hsigmoid", "hswish"):
        assert getattr(elemwise, name) is getattr(nn, name) and name not in elemwise.__all__


def test_inputs_that_a_program_changes_are_found() -> None:
    x = Tensor([1.0, 2.0, 3.0])
    with TensorSanityCheck():
        np.testing.assert_array_equal((x * 5).numpy(), [5, 10, 15])
        x += 1  # overwrites its input, which nothing else refers to
        assert x.tolist() == [2, 3, 4]

    def spoil(_: program.Program, run: Any) -> Any:
        def spoiling(*args: Any) -> Any:
            outs = run(*args)
            given = args[-1]
            if isinstance(given, np.ndarray):
                given[0] = 9
            return outs

        return spoiling

    fresh = Tensor([7.0, 8.0])
    program.observe(spoil)
    try:
        with pytest.raises(RuntimeError, match=r"input 0 \(float32\[2\]\) .*test_small_helpers\.py:\d+.* its ops: mul"):
            with TensorSanityCheck():
                (fresh * 5).numpy()
    finally:
        program.unobserve(spoil)
    assert not program._observers
