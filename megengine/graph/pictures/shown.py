"""What can be shown: in a notebook inline, elsewhere as a page, and saved as one of several kinds of files."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._support.files import write_atomically

if TYPE_CHECKING:
    from .picture import Picture  # and those that draw, where they are needed: most programs show nothing

# What writes models, as ``export(target, path, args)`` of a module: by suffix. The package's front fills it.
MODELS: dict[str, str] = {}
HEIGHT = 640  # of a picture in a notebook, in pixels


class Shown:
    """What has pictures.

    A subclass says which by ``_pictures``, and what they are of by ``_title``.
    """

    def _pictures(self) -> Sequence[Picture]:
        raise NotImplementedError

    def _title(self) -> str:
        return self._pictures()[0].title

    def save(self, path: str | os.PathLike[str], depth: int | None = None) -> Path:
        """Write the picture to a file.

        Args:
            path: ``.html``, a page that needs nothing else; ``.svg``, drawn by Graphviz; ``.dot``; ``.txt``, the listing; and of
                what holds weights, such as a ``Network``, ``.onnx`` or ``.stablehlo``.
            depth: how many levels of modules a ``.svg`` or ``.dot`` shows, deeper ones as one box each. Default: all levels if
                there are few nodes, else as many as can be looked at.

        Returns:
            the path.

        Raises:
            ValueError: it ends in something else, or there is nothing to show.
            RuntimeError: ``.svg`` without Graphviz's ``dot``.
        """
        path = Path(path)
        writers = {".html": self._html, ".svg": self._svg, ".dot": self._dot, ".txt": self._text}
        suffix = path.suffix.lower()
        if suffix in MODELS:
            self._write_model(path)
        elif suffix in writers:
            write_atomically(path, writers[suffix](depth))
        else:
            raise ValueError(f"save() writes {', '.join((*writers, *MODELS))}, not {path.name!r}")
        return path

    def _write_model(self, path: Path) -> None:
        """Write it as a model of another format."""
        raise ValueError(
            f"{path.name}: this graph has no weights of its own; a module or a traced function with example inputs has: "
            f"net.save({path.name!r}, x)"
        )

    def show(self) -> None:
        """Show the picture: in a notebook below the cell, elsewhere in the browser, as a page whose path is printed."""
        display = _display()
        if display is not None:
            display(self)
            return
        descriptor, name = tempfile.mkstemp(suffix=".html", prefix="graph-")
        os.close(descriptor)
        path = self.save(name)
        import webbrowser

        opened = _has_screen() and webbrowser.open(path.as_uri())
        print(f"{'opened' if opened else 'written to'} {path}")

    def _repr_html_(self) -> str:
        """For notebooks: the page in a frame, so that neither's styles meet the other's."""
        text = escape(self._html(None))
        return f'<iframe srcdoc="{text}" style="width:100%;height:{HEIGHT}px;border:0"></iframe>'

    def _html(self, depth: int | None) -> str:
        from .page import render

        return render(self._pictures(), self._title())

    def _svg(self, depth: int | None) -> str:
        from .dot import svg

        return svg(self._dot(depth))

    def _dot(self, depth: int | None) -> str:
        from .dot import text

        return text(self._pictures(), self._title(), depth)

    def _text(self, depth: int | None) -> str:
        return "\n\n".join(f"{p.title}\n{p.function}" for p in self._pictures()) + "\n"


def write_model(target: Any, path: Path, args: Sequence[Any] | None = None) -> None:
    """Write a model in the format that the path ends in."""
    import_module(MODELS[path.suffix.lower()]).export(target, path, args)


def _display() -> Any:
    """The function by which a notebook shows an object; None where there is no notebook."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return import_module("IPython.display").display


def _has_screen() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
