"""``mge convert``: a model from one format into another."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError

__all__ = ["add_to"]

DESCRIPTION = """Converts a model; what the files end in says the formats. From: a dump of trace.dump or Network.dump,
MegEngine's .mge, or .onnx. To: .mge, a dump of this package; or .onnx. The converted model is run on made-up numbers and must
give the same results as the first one."""
TOLERANCE = 1e-4


def add_to(commands: Any) -> None:
    """Adds ``convert`` to the subcommands of ``mge``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "convert", help="turn a model into another format", description=DESCRIPTION
    )
    parser.add_argument("source", type=Path, help="the model")
    parser.add_argument("target", type=Path, help="the file to write; .onnx for ONNX, any other ending for a dump")
    parser.add_argument("--opset", type=int, metavar="N", help="version of ONNX's operators")
    parser.add_argument("--dynamic-batch", action="store_true", help="leave the batch size open in an .onnx file")
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
    model = load(source)
    shapes = dict(map(_shape, arguments.shape))
    unknown = shapes.keys() - {port.name for port in model.inputs}
    if unknown:
        names = ", ".join(port.name for port in model.inputs)
        raise UserError(f"--shape {', '.join(sorted(unknown))} names no input; there are {names}", exit_code=2)
    model.inputs = [port._replace(shape=shapes.get(port.name, port.shape)) for port in model.inputs]
    writer = _WRITERS[source.suffix.lower() == ".onnx", target.suffix.lower() == ".onnx"]
    try:
        writer(model, arguments)
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
    before, after = model.run(arrays), load(target).run(arrays)
    if before.keys() != after.keys():
        raise UserError(f"{target} has results {', '.join(after)}, not {', '.join(before)}")
    worst = max((_apart(before[name], after[name]) for name in before), default=0.0)
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


def _dump_again(model: Any, arguments: argparse.Namespace) -> None:
    model.network.dump(str(arguments.target), enable_fuse_conv_bias_nonlinearity=arguments.fuse)


def _dump_to_onnx(model: Any, arguments: argparse.Namespace) -> None:
    from megengine import onnx

    onnx.export(model.network, str(arguments.target), **_onnx_options(arguments))


def _onnx_to_dump(model: Any, arguments: argparse.Namespace) -> None:
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


def _onnx_again(model: Any, arguments: argparse.Namespace) -> None:
    from megengine import onnx

    from .models import example

    onnx.export(
        model.module,
        str(arguments.target),
        [example(port) for port in model.inputs],
        arg_names=[port.name for port in model.inputs],
        output_names=[port.name for port in model.outputs],
        **_onnx_options(arguments),
    )


def _onnx_options(arguments: argparse.Namespace) -> dict[str, Any]:
    opset = {"opset": arguments.opset} if arguments.opset else {}
    return {"dynamic_batch": arguments.dynamic_batch, **opset}


# By whether the source and the target are ONNX.
_WRITERS: dict[tuple[bool, bool], Callable[[Any, argparse.Namespace], None]] = {
    (False, False): _dump_again,
    (False, True): _dump_to_onnx,
    (True, False): _onnx_to_dump,
    (True, True): _onnx_again,
}
