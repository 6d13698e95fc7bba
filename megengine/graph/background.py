"""Compiling in the background, in a process of its own, so that it costs the program neither its pace nor, if XLA fails, its
life.

The step goes there as bytes of ``jax.export``, and what was compiled comes back by way of JAX's cache on disk, or of a temporary
directory where there is none. What cannot be exported is compiled by a thread here, and so is what a GPU or TPU runs, which one
process has to itself.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
from jax import export

from ..ops.onednn import custom_call
from ..ops.timed import measuring
from . import compiler, runtime, warm
from . import sound as soundness
from .blas import single_thread
from .counters import counters, counting
from .memory import bytes_needed
from .sound import PRODUCTS_ALONE, first_options, sound
from .tiers import expected_seconds, learn

if TYPE_CHECKING:
    from .program import Program

LEAST_PATIENCE, PATIENCE = 60.0, 20.0
SHORT_TURN = 2e-4  # seconds
_changed = threading.Condition()
_waiting: list[Program] = []
_working = False
_thread: threading.Thread | None = None
_child: subprocess.Popen[bytes] | None = None
_ending = False


def submit(program: Program) -> None:
    """Have a program compiled; when that is done, ``program.ready`` is what runs it."""
    global _thread
    with _changed:
        if _ending or program.submitted:
            return
        program.submitted = True
        _waiting.append(program)
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_work, name="megengine compiles", daemon=True)
            _thread.start()
        _changed.notify_all()


def wait(timeout: float | None = None) -> bool:
    """Wait until nothing is left to be compiled; says whether that is so."""
    with _changed:
        return _changed.wait_for(lambda: not _waiting and not _working, timeout)


def compiling() -> bool:
    """Whether something is being compiled in the background now.

    Example:
        >>> megengine.graph.compiling()
        False
    """
    return _working


def _work() -> None:
    global _working
    while True:
        with _changed:
            _changed.wait_for(lambda: _waiting or _ending)
            if _ending:
                return
            # What has taken longest so far gains most.
            program = max(_waiting, key=lambda p: p.first_tier_seconds)
            _waiting.remove(program)
            _working = True
        try:
            _compile(program)
        except SystemExit:  # of shut_down
            return
        finally:
            with _changed:
                _working = False
                _changed.notify_all()


def _compile(program: Program) -> None:
    start = time.perf_counter()
    runtime.prune_once()
    try:
        with single_thread("compiling"):
            # The child knows nothing of other processes.
            program.ready = (None if program.ranks else _elsewhere(program)) or _here(program)
    except Exception as error:
        program.failure = error  # it stays in the interpreter, and is not tried again
    seconds = time.perf_counter() - start
    learn(program, seconds)
    with counting:
        counters.background_seconds += seconds


def _here(program: Program) -> Callable[..., Any]:
    structs = program.staged_args()
    with measuring(program.key.measured), custom_call.noticing() as noticed:
        jitted = program.stage(first_options(program.names()))
        if not sound(jitted, structs):
            jitted = program.stage(PRODUCTS_ALONE)
        program.needs = bytes_needed(jitted.lower(*structs).compile())
    program.calls_library = noticed.called
    return jitted


def _elsewhere(program: Program) -> Callable[..., Any] | None:
    """Have a program compiled from its exported bytes, and keep those for later processes; None where that cannot be done."""
    donated = program.donated_arguments()
    first = first_options(program.names())
    try:
        allowed = [export.DisabledSafetyCheck.custom_call(custom_call.TARGET)]
        platforms = (export.default_export_platform(),)
        exporting = export.export(program.stage(None), platforms=platforms, disabled_checks=allowed)
        with measuring(program.key.measured), custom_call.noticing() as noticed, _short_turns():
            exported = bytes(exporting(*program.staged_args()).serialize())
    except Exception:  # calls back into Python, or uses what JAX promises no stable form for
        return None
    if program.first_tier == "ops":
        _, answer = compiler.compiled(soundness, exported, donated, first, program.place)
    else:
        child = _start()
        if child is None:
            return None
        answer = _in_child(child, program, (exported, donated, first))
    jitted, structs = compiler.restage(exported, donated, answer, program.place)
    program.needs = bytes_needed(jitted.lower(*structs).compile())
    program.calls_library = noticed.called
    warm.keep(program, exported, answer)
    return jitted


@contextlib.contextmanager
def _short_turns() -> Iterator[None]:
    """Have Python's threads take shorter turns while this one traces for seconds.

    The program's thread lets go of the interpreter in each call of NumPy, and waits a turn to have it back.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, SHORT_TURN))
    own = sys.getswitchinterval()
    try:
        yield
    finally:
        if sys.getswitchinterval() == own:  # nobody else has set it
            sys.setswitchinterval(before)


def _in_child(child: subprocess.Popen[bytes], program: Program, request: Any) -> Any:
    """What the child answers."""
    try:
        compiler.send(child.stdin, request)  # type: ignore[arg-type]
        patience = threading.Timer(_patience(program), child.kill)
        patience.start()
        try:
            fine, answer = compiler.receive(child.stdout)  # type: ignore[arg-type]
        finally:
            patience.cancel()
    except (OSError, EOFError):
        _stop()
        raise RuntimeError("the process that compiled this program ended, or took too long") from None
    if not fine:
        raise RuntimeError(answer)
    return answer


def _patience(program: Program) -> float:
    """Seconds after which a compilation is given up: some programs take XLA hours, such as long chains kept whole."""
    return LEAST_PATIENCE + PATIENCE * expected_seconds(program)


def _start() -> subprocess.Popen[bytes] | None:
    global _child
    if _child is None or _child.poll() is not None:
        _stop()
        values = jax.config.values
        settings = {
            "JAX_COMPILATION_CACHE_DIR": values["jax_compilation_cache_dir"],
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            "JAX_PLATFORMS": "cpu",
        }
        command = [sys.executable, "-c", _LAUNCH, str(Path(compiler.__file__)), *sys.path]
        try:
            _child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **settings},
                start_new_session=True,  # Ctrl-C is for the program
            )
        except OSError:
            return None
    return _child


# The directory of the script stays off the path: its files are named as some of Python's own.
_LAUNCH = "import runpy, sys; path = sys.argv[1]; sys.path[:] = sys.argv[2:]; runpy.run_path(path, run_name='__main__')"


def _stop() -> None:
    global _child
    child, _child = _child, None
    if child is not None:
        with contextlib.suppress(OSError):
            child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def shut_down() -> None:
    """End what compiles in the background; what has not been compiled then is not."""
    global _changed, _ending, _thread, _working
    with _changed:
        _ending = True
        for program in _waiting:
            program.submitted = False
        _waiting.clear()
        _changed.notify_all()
    _stop()
    shutil.rmtree(runtime.handed_over, ignore_errors=True)
    with _silent_end(_thread):
        _end_thread()
    _changed = threading.Condition()  # the thread may have held the old one
    _thread, _ending, _working = None, False, False


def _end_thread() -> None:
    idle = not _working  # then it ends by itself
    while _thread is not None and _thread.is_alive():  # XLA and its Python must not be at work when the process ends
        # So that it need not trace to the end what nobody waits for. A thread that ends by SystemExit, wherever, prints nothing.
        if not idle:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(_thread.ident or 0), ctypes.py_object(SystemExit))
        _thread.join(0.2)
        idle = False


@contextlib.contextmanager
def _silent_end(thread: threading.Thread | None) -> Iterator[None]:
    """Where a thread's end comes to it in a callback or destructor, CPython drops it and would print it; it comes again."""
    before = sys.unraisablehook

    def hook(found: Any) -> None:
        if found.exc_type is not SystemExit or threading.current_thread() is not thread:
            before(found)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def _forget_in_child() -> None:
    global _changed, _working, _thread, _child
    _changed = threading.Condition()
    _waiting.clear()
    _working, _thread, _child = False, None, None


atexit.register(shut_down)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
