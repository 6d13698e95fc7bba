"""A check that programs leave the inputs alone that were not given to them to overwrite."""

from __future__ import annotations

from typing import Any

import numpy as np

from .flushing import full_sync
from .program import Program, Run, observe, unobserve
from .source import here, text


class InputsUnchanged:
    """Compares the inputs of every program before and after it runs, from :meth:`start` to :meth:`stop`."""

    def start(self) -> None:
        """Begin, after what is pending has run."""
        full_sync()
        observe(self._checked)

    def stop(self) -> None:
        """Run what is pending and end."""
        try:
            full_sync()
        finally:
            unobserve(self._checked)

    def _checked(self, program: Program, run: Run) -> Run:
        def checked(*args: Any) -> Any:
            given = args[program.offset :]
            before = [None if k in program.donated else np.array(a) for k, a in enumerate(given)]
            outs = run(*args)
            for k, (array, copy) in enumerate(zip(given, before, strict=True)):
                if copy is not None and np.asarray(array).tobytes() != copy.tobytes():
                    ops = ", ".join(program.names())
                    raise RuntimeError(
                        f"input {k} ({program.input_avals[k]!r}) of the program that ran at {text(here())} changed while it "
                        f"ran; its ops: {ops}"
                    )
            return outs

        return checked
