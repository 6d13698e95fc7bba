"""Every name of MegEngine's public modules is here and takes the arguments that it takes there (``golden/names.txt``)."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from enum import EnumMeta
from pathlib import Path
from typing import Any

import pytest

MISSING = object()

NAMES = Path(__file__).parent / "golden" / "names.txt"

# What is not here, and why.
_INNER = "the inner workings of MegEngine's own"
_MULTI = "of several processes"
_GRAPH = "of a dumped graph"
_SHOWN = "how the log is coloured"
ABSENT = {
    "megengine.autodiff.grad_manager.AttachSpec": _INNER,
    "megengine.check_misc": "looks at how MegEngine was installed",
    "megengine.data.dataloader": _INNER,
    "megengine.data.signal_handling": _INNER,
    "megengine.data.tools": _INNER,
    "megengine.distributed.group.StaticData": _MULTI,
    "megengine.distributed.helper.TensorFuture": _MULTI,
    "megengine.distributed.launcher.WARN_SUBPROCESS_EXIT_WITHOUT_RETURN": _MULTI,
    "megengine.distributed.server.Methods": _MULTI,
    "megengine.distributed.server.ThreadXMLRPCServer": _MULTI,
    "megengine.distributed.server.main": _MULTI,
    "megengine.dtr.dtr": "`megengine.dtr` is one module here",
    "megengine.functional.tensor_cache.is_tracing": "asked of `jit.tracing`",
    "megengine.hub.fetcher.CHUNK_SIZE": _INNER,
    "megengine.hub.fetcher.HTTP_CONNECTION_TIMEOUT": _INNER,
    "megengine.hub.fetcher.HTTP_TIMEOUT": _INNER,
    "megengine.jit.partial_tracing.JIT_BACKEND": _INNER,
    "megengine.jit.sublinear_memory_config.get_device_count": "asked of `device`",
    "megengine.jit.tracing.array_comparator": _INNER,
    "megengine.jit.tracing.trace.check_external": _INNER,
    "megengine.jit.tracing.trace.compile": _INNER,
    "megengine.jit.tracing.trace.compile_and_exec": _INNER,
    "megengine.jit.tracing.trace.convert_optimizer_state_to_tensor": _INNER,
    "megengine.jit.tracing.trace.execute": _INNER,
    "megengine.jit.tracing.trace.flatten_inputs": _INNER,
    "megengine.jit.tracing.trace.ops": _INNER,
    "megengine.jit.tracing.trace.setup_env": _INNER,
    "megengine.jit.tracing.trace.setup_io_without_trace": _INNER,
    "megengine.jit.tracing.trace.setup_without_host": _INNER,
    "megengine.jit.tracing.trace.third_party_backend": _INNER,
    "megengine.jit.tracing.trace.trace_normal": _INNER,
    "megengine.jit.tracing.trace.trace_without_host": _INNER,
    "megengine.jit.tracing.trace.trace_without_host_overall": _INNER,
    "megengine.jit.tracing.trace.unset_env": _INNER,
    "megengine.jit.tracing.trace.vars": _INNER,
    "megengine.jit.tracing.trace.without_host": _INNER,
    "megengine.jit.xla_backend.apply_external_convert_hook": _INNER,
    "megengine.jit.xla_backend.xla_trace": _INNER,
    "megengine.logger.MegBrainLogFormatter.date": _SHOWN,
    "megengine.logger.MegEngineLogFormatter.date": _SHOWN,
    "megengine.logger.MegEngineLogFormatter.date_full": _SHOWN,
    "megengine.logger.MegEngineLogFormatter.log_fout": _SHOWN,
    "megengine.logger.MegEngineLogFormatter.max_lines": _SHOWN,
    "megengine.logger.MegEngineLogFormatter.msg": _SHOWN,
    "megengine.module.conv.RegionRestrictedConv.get_pad_width": _INNER,
    "megengine.module.rnn.RNNBase.init_hidden": "takes the batch size here, as those of its subclasses do in MegEngine",
    "megengine.utils.custom_op_tools": "compiles operators in C++ for MegEngine; raises what points to docs/custom-operators.md",
    "megengine.utils.hook.HookHandler.hook_num": _INNER,
    "megengine.utils.http_download.Bar": _INNER,
    "megengine.utils.module_stats.F": _INNER,
    "megengine.utils.module_stats.MegEngineLogFormatter": _INNER,
    "megengine.utils.naming.AutoNaming.c_ops": _GRAPH,
    "megengine.utils.naming.AutoNaming.name2ops": _GRAPH,
    "megengine.utils.naming.AutoNaming.record_opnode": _GRAPH,
    "megengine.utils.naming.AutoNaming.remove_duplicate_names": _GRAPH,
    "megengine.utils.module_utils.Sequential": _INNER,
    "megengine.utils.module_utils.Tensor": _INNER,
    "megengine.utils.persistent_cache": _INNER,
    "megengine.utils.profiler.Profiler.format_path": _INNER,
}


def resolve(name: str) -> Any:
    """The object of a dotted name, by the modules of its path where a package has something else by that name."""
    parts = name.split(".")
    for depth in range(len(parts) - 1, 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:depth]))
        except ImportError:
            continue
        for part in parts[depth:]:
            value = getattr(value, part, MISSING)
        if value is not MISSING:
            return value
        break
    try:
        return importlib.import_module(name)  # a module that its package does not import
    except ImportError:
        return MISSING


def reason(name: str) -> str | None:
    """Why a name is not here, or not as it is in MegEngine; None if it should be."""
    return next((why for prefix, why in ABSENT.items() if name == prefix or name.startswith(prefix + ".")), None)


def recorded() -> Iterator[tuple[str, str]]:
    """Names with what follows them: a signature, `` = other name``, or nothing."""
    for line in NAMES.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name = line.partition("(")[0].partition(" = ")[0]
            yield name, line.removeprefix(name)


def binds(value: Any, signature: str) -> str | None:
    """What of the recorded parameters a function does not take, positional ones by position and by name."""
    if isinstance(value, EnumMeta):  # each version of Python makes these from other arguments
        return None
    try:
        ours = inspect.signature(value).parameters
    except (TypeError, ValueError):
        return None
    kinds = inspect.Parameter
    wanted = ast.parse(f"def f{signature}: pass").body[0].args  # type: ignore[attr-defined]
    rest = any(p.kind is kinds.VAR_POSITIONAL for p in ours.values())
    named = any(p.kind is kinds.VAR_KEYWORD for p in ours.values())
    by_place = (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    positional = [n for n, p in ours.items() if p.kind in by_place and n != "self"]
    theirs = [a.arg for a in wanted.args]
    only_named = [a.arg for a in wanted.kwonlyargs]
    for place, argument in enumerate(theirs):
        if (
            positional[place : place + 1] != [argument]
            and not rest
            and not (argument in ours and place >= len(positional))
        ):
            return f"argument {place} is {positional[place] if place < len(positional) else 'missing'}, not {argument}"
    for argument in only_named:
        if argument not in ours and not named:
            return f"no argument {argument}"
    for star, taken, mark in ((wanted.vararg, rest, "*"), (wanted.kwarg, named, "**")):
        if star and not taken:
            return f"no {mark}{star.arg}"
    optional = set(theirs[len(theirs) - len(wanted.defaults) :])
    optional |= {a for a, d in zip(only_named, wanted.kw_defaults, strict=True) if d is not None}
    stars = (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
    required = {n for n, p in ours.items() if p.default is p.empty and p.kind not in stars and n != "self"}
    demanded = required - ({*theirs, *only_named} - optional)
    return f"{', '.join(sorted(demanded))} must be given" if demanded and not (wanted.vararg or wanted.kwarg) else None


def home(name: str) -> str:
    """The module of a name; that of its class if it is a method."""
    owner = name.rpartition(".")[0]
    return owner.rpartition(".")[0] if owner.rpartition(".")[2][:1].isupper() or owner.endswith("_trace") else owner


@pytest.mark.parametrize("module", [pytest.param(m, id=m) for m in sorted({home(n) for n, _ in recorded()})])
def test_names_of(module: str) -> None:
    problems = []
    for name, rest in recorded():
        if home(name) != module or reason(name):
            continue
        value = resolve(name)
        if value is MISSING:
            problems.append(f"{name} is missing")
        elif rest.startswith("(") and (problem := binds(value, rest)):
            problems.append(f"{name}{rest}: {problem}; here {inspect.signature(value)}")
    assert not problems, "\n" + "\n".join(problems)


def test_what_is_absent_is_in_the_record() -> None:
    names = [n for n, _ in recorded()]
    assert [p for p in ABSENT if not any(n == p or n.startswith(p + ".") for n in names)] == []


def test_second_paths_lead_to_the_same_objects() -> None:
    import megengine
    import megengine.functional as F
    from megengine.data.dataset import coco
    from megengine.functional.loss import logsigmoid
    from megengine.module.conv import Module, Parameter
    from megengine.optimizer.adam import Optimizer

    assert logsigmoid is F.nn.logsigmoid and F.nn.exp is F.exp and F.nn.max is F.max
    assert Module is megengine.module.Module and Parameter is megengine.Parameter
    assert Optimizer is megengine.optimizer.Optimizer
    assert coco.COCO is megengine.data.dataset.COCO
    assert callable(megengine.utils.module_stats.module_stats)
    with pytest.raises(AttributeError, match=r"module 'megengine\.functional\.metric' has no attribute 'accuracyy'"):
        _ = F.metric.accuracyy
