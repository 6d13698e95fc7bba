"""What :mod:`megengine.utils.profiler` wrote, as records to be selected, summed and sorted.

Host operators are programs, as :class:`~megengine.utils.profiler.Profiler` has them; device operators are XLA's kernels. Times
are seconds. MegEngine's files of single operators can be read, too.
"""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["NonExistNum", "OprProfRst", "ProfileAnalyzer", "Record", "TimeFuncHelper"]

MICRO = 1e-6


class NonExistNum:
    """Stands for a number that is not known, and is larger than every number.

    Example:
        >>> from megengine.utils.profile_analyzer import NonExistNum
        >>> NonExistNum() / 2 > 10, NonExistNum()
        (True, N/A)
    """

    def __truediv__(self, _: Any) -> NonExistNum:
        return self

    def __add__(self, _: Any) -> NonExistNum:
        return self

    __radd__ = __add__

    def __neg__(self) -> NonExistNum:
        return self

    def __gt__(self, other: object) -> bool:
        return id(self) > id(other) if isinstance(other, NonExistNum) else True

    def __ge__(self, other: object) -> bool:
        return self is other or self > other

    def __lt__(self, other: object) -> bool:
        return id(self) < id(other) if isinstance(other, NonExistNum) else False

    def __le__(self, other: object) -> bool:
        return self is other or self < other

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __format__(self, spec: str) -> str:
        return "N/A"

    def __repr__(self) -> str:
        return "N/A"


class OprProfRst:
    """What was measured of one operator.

    Attributes:
        opr_info: its name, type and id.
        time_dict: for ``"host"`` and ``"device"`` the runs, each with ``start``, ``kern`` and ``end``.
        footprint: what is known of computation and memory.
    """

    opr_info: Any = None
    time_dict: Any = None
    footprint: Any = None

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.opr_info = OrderedDict((key, entry[key]) for key in ("name", "type", "id"))
        self.time_dict = defaultdict(list)
        self.footprint = defaultdict(NonExistNum)

    def update_device_prof_info(self, dev_time: Mapping[str, float]) -> None:
        """Add a run on the device."""
        self.time_dict["device"].append(dict(dev_time))

    def update_host_prof_info(self, host_time: Mapping[str, float]) -> None:
        """Add a run on the host."""
        self.time_dict["host"].append(dict(host_time))

    def update_footprint(self, footprint: Mapping[str, Any]) -> None:
        """Add what is known of computation and memory."""
        self.footprint.update(footprint)


class Record:
    """A row of the analysis: an operator, or several of them.

    Attributes:
        time: in seconds.
        info: name, type and id; of several, the type and how many.
        computation, memory, in_shapes, in_layouts, out_shapes: what is known.
        flops, bandwidth: operations and bytes a second.
    """

    def __init__(self, time: float, info: Mapping[str, Any], footprint: Mapping[str, Any]) -> None:
        self.time = time
        self.info = OrderedDict(info)
        self.computation = footprint["computation"] or NonExistNum()
        self.memory = footprint["memory"]
        self.in_shapes = footprint["in_shapes"]
        self.in_layouts = footprint.get("in_layouts")
        self.out_shapes = footprint["out_shapes"]
        self.flops = self.computation / self.time
        self.bandwidth = self.memory / self.time
        number = info.get("id")
        self.opr_id = int(number) if isinstance(number, str) and number != "N/A" else number

    def get_column_by_name(self, name: str | None = None) -> Any:
        """A column by its name; the time without one."""
        return getattr(self, name or "time")


class ProfileAnalyzer:
    """Selects from what a profiler measured.

    Args:
        obj: what ``json.load`` gives of a file of :class:`~megengine.utils.profiler.Profiler`, or what ``trace.get_profile()``
            returns.
        opr_filter: called with an operator's entry and its inputs and outputs, says whether it counts.

    Raises:
        ValueError: ``obj`` is nothing that a profiler wrote.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from megengine.utils.profile_analyzer import ProfileAnalyzer, TimeFuncHelper
        >>> from megengine.utils.profiler import Profiler
        >>> with Profiler("profile") as profiler:
        ...     for _ in range(3):
        ...         y = (Tensor([1.0, 2.0]) * 3).numpy()
        >>> analyzer = ProfileAnalyzer(json.loads(Path(profiler.path).read_text()))
        >>> host = TimeFuncHelper.eval_time_func("host", "end", np.sum)
        >>> [(r.info["type"], r.info["count"]) for r in analyzer.select(host, aggregate="sum", aggregate_by="type")]
        [('mul', 1)]
    """

    def __init__(self, obj: Mapping[str, Any], opr_filter: Callable[..., bool] = lambda opr, inp, out: True) -> None:
        if "graph_exec" in obj:
            found = _of_graph(obj, opr_filter)
        else:
            events = obj.get("traceEvents", obj.get("profiler"))
            if not isinstance(events, list):
                raise ValueError("ProfileAnalyzer: this is nothing that a profiler wrote: it has no traceEvents")
            found = _of_events(events, opr_filter)
        self._opr_set: dict[Any, OprProfRst] = found

    def select(
        self,
        time_func: Callable[[OprProfRst], float | None],
        opr_filter: Callable[[OprProfRst], bool] = lambda opr: True,
        aggregate: str | Callable[..., Any] | None = None,
        aggregate_by: str | None = None,
        sort_by: str | None = None,
        top_k: int = 0,
    ) -> list[Record]:
        """The records of some operators.

        Args:
            time_func: the time of an operator; those for which it is None are left out.
            opr_filter: which operators.
            aggregate: how several become one: a function of a list, or the name of one of NumPy's.
            aggregate_by: ``"type"``, or None for all together.
            sort_by: a column, largest first; with ``+`` before it smallest first.
            top_k: how many at most; 0 for all.
        """
        records = []
        for opr in filter(opr_filter, self._opr_set.values()):
            time = time_func(opr)
            if time is not None:
                records.append(Record(time, opr.opr_info, opr.footprint))
        if aggregate is not None:
            records = _aggregated(records, aggregate, aggregate_by)
        elif aggregate_by is not None:
            raise ValueError("select(aggregate_by=) needs aggregate=, such as 'sum'")
        if sort_by is not None:
            column = sort_by.removeprefix("+")
            records.sort(key=lambda record: record.get_column_by_name(column), reverse=column == sort_by)
        return records[: top_k or None]


def _of_graph(obj: Mapping[str, Any], opr_filter: Callable[..., bool]) -> dict[Any, OprProfRst]:
    """Of a file of MegEngine's graph profiler."""
    variables = obj["graph_exec"]["var"]
    found = {}
    for number, entry in obj["graph_exec"]["operator"].items():
        ends = [[variables[k] for k in entry[side]] for side in ("input", "output")]
        if opr_filter(entry, *ends):
            found[number] = OprProfRst(entry)
    for side, add in (
        ("device", OprProfRst.update_device_prof_info),
        ("host", OprProfRst.update_host_prof_info),
    ):
        for number, entry in obj["profiler"][side].items():
            for time in entry.values() if number in found else ():
                add(found[number], time)
    for number, entry in obj["profiler"].get("opr_footprint", {}).items():
        if number in found:
            found[number].update_footprint(entry)
    return found


def _of_events(events: Iterable[Mapping[str, Any]], opr_filter: Callable[..., bool]) -> dict[Any, OprProfRst]:
    """Of Chrome's trace format: programs with the same ops are one operator, and so are kernels of one name in a program."""
    found: dict[Any, OprProfRst] = {}
    for event in events:
        if event.get("ph") != "X" or event.get("cat") not in ("program", "kernel"):
            continue
        args = event.get("args", {})
        on_host = event["cat"] == "program"
        key = (event["name"], str(args.get("where"))) if on_host else (args.get("hlo_module"), event["name"])
        if key not in found:
            kind = event["name"] if on_host else event["name"].split(".")[0]
            entry = {"name": event["name"], "type": kind, "id": str(len(found))}
            if not opr_filter(entry, [], []):
                continue
            found[key] = OprProfRst(entry)
        start = event["ts"] * MICRO
        end = start + event["dur"] * MICRO
        times = {"start": start, "kern": end, "end": end}
        if on_host:
            found[key].update_host_prof_info(times)
        else:
            found[key].update_device_prof_info(times)
    return found


def _aggregated(records: list[Record], aggregate: str | Callable[..., Any], by: str | None) -> list[Record]:
    function = getattr(np, aggregate) if isinstance(aggregate, str) else aggregate
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.info["type"] if by == "type" else "all", []).append(record)
    made = []
    for kind, several in groups.items():
        footprint = {
            "computation": function([r.computation for r in several]),
            "memory": function([r.memory for r in several]),
            "in_shapes": None,
            "out_shapes": None,
        }
        info = {"type": kind, "count": len(several), "id": "N/A"}
        made.append(Record(function([r.time for r in several]), info, footprint))
    return made


class TimeFuncHelper:
    """Makes the functions of time that :meth:`ProfileAnalyzer.select` takes.

    Example:
        >>> from types import SimpleNamespace
        >>> from megengine.utils.profile_analyzer import TimeFuncHelper
        >>> longest = TimeFuncHelper.eval_time_func("host", "end", max)
        >>> longest(SimpleNamespace(time_dict={"host": [{"start": 1, "end": 3}, {"start": 4, "end": 5}]}))
        2
    """

    @staticmethod
    def _eval_time(prof_type: str, end_key: str, func: Callable[..., Any], opr_prof: OprProfRst) -> Any:
        if prof_type not in opr_prof.time_dict:
            return None
        return func([time[end_key] - time["start"] for time in opr_prof.time_dict[prof_type]])

    @staticmethod
    def eval_time_func(prof_type: str, end_key: str, func: Callable[..., Any]) -> Callable[[OprProfRst], Any]:
        """How long an operator's runs took.

        Args:
            prof_type: ``"host"`` or ``"device"``.
            end_key: ``"kern"`` or ``"end"``.
            func: makes one number of those of the runs.
        """
        return functools.partial(TimeFuncHelper._eval_time, prof_type, end_key, func)

    @staticmethod
    def _extreme(prof_type: str, key: str, function: Callable[..., Any], opr_prof: OprProfRst) -> Any:
        if prof_type not in opr_prof.time_dict:
            return None
        return function([time[key] for time in opr_prof.time_dict[prof_type]])

    @staticmethod
    def min_start_func(prof_type: str, end_key: str, func: Callable[..., Any]) -> Callable[[OprProfRst], Any]:
        """When an operator began first; ``end_key`` and ``func`` change nothing."""
        return functools.partial(TimeFuncHelper._extreme, prof_type, "start", np.min)

    @staticmethod
    def max_end_func(prof_type: str, end_key: str, func: Callable[..., Any]) -> Callable[[OprProfRst], Any]:
        """When an operator ended last; ``end_key`` and ``func`` change nothing."""
        return functools.partial(TimeFuncHelper._extreme, prof_type, "end", np.max)
