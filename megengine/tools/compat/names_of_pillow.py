"""Names that Pillow 9 had and Pillow 10 and later do not."""

from __future__ import annotations

import sys
from importlib import import_module

from .table import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PIL = Library("PIL", "Pillow")
PIL.add("PILLOW_VERSION", "9.0", "PIL.__version__", lambda module: module.__version__)
PIL.add("VERSION", "6.0", "PIL.__version__", lambda module: "1.1.7")

IMAGE = Library("PIL.Image", "Pillow", "Image.")
IMAGE.same("10.0", ANTIALIAS="LANCZOS", LINEAR="BILINEAR", CUBIC="BICUBIC")
IMAGE.same("10.0", NONE="Dither.NONE", NORMAL="Dither.NONE", CONTAINER="Dither.NONE", SEQUENCE="Dither.NONE")
IMAGE.value("10.0", "{value!r}", USE_CFFI_ACCESS=False)
IMAGE.add("PILLOW_VERSION", "7.0", "PIL.__version__", lambda *_: import_module("PIL").__version__)
IMAGE.add("VERSION", "6.0", "PIL.__version__", lambda *_: "1.1.7")
IMAGE.add("isImageType", "12.0", "isinstance(image, Image.Image)", lambda module: lambda t: hasattr(t, "im"))
IMAGE.add("isPath", "10.0", "isinstance(path, (str, bytes, os.PathLike))", lambda *_: _is_path)


def _is_path(f: Any) -> bool:
    return isinstance(f, str | bytes | import_module("os").PathLike)


@IMAGE.function("Image.tostring", "3.0", "image.tobytes")
def tostring(self: Any, *args: Any, **kwargs: Any) -> bytes:
    return self.tobytes(*args, **kwargs)


@IMAGE.function("Image.getdata", "14.0", "image.get_flattened_data")
def getdata(self: Any, band: int | None = None) -> Any:
    self.load()
    return self.im if band is None else self.im.getband(band)


IMAGE.add("fromstring", "3.0", "Image.frombytes", lambda module: module.frombytes)

FONT = Library("PIL.ImageFont", "Pillow", "ImageFont.")


def _text_size(font: Any, text: Any, *args: Any, **kwargs: Any) -> tuple[int, int]:
    """``font.getsize(text)`` of Pillow 9: right and bottom of the text's box, drawn at (0, 0)."""
    width, height = font.getbbox(text, *(("", *args) if args else ()), **kwargs)[2:]
    return int(width), int(height)


@FONT.function("FreeTypeFont.getsize", "10.0", "font.getbbox(text)[2:]")
def getsize(
    self: Any, text: Any, direction: Any = None, features: Any = None, language: Any = None, stroke_width: int = 0
) -> tuple[int, int]:
    (width, height), (_, top) = self.font.getsize(text, "", direction, features, language, "la")[:2]
    return int(width) + stroke_width * 2, int(height) + stroke_width * 2 + int(top)


@FONT.function("FreeTypeFont.getoffset", "10.0", "font.getbbox(text)[:2]")
def getoffset(self: Any, text: Any) -> tuple[int, int]:
    left, top = self.font.getsize(text, "", None, None, None, "la")[1]
    return int(left), int(top)


@FONT.function("FreeTypeFont.getsize_multiline", "10.0", "ImageDraw.multiline_textbbox")
def getsize_multiline(
    self: Any,
    text: Any,
    direction: Any = None,
    spacing: int = 4,
    features: Any = None,
    language: Any = None,
    stroke_width: int = 0,
) -> tuple[int, int]:
    lines = text.split("\n" if isinstance(text, str) else b"\n")
    line = getsize(self, "A", stroke_width=stroke_width)[1] + spacing
    width = max(getsize(self, one, direction, features, language, stroke_width)[0] for one in lines)
    return width, len(lines) * line - spacing


@FONT.function("ImageFont.getsize", "10.0", "font.getbbox(text)[2:]")
def bitmap_getsize(self: Any, text: Any, *args: Any, **kwargs: Any) -> tuple[int, int]:
    return tuple(self.font.getsize(text))  # type: ignore[return-value]


@FONT.function("TransposedFont.getsize", "10.0", "font.getbbox(text)[2:]")
def transposed_getsize(self: Any, text: Any, *args: Any, **kwargs: Any) -> tuple[int, int]:
    width, height = _size_of(self.font, text)
    turned = self.orientation in (
        sys.modules["PIL.Image"].Transpose.ROTATE_90,
        sys.modules["PIL.Image"].Transpose.ROTATE_270,
    )
    return (height, width) if turned else (width, height)


def _size_of(font: Any, text: Any, *args: Any, **kwargs: Any) -> tuple[int, int]:
    kinds = sys.modules["PIL.ImageFont"]
    if isinstance(font, kinds.FreeTypeFont):
        return getsize(font, text, *args, **kwargs)
    return transposed_getsize(font, text) if isinstance(font, kinds.TransposedFont) else bitmap_getsize(font, text)


DRAW = Library("PIL.ImageDraw", "Pillow", "ImageDraw.")


@DRAW.function("ImageDraw.textsize", "10.0", "draw.textbbox((0, 0), text)[2:]")
def textsize(
    self: Any, text: Any, font: Any = None, spacing: int = 4, direction: Any = None, features: Any = None, language: Any = None,
    stroke_width: int = 0,
) -> tuple[int, int]:  # fmt: skip
    if ("\n" if isinstance(text, str) else b"\n") in text:
        return multiline_textsize(self, text, font, spacing, direction, features, language, stroke_width)
    return _size_of(self.getfont() if font is None else font, text, direction, features, language, stroke_width)


@DRAW.function("ImageDraw.multiline_textsize", "10.0", "draw.multiline_textbbox((0, 0), text)[2:]")
def multiline_textsize(
    self: Any, text: Any, font: Any = None, spacing: int = 4, direction: Any = None, features: Any = None, language: Any = None,
    stroke_width: int = 0,
) -> tuple[int, int]:  # fmt: skip
    lines = text.split("\n" if isinstance(text, str) else b"\n")
    line = textsize(self, "A", font=font, stroke_width=stroke_width)[1] + spacing
    return max(
        textsize(self, one, font, spacing, direction, features, language, stroke_width)[0] for one in lines
    ), len(lines) * line - spacing


DRAW2 = Library("PIL.ImageDraw2", "Pillow", "ImageDraw2.")
DRAW2.add(
    "Draw.textsize",
    "10.0",
    "draw.textbbox",
    lambda *_: lambda self, text, font: textsize(self.draw, text, font=font.font),
)

FILE = Library("PIL.ImageFile", "Pillow", "ImageFile.")


@FILE.function("raise_oserror", "12.0", "raise OSError")
def raise_oserror(error: int) -> None:
    raise OSError(f"image file error {error} when reading image file")


FILE.add("raise_ioerror", "9.0", "raise OSError", lambda *_: raise_oserror)

MATH = Library("PIL.ImageMath", "Pillow", "ImageMath.")


@MATH.function("eval", "12.0", "ImageMath.lambda_eval, or ImageMath.unsafe_eval")
def image_math_eval(expression: str, _dict: Any = None, **kw: Any) -> Any:
    return sys.modules["PIL.ImageMath"].unsafe_eval(expression, **{**(_dict or {}), **kw})
