"""Settings that a process starts with, seen from a fresh one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import megengine

PACKAGE = Path(megengine.__file__).parent.parent


def _run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(PACKAGE), **environment}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=env, capture_output=True, text=True, timeout=120
    )


_PROGRAM = "import megengine as m; x = m.Tensor([1.0, 2.0]); print(((x + 1) * 2).tolist(), m.graph.counters.flushes)"


def test_eager_by_environment() -> None:
    done = _run(_PROGRAM, MEGENGINE_EAGER="1")
    assert done.returncode == 0, done.stderr
    assert "[4.0, 6.0]" in done.stdout and "'eager': 2" in done.stdout


def test_a_wrong_setting_is_named() -> None:
    done = _run(_PROGRAM, MEGENGINE_EAGER="perhaps")
    assert done.returncode != 0 and "MEGENGINE_EAGER='perhaps'" in done.stderr
    done = _run(_PROGRAM, MEGENGINE_RECOMPILE="shout")
    assert done.returncode != 0 and "MEGENGINE_RECOMPILE='shout'" in done.stderr


def test_programs_are_kept_on_disk_privately(tmp_path: Path) -> None:
    for _ in range(2):
        assert _run(_PROGRAM, MEGENGINE_CACHE_DIR=str(tmp_path), MEGENGINE_TIER="compiled").returncode == 0
    folders = list((tmp_path / "xla").iterdir())
    assert len(folders) == 1 and folders[0].stat().st_mode & 0o777 == 0o700
    assert any(folders[0].iterdir())


def test_the_cache_can_be_off_and_a_home_unwritable(tmp_path: Path) -> None:
    assert _run(_PROGRAM, MEGENGINE_CACHE="0", MEGENGINE_CACHE_DIR=str(tmp_path)).returncode == 0
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    assert _run(_PROGRAM, MEGENGINE_CACHE_DIR=str(tmp_path / "file" / "below")).returncode == 0


def test_the_oldest_programs_on_disk_are_deleted(tmp_path: Path) -> None:
    code = (
        "import megengine, os, time; from megengine.graph import runtime; d = runtime.cache_directory()\n"
        "for k in range(4): (d / f'p{k}').write_bytes(bytes(100)); os.utime(d / f'p{k}', (k, k))\n"
        "runtime.prune(250); print(sorted(p.name for p in d.iterdir()))"
    )
    done = _run(code, MEGENGINE_CACHE_DIR=str(tmp_path))
    assert done.stdout.strip() == "['p2', 'p3']", done.stderr


def test_nothing_is_compiled_or_started_at_import() -> None:
    code = "import megengine, jax._src.xla_bridge as b; print(megengine.graph.counters.executables, len(b._backends))"
    assert _run(code).stdout.split() == ["0", "0"]


def test_without_a_cache_what_was_compiled_goes_with_the_process(tmp_path: Path) -> None:
    code = """
import tempfile, os, megengine as mge, numpy as np
from megengine.graph import background, counters, program
x = mge.Tensor(np.ones((3, 4), np.float32))
for k in range(2):
    assert (mge.functional.exp(x) * 2).sum().item() > 65
    for each in program.loaded():
        background.submit(each)
    background.wait()
print(counters.take_overs, counters.interpreted, len(os.listdir(tempfile.gettempdir())))
"""
    done = _run(code, MEGENGINE_CACHE="0", TMPDIR=str(tmp_path))
    assert done.stdout.split() == ["1", "1", "1"], done.stderr
    assert not list(tmp_path.iterdir())


def test_a_program_ends_while_a_thread_of_its_computes() -> None:
    code = """
import threading, numpy as np, megengine as mge
ready = threading.Event()
def loop():
    for k in range(10**9):
        (mge.Tensor(np.ones((99, 99), np.float32)) @ mge.Tensor(np.ones((99, 99), np.float32)) + 1).numpy()
        if k == 9:
            ready.set()
threading.Thread(target=loop, daemon=True).start()
ready.wait()
"""
    done = _run(code, MEGENGINE_TIER="compiled")
    assert done.returncode == 0 and not done.stderr
