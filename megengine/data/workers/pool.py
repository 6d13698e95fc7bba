"""The worker processes of this process: started when first wanted, kept from pass to pass, gone soon after the last loader.

Workers are new interpreters, not forks: a fork of a process with JAX in it would inherit locks that its threads hold. They
serve one pass after another, so that they start, and import what the program's data set needs, once.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .channel import Channel
from .shared_memory import Shelf
from .worker import END, IDLE

__all__ = ["Crew", "Worker", "WorkerPool", "environment", "pool"]

_PACKAGE = Path(__file__).resolve().parents[2]
_START = Path(__file__).resolve().parent / "start.py"
_WAIT_FOR_OLD = 0.2  # seconds; starting a worker takes about as long
_GRACE = 5.0  # seconds that a worker may go on with a batch nobody wants
DEATH = 10.0  # seconds that a process may take to end once it was killed or has closed its connection
_LINGER = 3.0  # seconds that workers are kept when no loader needs them, since programs make a loader for each pass
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def environment() -> dict[str, str]:
    """A worker's: one thread each; and should a data set import JAX for itself, it shall not take the program's device."""
    return {**_ONE_THREAD, **os.environ, "JAX_PLATFORMS": "cpu"}


class Worker:
    """A worker process.

    Attributes:
        process: the process.
        channel: the connection to it.
        ended: when it was told to end its pass, by the monotonic clock.
        crew: the pass that it serves, or served last.
        ends: how often it was told so.
    """

    def __init__(self) -> None:
        self.ended = 0.0
        self.ends = 0
        self.crew: weakref.ref[Crew] | None = None
        self.channel, theirs = Channel.pair()
        pipe, self._alive = os.pipe()
        passed = (theirs.fileno(), pipe)
        command = [sys.executable, *subprocess._args_from_interpreter_flags(), "-P", str(_START)]  # type: ignore[attr-defined]
        try:
            self.process = subprocess.Popen(
                [*command, *map(str, passed), str(_PACKAGE)],
                stdin=subprocess.DEVNULL,
                pass_fds=passed,
                env=environment(),
                start_new_session=True,  # Ctrl-C is for the loader's process alone
            )
        except BaseException:
            self.channel.close()
            os.close(self._alive)
            raise
        finally:
            theirs.close()
            os.close(pipe)

    def is_idle(self) -> bool:
        """Whether it has ended its pass; what it still sends of it is dropped.

        Raises:
            EOFError: it is gone.
        """
        while self.channel.waiting():
            (kind, *content), descriptors = self.channel.receive()
            for descriptor in descriptors:
                os.close(descriptor)
            if kind == IDLE and content == [self.ends]:  # not of a pass before
                return True
        return False

    def is_left(self) -> bool:
        """Whether the pass that it serves is no more."""
        crew = None if self.crew is None else self.crew()
        return crew is None or crew.left > 0

    def kill(self) -> None:
        """Ends the process at once."""
        self.process.kill()
        self.forget()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(DEATH)

    def forget(self) -> None:
        """Lets go of it: closes what connects this process to it."""
        self.channel.close()
        alive, self._alive = self._alive, -1  # a descriptor closed twice may be somebody else's by then
        if alive >= 0:
            os.close(alive)


class Crew:
    """The workers of one pass, given back when it ends, however it ends.

    Attributes:
        members: these workers.
        left: when they were given back, by the monotonic clock; 0 before.
        shelves: where their memory waits to be used again.
    """

    def __init__(self, count: int) -> None:
        self.members: list[Worker] = []
        self.left = 0.0
        self.shelves: list[Shelf] = []
        self._owner = os.getpid()
        pool.take(count, self)

    def is_here(self) -> bool:
        """Whether this process is the one that took the workers, and not a fork of it."""
        return os.getpid() == self._owner

    def leave(self) -> None:
        """Gives the workers back."""
        self._part(pool.give_back)

    def kill(self) -> None:
        """Ends them, whatever they do."""
        self._part(pool.kill)

    def _part(self, how: Callable[[Worker], None]) -> None:
        # An interrupt may come between any two steps; the pool ends what is a member still some seconds after `left`.
        self.left = self.left or time.monotonic()
        try:
            for shelf in self.shelves:
                shelf.close()
            while self.members:
                worker = self.members.pop()  # first: another thread may collect what is left of this pass at the same time
                if self.is_here() and worker.crew is not None and worker.crew() is self:
                    how(worker)
        finally:
            if self.is_here():
                pool.tidy()


class WorkerPool:
    """The workers of this process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._all: set[Worker] = set()
        self._idle: list[Worker] = []
        self._ending: deque[Worker] = deque()
        self._doomed: deque[Worker] = deque()
        self._loaders: weakref.WeakSet[Any] = weakref.WeakSet()
        self._timer: threading.Timer | None = None

    def keep_for(self, loader: Any) -> None:
        """Keeps workers as long as this loader lives, as many as it uses."""
        if loader not in self._loaders:
            self._loaders.add(loader)
            weakref.finalize(loader, self.tidy)

    def take(self, count: int, crew: Crew) -> None:
        """Gives a pass its workers: those that wait for one, then new ones."""
        with self._lock:
            deadline = time.monotonic() + _WAIT_FOR_OLD
            self._collect()
            while len(self._idle) < count and self._ending and time.monotonic() < deadline:
                time.sleep(0.0005)
                self._collect()
            while len(crew.members) < count:
                if not self._idle:
                    worker = Worker()
                    self._all.add(worker)
                    self._idle.append(worker)
                self._idle[-1].crew = weakref.ref(crew)
                crew.members.append(self._idle[-1])
                self._idle.pop()

    # The next three are called by finalizers, that is, in the middle of anything, and so take no lock.

    def give_back(self, worker: Worker) -> None:
        """Has a worker end its pass."""
        worker.ended = time.monotonic()
        worker.ends += 1
        try:
            worker.channel.send((END, worker.ends))
        except OSError:
            self._doomed.append(worker)
        else:
            self._ending.append(worker)

    def kill(self, worker: Worker) -> None:
        """Ends a worker that cannot be used again."""
        worker.kill()
        self._doomed.append(worker)

    def tidy(self) -> None:
        """Sees to it that workers which no living loader needs end, and those that do not end their pass."""
        timer = self._timer
        if (timer is None or not timer.is_alive()) and (self._ending or self._lost() or len(self._idle) > self._most()):
            # Known before it starts: one that is assigned when it has already ended would be waited for without end.
            self._timer = timer = threading.Timer(_LINGER, self._tidy_now)
            timer.daemon = True
            with contextlib.suppress(RuntimeError):  # this process is ending, and its workers with it
                timer.start()

    def _most(self) -> int:
        """How many workers living loaders need."""
        return max((loader.num_workers for loader in list(self._loaders)), default=0)

    def _tidy_now(self) -> None:
        try:
            with self._lock:
                self._collect()
                while len(self._idle) > self._most():
                    self._end(self._idle.pop())
        finally:
            self._timer = None
            self.tidy()

    def _lost(self) -> list[Worker]:
        """Workers of passes that are no more and did not give them back, since an interrupt came in between."""
        known = {*self._idle, *self._ending, *self._doomed}
        return [worker for worker in list(self._all) if worker not in known and worker.is_left()]

    def _collect(self) -> None:
        """Sees which workers have ended their pass."""
        now = time.monotonic()
        for _ in range(len(self._ending)):
            worker = self._ending.popleft()
            if worker in self._idle:
                continue
            try:
                if worker.is_idle():
                    self._idle.append(worker)
                elif now - worker.ended > _GRACE:
                    self._end(worker)
                else:
                    self._ending.append(worker)
            except (EOFError, OSError):
                self._end(worker)
        for worker in [w for w in self._idle if w.process.poll() is not None]:
            self._idle.remove(worker)
            self._end(worker)
        for worker in self._lost():
            if worker.crew is None or (crew := worker.crew()) is None or now - crew.left > _GRACE:
                self._doomed.append(worker)
        while self._doomed:
            self._end(self._doomed.popleft())

    def _end(self, worker: Worker) -> None:
        worker.kill()
        self._all.discard(worker)

    def shut_down(self) -> None:
        """Ends all workers."""
        if self._timer is not None:
            self._timer.cancel()
        for worker in list(self._all):
            worker.process.kill()
        for worker in list(self._all):
            self._end(worker)
        self._idle.clear()
        self._ending.clear()
        self._doomed.clear()

    def before_fork(self) -> None:
        """A fork waits for a worker that is being started, which it could not know of otherwise."""
        self._lock.acquire()

    def after_fork(self) -> None:
        """In this process again."""
        self._lock.release()

    def forget_after_fork(self) -> None:
        """In a fork of this process: the workers belong to the other one, and must not outlive it because of this one."""
        for worker in self._all:
            worker.forget()
            worker.process.returncode = 0
        self.__init__()  # type: ignore[misc]


pool = WorkerPool()
atexit.register(pool.shut_down)
os.register_at_fork(before=pool.before_fork, after_in_parent=pool.after_fork, after_in_child=pool.forget_after_fork)
