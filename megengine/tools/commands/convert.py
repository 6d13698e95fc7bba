"""``mge convert``: a model from one format into another."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError

__all__ = ["add_to"]

DESCRIPTION = """Converts a model; what the files end in says the formats. From: a dump of trace.dump or Network.dump,
MegEngine's .mge, or .onnx. To: .mge, a dump of this package; .onnx; or .stablehlo, which JAX runs alone. The converted model is
run on made-up numbers and must give the same results as the first one."""
TOLERANCE = 1e-4
EXPORTERS = {".onnx": "megengine.onnx", ".stablehlo": "megengine.jit.stablehlo"}
SIDES = (("arg", "in"), ("output", "out"))


def add_to(commands: Any) -> None:
    """Adds ``convert`` to the subcommands of ``mge``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "convert", help="turn a model into another format", description=DESCRIPTION
    )
    parser.add_argument("source", type=Path, help="the model")
    parser.add_argument("target", type=Path, help="the file to write: .onnx, .stablehlo, any other ending for a dump")
    parser.add_argument("--opset", type=int, metavar="N", help="version of ONNX's operators")
    parser.add_argument(
        "--dynamic-batch", action="store_true", help="leave the batch size open in an .onnx or .stablehlo file"
    )
    parser.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=N,N,...",
        help="shape of an input whose sizes the model leaves open (may be given several times)",
    )
    parser.add_argument("--fuse", action="store_true", help="fold batch norms into convolutions in a dump")
    parser.add_argument("--no-check", action="store_true", help="do not run both models")
    parser.set_defaults(run=run, debug=False)


def run(arguments: argparse.Namespace) -> int:
    """Converts, compares, and returns the exit status."""
    from .models import load

    source, target = arguments.source, arguments.target
    if not target.resolve().parent.is_dir():
        raise UserError(f"there is no folder {str(target.parent)!r}", exit_code=2)
    if arguments.opset is not None and target.suffix.lower() != ".onnx":
        raise UserError(f"--opset is of .onnx files, and {target.name} is none", exit_code=2)
    model: Any = load(source)
    if source.suffix.lower() == ".stablehlo":
        raise UserError(f"{source} is compiled: StableHLO can be written and run, and not converted")
    shapes = dict(map(_shape, arguments.shape))
    unknown = shapes.keys() - {port.name for port in model.inputs}
    if unknown:
        names = ", ".join(port.name for port in model.inputs)
        raise UserError(f"--shape {', '.join(sorted(unknown))} names no input; there are {names}", exit_code=2)
    model.inputs = [port._replace(shape=shapes.get(port.name, port.shape)) for port in model.inputs]
    kind = target.suffix.lower()
    try:
        if kind in EXPORTERS:
            _export(model, EXPORTERS[kind], arguments)
        elif source.suffix.lower() in EXPORTERS:
            _dump(model, arguments)
        else:
            model.network.dump(str(target), enable_fuse_conv_bias_nonlinearity=arguments.fuse)
    except (RuntimeError, ValueError, ModuleNotFoundError, TypeError) as error:
        raise UserError(f"{source} has no form as {target.name}: {error}") from error
    print(f"written to {target}, {target.stat().st_size:,} bytes")
    if not arguments.no_check:
        print(_compared(model, target))
    return 0


def _compared(model: Any, target: Path) -> str:
    """Runs both; says how far the results are apart.

    Raises:
        UserError: they are not the same.
    """
    from .models import example, load

    arrays = {port.name: example(port) for port in model.inputs}
    converted = load(target)
    renamed = {port.name: array for port, array in zip(converted.inputs, arrays.values(), strict=True)}
    before, after = model.run(arrays), converted.run(renamed)
    if len(before) != len(after):
        raise UserError(f"{target} has results {', '.join(after)}, not {', '.join(before)}")
    worst = max(map(_apart, before.values(), after.values()), default=0.0)
    if worst > TOLERANCE:
        raise UserError(f"{target} gives other results on made-up numbers: {worst:.2g} apart, relative to the largest")
    return f"both give the same results on made-up numbers, to {worst:.1e} of the largest"


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    if one.shape != other.shape:
        return float("inf")
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return float(np.where(same, 0, np.abs(a - b)).max(initial=0) / max(np.abs(a).max(initial=0), 1e-30))


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, equals, sizes = text.partition("=")
    try:
        if not equals:
            raise ValueError(text)
        return name, tuple(int(n) for n in sizes.split(",") if n)
    except ValueError:
        raise UserError(f"--shape {text} is not of the form name=1,3,224,224", exit_code=2) from None


def _export(model: Any, name: str, arguments: argparse.Namespace) -> None:
    """To a format of another runtime."""
    from .models import example

    options: dict[str, Any] = {"dynamic_batch": arguments.dynamic_batch}
    if arguments.opset is not None:
        options["opset"] = arguments.opset
    export = import_module(name).export
    if hasattr(model, "network"):
        export(model.network, str(arguments.target), **options)
    else:
        names = {f"{side}_names": [port.name for port in getattr(model, f"{ports}puts")] for side, ports in SIDES}
        export(model.module, str(arguments.target), [example(port) for port in model.inputs], **names, **options)


def _dump(model: Any, arguments: argparse.Namespace) -> None:
    """From ONNX: what a call computes."""
    import megengine as mge

    from .models import example

    module = model.module
    traced = mge.jit.trace(lambda *tensors: module(*tensors), symbolic=True, capture_as_const=True)
    traced(*(mge.Tensor(example(port)) for port in model.inputs))
    traced.dump(
        str(arguments.target),
        arg_names=[port.name for port in model.inputs],
        output_names=[port.name for port in model.outputs],
        enable_fuse_conv_bias_nonlinearity=arguments.fuse,
    )
