"""``mge infer``: runs a model in a file on arrays and pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError

if TYPE_CHECKING:
    from .models import Model, Port

__all__ = ["add_to"]

DESCRIPTION = """Runs a model: a dump, MegEngine's .mge, or .onnx. Inputs are files: .npy holds one array, .npz one for each input
by name, and pictures (.jpg, .png, ...) are brought to the size of an input of the form NCHW or NHWC. Give them in the order of
the model's inputs, or as name=file. Several pictures make a batch. Without inputs the model runs on made-up numbers."""
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def add_to(commands: Any) -> None:
    """Adds ``infer`` to the subcommands of ``mge``."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "infer", help="run a model on arrays and pictures", description=DESCRIPTION
    )
    parser.add_argument("model", type=Path, help="the model")
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help=".npy, .npz, or pictures; or name=file")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the results to .npz, or one to .npy")
    parser.add_argument("--top", type=int, metavar="K", help="print the K largest of each row of the results")
    parser.add_argument(
        "--mean", type=_numbers, default=[0.0], metavar="M[,M,M]", help="subtracted from pixels of 0 to 255 (default 0)"
    )
    parser.add_argument("--std", type=_numbers, default=[1.0], metavar="S[,S,S]", help="what they are divided by then")
    parser.add_argument("--rgb", action="store_true", help="red first; default blue first, as OpenCV and MegEngine")
    parser.set_defaults(run=run, debug=False)


def run(arguments: argparse.Namespace) -> int:
    """Runs the model, prints and writes its results, and returns the exit status."""
    from .models import load

    if arguments.output is not None and arguments.output.suffix not in (".npy", ".npz"):
        raise UserError(f"-o {arguments.output} ends neither in .npz nor in .npy", exit_code=2)
    model = load(arguments.model)
    arrays = inputs_of(model, arguments)
    try:
        results = model.run(arrays)
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        given = ", ".join(f"{name} {array.dtype.name}{list(array.shape)}" for name, array in arrays.items())
        takes = ", ".join(map(str, model.inputs))
        raise UserError(f"the model does not run on {given}: {error}", f"it takes {takes}") from error
    for name, array in results.items():
        print(f"{name}: {array.dtype.name}{list(array.shape)} {_described(array)}")
        if arguments.top:
            _print_top(array, arguments.top)
    if arguments.output is not None:
        _write(arguments.output, results)
        print(f"written to {arguments.output}")
    return 0


def inputs_of(model: Model, arguments: argparse.Namespace) -> dict[str, np.ndarray]:
    """The array for each input.

    Raises:
        UserError: a file is missing or is no array or picture, or there are inputs too many or too few.
    """
    from .models import example

    ports = {port.name: port for port in model.inputs}
    if not arguments.inputs:
        print("no inputs were given: the model runs on made-up numbers")
        return {name: example(port) for name, port in ports.items()}
    found: dict[str, np.ndarray] = {}
    pictures: dict[str, list[Path]] = {}
    for word in arguments.inputs:
        name, equals, file = word.partition("=")
        name, path = (name, Path(file)) if equals else ("", Path(word))
        if not path.is_file():
            raise UserError(f"there is no file {str(path)!r}", exit_code=2)
        if path.suffix.lower() == ".npz":
            with np.load(path) as several:
                found.update({key: several[key] for key in several.files})
            continue
        name = name or next((n for n in ports if n not in found and (n not in pictures or _picture(path))), "")
        if not name:
            raise UserError(f"{path} is one input too many: the model takes {', '.join(ports)}", exit_code=2)
        if _picture(path):
            pictures.setdefault(name, []).append(path)
        else:
            found[name] = _array(path)
    found.update({name: _images(files, ports.get(name), arguments) for name, files in pictures.items()})
    if found.keys() != ports.keys():
        said = f"the model takes {', '.join(map(str, model.inputs))}"
        raise UserError(f"{said}; given were {', '.join(found) or 'none'}", exit_code=2)
    return {name: array.astype(ports[name].dtype, copy=False) for name, array in found.items()}


def _picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES


def _array(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except ValueError as error:
        raise UserError(f"{path} holds no array", f"inputs are .npy, .npz and {', '.join(PICTURES)}") from error


def _images(files: list[Path], port: Port | None, arguments: argparse.Namespace) -> np.ndarray:
    """Pictures as one batch for an input."""
    from megengine.data.opencv import opencv, read_image

    if port is None or len(port.shape) != 4:
        raise UserError(f"{port or files[0]} takes no pictures: it has not the form NCHW or NHWC", exit_code=2)
    first = port.shape[1] in (1, 3)  # NCHW
    channels, height, width = (port.shape[k] for k in ((1, 2, 3) if first else (3, 1, 2)))
    try:
        cv2 = opencv("mge infer with pictures")
        images = [read_image(str(path), gray=channels == 1) for path in files]
    except (ModuleNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error
    batch = []
    for image in images:
        image = image[..., None] if image.ndim == 2 else image
        if height and width:
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
        image = image[..., ::-1] if arguments.rgb else image
        batch.append((image - np.float32(arguments.mean)) / np.float32(arguments.std))
    made = np.stack(batch)
    return made.transpose(0, 3, 1, 2) if first else made


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _described(array: np.ndarray) -> str:
    if array.size <= 8:
        return np.array2string(array, precision=5, separator=", ").replace("\n", "")
    if array.dtype.kind not in "fiu":
        return ""
    return f"min {array.min():.5g}, mean {array.mean():.5g}, max {array.max():.5g}"


def _print_top(array: np.ndarray, count: int) -> None:
    for k, row in enumerate(array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)):
        best = np.argsort(-row, kind="stable")[:count]
        print(f"  row {k}: " + ", ".join(f"{i} ({row[i]:.4g})" for i in best))


def _write(path: Path, results: dict[str, np.ndarray]) -> None:
    if path.suffix == ".npz":
        np.savez(path, **results)  # type: ignore[arg-type]
    elif len(results) == 1:
        np.save(path, next(iter(results.values())))
    else:
        raise UserError(f"the model has {len(results)} results, which a .npz holds and a .npy does not", exit_code=2)
