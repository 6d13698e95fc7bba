"""What compiles in the background: a process of its own, that is started as a script and needs JAX alone.

It reads requests from its standard input and answers on its standard output, each a length and a pickle. What it compiles
goes to JAX's cache on disk, from where the process that asked loads it. It ends when its input does.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import queue
import struct
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

NICE = 10


def restage(
    exported: bytes, donated: tuple[int, ...], options: dict[str, str] | None, device: Any = None
) -> tuple[Any, list[Any]]:
    """A function from ``jax.export``, ready to be compiled, and what it is called with; here and there it is the same."""
    import jax
    from jax import export

    function = export.deserialize(bytearray(exported))
    structs = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in function.in_avals]
    # The results are bound to a device and the first arguments are not: without a place for both, each is compiled for.
    place = jax.sharding.SingleDeviceSharding(device or jax.local_devices()[0])
    jitted = jax.jit(
        function.call, in_shardings=place, out_shardings=place, donate_argnums=donated, compiler_options=options
    )
    return jitted, structs


def send(file: BinaryIO, message: Any) -> None:
    """Write one message."""
    data = pickle.dumps(message, protocol=5)
    file.write(struct.pack("<Q", len(data)) + data)
    file.flush()


def receive(file: BinaryIO) -> Any:
    """Read one message.

    Raises:
        EOFError: there is none any more.
    """
    head = file.read(8)
    if len(head) < 8:
        raise EOFError
    (length,) = struct.unpack("<Q", head)
    data = file.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)


def compiled(
    sound: Any, exported: bytes, donated: tuple[int, ...], options: dict[str, str] | None, device: Any = None
) -> tuple[Any, Any]:
    """Compile a function from ``jax.export``, for the default device if none is named; returns the executable and the options."""
    jitted, structs = restage(exported, donated, options, device)
    if options is None and not sound.sound(jitted, structs):
        options = sound.PRODUCTS_ALONE
        jitted, structs = restage(exported, donated, options, device)
    return jitted.lower(*structs).compile(), options


def _read(requests: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            requests.put(receive(sys.stdin.buffer))
    except EOFError:
        os._exit(0)  # also from amid a compilation: nobody waits for it


def _alone(path: Path) -> Any:
    """A module of the package without the package."""
    found = importlib.util.spec_from_file_location(path.stem, path)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def main() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    if hasattr(os, "nice"):
        os.nice(NICE)
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    sound = _alone(Path(__file__).with_name("sound.py"))
    foreign = _alone(Path(__file__).parent.parent / "ops" / "onednn" / "ffi.py")
    foreign.named_only("megengine.onednn")
    while True:
        request = requests.get()
        try:
            answer = True, compiled(sound, *request)[1]
        except Exception as error:
            answer = False, f"{type(error).__name__}: {error}"
        send(answers, answer)


if __name__ == "__main__":
    main()
