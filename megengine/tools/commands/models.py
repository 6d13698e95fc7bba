"""A model in a file, whatever its format: what it takes and gives, its graph, and running it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from megengine.graph.pictures.picture import Picture
from megengine.network.network import Network

from ..errors import UserError

NO_FILE = "there is no file {!r}"
FORMATS = ("a dump of trace.dump or Network.dump", "MegEngine's .mge", ".onnx", ".stablehlo")


class Port(NamedTuple):
    """An input or output: sizes that are not known are None."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype

    def __str__(self) -> str:
        sizes = ", ".join("?" if n is None else str(n) for n in self.shape)
        return f"{self.name}: {self.dtype.name}[{sizes}]"


class Model:
    """A model that can be run.

    Attributes:
        path: its file.
        inputs, outputs: what it takes and gives, in order.
    """

    path: Path
    inputs: list[Port]
    outputs: list[Port]

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs for these inputs, by name."""
        raise NotImplementedError

    def picture(self) -> Picture:
        """Its graph."""
        raise NotImplementedError

    def facts(self) -> dict[str, str]:
        """What else a person wants to know of the file."""
        raise NotImplementedError


def load(path: Path) -> Model:
    """The model in a file.

    Raises:
        UserError: there is no such file, or it holds no model that can be read; the message says why.
    """
    if not path.is_file():
        raise UserError(NO_FILE.format(str(path)), exit_code=2)
    try:
        return {".onnx": _Onnx, ".stablehlo": _StableHLO}.get(path.suffix.lower(), _Dump)(path)
    except (RuntimeError, ModuleNotFoundError, ValueError) as error:
        raise UserError(f"{path}: {error}", f"what can be read: {', '.join(FORMATS)}") from error


class _Dump(Model):
    def __init__(self, path: Path) -> None:
        self.path = path
        self.network = Network.load(str(path))
        self.inputs = [_port(var) for var in self.network.input_vars]
        self.outputs = [_port(var) for var in self.network.output_vars]

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        from megengine.network.inference import GraphInference

        return dict(GraphInference(str(self.path)).run(inp_dict=arrays))

    def picture(self) -> Picture:
        picture = self.network.picture()
        picture.title = self.path.name
        return picture

    def facts(self) -> dict[str, str]:
        found = {key: str(value) for key, value in (self.network.metadata or {}).items() if value is not None}
        with self.path.open("rb") as file:
            ours = file.read(2) == b"PK"
        return {
            "format": "a dump" if ours else "MegEngine's",
            **{key.replace("_", " "): value for key, value in found.items()},
        }


class _Onnx(Model):
    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            package = importlib.import_module("megengine.onnx")
        except ModuleNotFoundError as error:
            raise UserError(f"{path}: this version does not read ONNX ({error})") from error
        self.module = package.load(str(path))
        self.proto = importlib.import_module("onnx").load(str(path))
        held = {tensor.name for tensor in self.proto.graph.initializer}
        self.inputs = [_of_proto(value) for value in self.proto.graph.input if value.name not in held]
        self.outputs = [_of_proto(value) for value in self.proto.graph.output]

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        results = self.module(**arrays)
        several = results if isinstance(results, tuple) else (results,)
        return {port.name: result.numpy() for port, result in zip(self.outputs, several, strict=True)}

    def picture(self) -> Picture:
        from megengine.graph.called import picture_of

        arrays = {port.name: example(port) for port in self.inputs}
        return picture_of(self.module, (), arrays, self.path.name)

    def facts(self) -> dict[str, str]:
        proto = self.proto
        opsets = ", ".join(f"{entry.domain or 'ai.onnx'} {entry.version}" for entry in proto.opset_import)
        made = f"{proto.producer_name} {proto.producer_version}".strip()
        return {
            "format": f"ONNX, version {proto.ir_version}",
            "operators": opsets,
            **({"made by": made} if made else {}),
        }


class _StableHLO(Model):
    def __init__(self, path: Path) -> None:
        from megengine.graph.exchange.stablehlo import load as load_stablehlo

        self.path = path
        takes, gives, self.call = load_stablehlo(path.read_bytes())
        self.inputs = [Port(f"input{k}", a.shape, a.dtype) for k, a in enumerate(takes)]
        self.outputs = [Port(f"output{k}", a.shape, a.dtype) for k, a in enumerate(gives)]

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        results = self.call(*(arrays[port.name] for port in self.inputs))
        return {port.name: np.asarray(result) for port, result in zip(self.outputs, results, strict=True)}

    def picture(self) -> Picture:
        raise UserError(f"{self.path} holds StableHLO, compiled from a graph that it does not show")

    def facts(self) -> dict[str, str]:
        return {"format": "StableHLO, serialized by jax.export"}


def example(port: Port) -> np.ndarray:
    """Numbers of an input's shape; a size that is not known is 1."""
    shape = tuple(1 if n is None else n for n in port.shape)
    if port.dtype.kind != "f":
        return np.zeros(shape, port.dtype)
    return np.random.default_rng(0).uniform(0, 1, shape).astype(port.dtype)


def _port(var: Any) -> Port:
    return Port(var.name, tuple(var.shape), np.dtype(var.dtype))


def _of_proto(value: Any) -> Port:
    tensor = value.type.tensor_type
    sizes = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
    dtype = importlib.import_module("onnx.helper").tensor_dtype_to_np_dtype(tensor.elem_type)
    return Port(value.name, sizes, np.dtype(dtype))
