"""What a program did when, as a file for Chrome's ``about:tracing`` or https://ui.perfetto.dev."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from pathlib import Path
from typing import Any

from .._support.files import replacing
from ..graph.profile import Recorder
from ..logger import get_logger

__all__ = ["Profiler", "is_profiling", "merge_trace_events", "profile", "scope"]

_running: Profiler | None = None
_lock = threading.Lock()


class Profiler(ContextDecorator):
    """Times what runs inside its ``with`` block, or in the function that it decorates, and writes a file at the end.

    A slice is one program: what was recorded up to where a value was needed, compiled and run as one. It has the operators, the
    line of the user's program that needed the value, and whether it was compiled then. Below it, XLA's threads show the kernels.
    Under :func:`megengine.graph.eager` every operator is a program, and a slice, of its own. While it profiles, a program is
    waited for, so that slices are as long as the programs ran.

    Args:
        path: directory of the files ``<process>.chrome_timeline.json``; a later block of the same process replaces the file.
            Default: ``"profile"``
        format: ``"chrome_timeline.json"``.
        formats: the same in a list.
        with_backtrace: whether slices have the stack of the user's calls. Default: False
        with_scopes: whether to show when the forward of each module was recorded. Default: False
        kwargs: ``profile_device=0`` leaves XLA's kernels out; ``sample_rate``, ``num_tensor_watch`` and ``enable_cupti`` are
            accepted and change nothing.

    Raises:
        ValueError: another format or option.
        RuntimeError: a profiler is running already.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from megengine.utils.profiler import Profiler
        >>> with Profiler("profile") as profiler:
        ...     y = (Tensor([1.0, 2.0]) * 3).numpy()
        >>> events = json.loads(Path(profiler.path).read_text())["traceEvents"]
        >>> [e["args"]["ops"] for e in events if e.get("cat") == "program"]
        [{'mul': 1}]
    """

    CHROME_TIMELINE = "chrome_timeline.json"
    valid_options = {"sample_rate": 0, "profile_device": 1, "num_tensor_watch": 10, "enable_cupti": 0}
    valid_formats = {CHROME_TIMELINE}

    def __init__(
        self,
        path: str = "profile",
        format: str = CHROME_TIMELINE,
        formats: list[str] | None = None,
        with_backtrace: bool = False,
        with_scopes: bool = False,
        **kwargs: Any,
    ) -> None:
        self._formats = formats or [format]
        if isinstance(self._formats, str) or not self.valid_formats.issuperset(self._formats):
            raise ValueError(f"Profiler: the format is {self.CHROME_TIMELINE!r}, not {formats or format!r}")
        unknown = kwargs.keys() - self.valid_options
        if unknown:
            raise ValueError(
                f"Profiler: no option {', '.join(sorted(unknown))}; there are {', '.join(self.valid_options)}"
            )
        self._path = path
        self._options = {**self.valid_options, **kwargs}
        self._with_backtrace, self._with_scopes = with_backtrace, with_scopes
        self._recorder: Recorder | None = None
        self._events: list[dict[str, Any]] | None = None

    @property
    def path(self) -> str:
        """The file."""
        return os.path.join(self._path, f"{os.getpid()}.{self.CHROME_TIMELINE}")

    @property
    def directory(self) -> str:
        """Its directory."""
        return self._path

    @property
    def formats(self) -> list[str]:
        """The formats."""
        return list(self._formats)

    def start(self) -> Profiler:
        """Begin, after what is pending has run."""
        global _running
        with _lock:
            if _running is not None:
                raise RuntimeError("a profiler is running already; stop it first")
            _running = self
        recorder = Recorder(bool(self._options["profile_device"]), self._with_backtrace, self._with_scopes)
        try:
            recorder.start()
        except BaseException:
            _running = None
            raise
        self._recorder = recorder
        return self

    def stop(self) -> None:
        """Run what is pending, end, and write the file.

        Raises:
            RuntimeError: it is not running.
        """
        global _running
        if self._recorder is None:
            raise RuntimeError("this profiler is not running")
        recorder, self._recorder = self._recorder, None
        try:
            self._events = recorder.stop()
        finally:
            _running = None
        self.dump()

    def step(self) -> Profiler:
        """Mark the end of a step.

        Raises:
            RuntimeError: it is not running.
        """
        if self._recorder is None:
            raise RuntimeError("this profiler is not running")
        self._recorder.mark("step", "i")
        return self

    def dump(self) -> None:
        """Write the file, if there is something that is not written; :meth:`stop` does so."""
        if self._events is not None:
            _write(self.path, self._events)
            self._events = None

    def __enter__(self) -> Profiler:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _write(path: str, events: list[dict[str, Any]]) -> None:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with replacing(path) as file:
        file.write(json.dumps({"traceEvents": events}, separators=(",", ":")).encode())
    get_logger().info("profiling results written to %s", path)


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Show when a part of the program was recorded, under a name, if a profiler is running.

    Args:
        name: what to call it.

    Example:
        >>> import json
        >>> from megengine.utils.profiler import Profiler, scope
        >>> with Profiler("profile") as profiler:
        ...     with scope("twice"):
        ...         y = Tensor([1.0]) * 2
        >>> from pathlib import Path
        >>> (file,) = Path("profile").iterdir()
        >>> [event["ph"] for event in json.loads(file.read_text())["traceEvents"] if event["name"] == "twice"]
        ['B', 'E']
    """
    recorder = None if _running is None else _running._recorder
    if recorder is not None:
        recorder.mark(name, "B")
    try:
        yield
    finally:
        if recorder is not None:
            recorder.mark(name, "E")


def profile(*args: Any, **kwargs: Any) -> Any:
    """A :class:`Profiler` with these arguments, as a decorator too.

    Args:
        args: those of :class:`Profiler`, or the function to decorate.
        kwargs: those of :class:`Profiler`.

    Example:
        >>> from megengine.utils.profiler import profile
        >>> @profile
        ... def double(x):
        ...     return (x * 2).numpy()
        >>> double(Tensor([1.0]))
        array([2.], dtype=float32)
    """
    if len(args) == 1 and not kwargs and callable(args[0]):
        decorated: Callable[..., Any] = Profiler()(args[0])
        return decorated
    return Profiler(*args, **kwargs)


def merge_trace_events(directory: str) -> None:
    """Put the files of several processes into one, ``merge.chrome_timeline.json``, on one time axis.

    Args:
        directory: where :class:`Profiler` wrote them.

    Raises:
        FileNotFoundError: there is none.

    Example:
        >>> import os
        >>> from megengine.utils.profiler import Profiler, merge_trace_events
        >>> with Profiler("profile"):
        ...     y = (Tensor([1.0]) * 3).numpy()
        >>> merge_trace_events("profile")
        >>> os.path.exists("profile/merge.chrome_timeline.json")
        True
    """
    files = [p for p in sorted(Path(directory).iterdir()) if re.fullmatch(r"\d+\.chrome_timeline\.json", p.name)]
    if not files:
        raise FileNotFoundError(f"there is no <process>.chrome_timeline.json in {directory!r}")
    several = [json.loads(p.read_text(encoding="utf-8"))["traceEvents"] for p in files]
    starts = [next(e["args"]["localTime"] for e in events if e["name"] == "Metadata") for events in several]
    merged = [
        {**event, "ts": event["ts"] + start - min(starts)} if "ts" in event else event
        for events, start in zip(several, starts, strict=True)
        for event in events
        if event["name"] != "Metadata"
    ]
    _write(os.path.join(directory, f"merge.{Profiler.CHROME_TIMELINE}"), merged)


def is_profiling() -> bool:
    """Whether a profiler is running.

    Example:
        >>> from megengine.utils.profiler import Profiler, is_profiling
        >>> with Profiler("profile"):
        ...     print(is_profiling())
        True
        >>> is_profiling()
        False
    """
    return _running is not None
