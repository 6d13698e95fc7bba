"""Modules that Python 3.6 to 3.11 had and today's does not: those that programs use are written out here in short."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType

from .names_of_python import std
from .table import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _fill(module: ModuleType, *functions: Any, **values: Any) -> None:
    for function in functions:
        function.__module__ = module.__name__
        vars(module)[function.__name__] = function
    vars(module).update(values)


def _imp(module: ModuleType) -> None:
    util, machinery = import_module("importlib.util"), import_module("importlib.machinery")

    def new_module(name: str) -> ModuleType:
        return ModuleType(name)

    def _loaded(name: str, loader: Any, path: str) -> ModuleType:
        spec = util.spec_from_file_location(name, path, loader=loader)
        made = util.module_from_spec(spec)
        sys.modules[name] = made
        spec.loader.exec_module(made)
        return sys.modules[name]

    def load_source(name: str, pathname: str, file: Any = None) -> ModuleType:
        return _loaded(name, machinery.SourceFileLoader(name, str(pathname)), str(pathname))

    def load_compiled(name: str, pathname: str, file: Any = None) -> ModuleType:
        return _loaded(name, machinery.SourcelessFileLoader(name, pathname), pathname)

    def load_dynamic(name: str, path: str, file: Any = None) -> ModuleType:
        return _loaded(name, machinery.ExtensionFileLoader(name, path), path)

    def load_package(name: str, path: str) -> ModuleType:
        return _loaded(name, machinery.SourceFileLoader(name, f"{path}/__init__.py"), f"{path}/__init__.py")

    kinds = [(s, "rb", 3) for s in machinery.EXTENSION_SUFFIXES]
    kinds += [(s, "r", 1) for s in machinery.SOURCE_SUFFIXES] + [(s, "rb", 2) for s in machinery.BYTECODE_SUFFIXES]

    def get_suffixes() -> list[tuple[str, str, int]]:
        return kinds

    def find_module(name: str, path: Any = None) -> Any:
        if path is None and name in sys.builtin_module_names:
            return None, None, ("", "", 6)
        for folder in sys.path if path is None else path:
            whole = os.path.join(folder or ".", name)
            if os.path.exists(os.path.join(whole, "__init__.py")):
                return None, whole, ("", "", 5)
            for suffix, mode, kind in kinds:
                if os.path.isfile(whole + suffix):
                    return open(whole + suffix, mode), whole + suffix, (suffix, mode, kind)
        raise ImportError(f"No module named {name!r}", name=name)

    def load_module(name: str, file: Any, filename: str, details: Any) -> ModuleType:
        load = {1: load_source, 2: load_compiled, 3: load_dynamic}.get(details[2])
        if load is not None:
            return load(name, filename)
        return load_package(name, filename) if details[2] == 5 else import_module(name)

    def is_builtin(name: str) -> int:
        return int(name in sys.builtin_module_names)

    def acquire_lock() -> None:
        pass

    def release_lock() -> None:
        pass

    def lock_held() -> bool:
        return False

    _fill(
        module, new_module, load_source, load_compiled, load_dynamic, load_package, get_suffixes, find_module, load_module,
        is_builtin, acquire_lock, release_lock, lock_held,
        reload=import_module("importlib").reload, cache_from_source=util.cache_from_source,
        source_from_cache=util.source_from_cache, get_tag=lambda: sys.implementation.cache_tag,
        get_magic=lambda: util.MAGIC_NUMBER,
        PY_SOURCE=1, PY_COMPILED=2, C_EXTENSION=3, PKG_DIRECTORY=5, C_BUILTIN=6, PY_FROZEN=7,
    )  # fmt: skip


std("imp").add("", "3.12", "importlib", _imp)


def _version(module: ModuleType) -> None:
    import re
    from functools import total_ordering

    @total_ordering
    class Version:
        def __init__(self, vstring: str | None = None) -> None:
            if vstring:
                self.parse(vstring)

        def parse(self, vstring: str) -> None:
            raise NotImplementedError

        def __repr__(self) -> str:
            return f"{type(self).__name__} ('{self}')"

        def _key(self, other: Any) -> tuple[Any, Any]:
            other = type(self)(other) if isinstance(other, str) else other
            return self.version, other.version  # type: ignore[attr-defined]

        def __eq__(self, other: object) -> bool:
            a, b = self._key(other)
            return bool(a == b)

        def __lt__(self, other: object) -> bool:
            a, b = self._key(other)
            return bool(a < b)

        def __hash__(self) -> int:
            return hash(str(self))

    class LooseVersion(Version):
        component_re = re.compile(r"(\d+ | [a-z]+ | \.)", re.VERBOSE)

        def parse(self, vstring: str) -> None:
            self.vstring = vstring
            parts = [part for part in self.component_re.split(vstring) if part and part != "."]
            self.version = [int(part) if part.isdigit() else part for part in parts]

        def __str__(self) -> str:
            return self.vstring

    class StrictVersion(Version):
        version_re = re.compile(r"^(\d+)\.(\d+)(\.(\d+))?([ab](\d+))?$", re.ASCII)

        def parse(self, vstring: str) -> None:
            match = self.version_re.match(vstring)
            if not match:
                raise ValueError(f"invalid version number '{vstring}'")
            major, minor, patch, pre, number = match.group(1, 2, 4, 5, 6)
            self.numbers = (int(major), int(minor), int(patch or 0))
            self.prerelease = (pre[0], int(number)) if pre else None
            self.version = (self.numbers, self.prerelease or ("z", 0))

        def __str__(self) -> str:
            shown = self.numbers[:2] if self.numbers[2] == 0 else self.numbers
            return ".".join(map(str, shown)) + ("".join(map(str, self.prerelease)) if self.prerelease else "")

    _fill(module, Version, LooseVersion, StrictVersion)


def _util(module: ModuleType) -> None:
    sysconfig = import_module("sysconfig")

    def strtobool(val: str) -> int:
        val = val.lower()
        if val in ("y", "yes", "t", "true", "on", "1"):
            return 1
        if val in ("n", "no", "f", "false", "off", "0"):
            return 0
        raise ValueError(f"invalid truth value {val!r}")

    _fill(module, strtobool, get_platform=sysconfig.get_platform, split_quoted=import_module("shlex").split)


def _files(module: ModuleType) -> None:
    shutil = import_module("shutil")

    def mkpath(name: str, mode: int = 0o777, verbose: int = 1, dry_run: int = 0) -> list[str]:
        made: list[str] = []
        while name and not os.path.isdir(name):
            made.insert(0, name)
            name = os.path.dirname(name)
        for folder in () if dry_run else made:
            os.mkdir(folder, mode)
        return made

    def copy_tree(src: str, dst: str, *_: Any, **__: Any) -> list[str]:
        if not os.path.isdir(src):
            raise _errors().DistutilsFileError(f"cannot copy tree '{src}': not a directory")
        shutil.copytree(src, dst, dirs_exist_ok=True)
        return [
            os.path.join(dst, os.path.relpath(os.path.join(d, f), src))
            for d, _dirs, files in os.walk(src)
            for f in files
        ]

    def copy_file(src: str, dst: str, *_: Any, **__: Any) -> tuple[str, int]:
        return shutil.copy2(src, dst), 1

    _fill(
        module, mkpath, copy_tree, copy_file, remove_tree=lambda directory, *_, **__: shutil.rmtree(directory),
        move_file=lambda src, dst, *_, **__: shutil.move(src, dst),
        find_executable=lambda executable, path=None: shutil.which(executable, path=path),
        spawn=lambda cmd, *_, **__: import_module("subprocess").check_call(cmd), make_archive=shutil.make_archive,
    )  # fmt: skip


def _errors() -> Any:
    return import_module("distutils.errors")


def _error_classes(module: ModuleType) -> None:
    base = type("DistutilsError", (Exception,), {})
    names = [
        "Module",
        "Class",
        "Getopt",
        "Arg",
        "File",
        "Option",
        "Setup",
        "Platform",
        "Exec",
        "Internal",
        "Template",
        "ByteCompile",
    ]
    _fill(
        module,
        base,
        *(type(f"Distutils{name}Error", (base,), {}) for name in names),
        CompileError=type("CompileError", (Exception,), {}),
    )


def _log(module: ModuleType) -> None:
    logger = import_module("logging").getLogger("distutils")
    _fill(module, debug=logger.debug, info=logger.info, warn=logger.warning, error=logger.error, fatal=logger.critical)
    _fill(
        module,
        set_verbosity=lambda v: None,
        set_threshold=lambda level: level,
        DEBUG=1,
        INFO=2,
        WARN=3,
        ERROR=4,
        FATAL=5,
    )


def _sysconfig(module: ModuleType) -> None:
    sysconfig = import_module("sysconfig")
    path = sysconfig.get_path
    _fill(
        module,
        get_python_inc=lambda plat_specific=0, prefix=None: path("platinclude" if plat_specific else "include"),
        get_python_lib=lambda plat_specific=0, standard_lib=0, prefix=None: path("stdlib" if standard_lib else "purelib"),
        get_config_var=sysconfig.get_config_var, get_config_vars=sysconfig.get_config_vars,
        get_makefile_filename=sysconfig.get_makefile_filename,
        PREFIX=sys.prefix, EXEC_PREFIX=sys.exec_prefix,
    )  # fmt: skip


def _of_setuptools(module: ModuleType) -> None:
    """The building of extensions is setuptools' own."""
    vars(module).update(vars(import_module(f"setuptools._distutils.{module.__name__.partition('.')[2]}")))


def _distutils(module: ModuleType) -> None:
    module.__path__ = []
    vars(module)["__version__"] = "3.11"
    vars(module)["__getattr__"] = lambda name: _part(module, name)


def _part(module: ModuleType, name: str) -> Any:
    if find(f"{module.__name__}.{name}") is None:
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}", name=name)
    return import_module(f"{module.__name__}.{name}")


std("distutils").add("", "3.12", "packaging, shutil, sysconfig or setuptools", _distutils)
std("distutils.version").add("", "3.12", "packaging.version", _version)
std("distutils.util").add("", "3.12", "a comparison with the words that you take for true", _util)
for _name in ("dir_util", "file_util", "spawn", "archive_util"):
    std(f"distutils.{_name}").add("", "3.12", "shutil", _files)
std("distutils.errors").add("", "3.12", "exceptions of your own", _error_classes)
std("distutils.log").add("", "3.12", "logging", _log)
std("distutils.sysconfig").add("", "3.12", "sysconfig", _sysconfig)
for _name in (
    "core",
    "cmd",
    "extension",
    "ccompiler",
    "command",
    "command.build_ext",
    "command.build_py",
    "dep_util",
    "text_file",
):
    std(f"distutils.{_name}").add("", "3.12", "setuptools", _of_setuptools)


def _imghdr(module: ModuleType) -> None:
    def what(file: Any, h: bytes | None = None) -> str | None:
        if h is None:
            if isinstance(file, str | os.PathLike):
                with open(file, "rb") as opened:
                    h = opened.read(32)
            else:
                place = file.tell()
                h = file.read(32)
                file.seek(place)
        starts = {
            b"\x89PNG\r\n\x1a\n": "png",
            b"GIF87a": "gif",
            b"GIF89a": "gif",
            b"MM": "tiff",
            b"II": "tiff",
            b"\001\332": "rgb",
        }
        starts |= {b"BM": "bmp", b"\x59\xa6\x6a\x95": "rast", b"#define ": "xbm", b"\x76\x2f\x31\x01": "exr"}
        if h[6:10] in (b"JFIF", b"Exif") or h[:4] == b"\xff\xd8\xff\xdb":
            return "jpeg"
        if h[:4] == b"RIFF" and h[8:12] == b"WEBP":
            return "webp"
        if len(h) >= 3 and h[:1] == b"P" and h[1:2] in b"142536" and h[2:3] in b" \t\n\r":
            return {b"1": "pbm", b"4": "pbm", b"2": "pgm", b"5": "pgm", b"3": "ppm", b"6": "ppm"}[h[1:2]]
        return next((kind for start, kind in starts.items() if h.startswith(start)), None)

    _fill(module, what)


std("imghdr").add("", "3.13", "PIL.Image.open(file).format", _imghdr)


def _pipes(module: ModuleType) -> None:
    _fill(module, quote=import_module("shlex").quote)


std("pipes").add("", "3.13", "shlex.quote, or subprocess", _pipes)


def _cgi(module: ModuleType) -> None:
    parse, names = import_module("urllib.parse"), import_module(f"{__package__}.names_of_python")

    def parse_header(line: str) -> tuple[str, dict[str, str]]:
        message = import_module("email.message").Message()
        message["content-type"] = line
        (kind, _), *options = message.get_params()
        return kind, dict(options)

    _fill(module, parse_header, escape=names.escape, parse_qs=parse.parse_qs, parse_qsl=parse.parse_qsl)


std("cgi").add("", "3.13", "urllib.parse, html and email", _cgi)


def _typing_part(module: ModuleType) -> None:
    typing = import_module("typing")
    names = ("IO", "TextIO", "BinaryIO") if module.__name__ == "typing.io" else ("Pattern", "Match")
    _fill(module, **{name: getattr(typing, name) for name in names})


@std("typing").after
def _as_package(module: ModuleType) -> None:
    """``typing.io`` can be looked for only inside something that has a path."""
    if "typing.io" not in sys.modules:
        module.__path__ = []


std("typing.io").add("", "3.13", "typing", _typing_part)
std("typing.re").add("", "3.13", "typing", _typing_part)


def _threads(module: ModuleType) -> None:
    """Threads are always there; ``dummy_threading`` stood in for them."""
    name = "threading" if module.__name__ == "dummy_threading" else "_thread"
    vars(module).update({k: v for k, v in vars(import_module(name)).items() if not k.startswith("__")})


std("dummy_threading").add("", "3.9", "threading", _threads)
std("_dummy_thread").add("", "3.9", "_thread", _threads)
std("_dummy_threading").add("", "3.9", "threading", _threads)

_GONE_311 = {
    "formatter": "nothing replaces it",
    "parser": "ast",
    "symbol": "ast",
    "macpath": "posixpath",
    "binhex": "nothing replaces it",
}
for _name, _instead in _GONE_311.items():
    std(_name).add("", "3.11", _instead)
_GONE_312 = {
    "asyncore": "asyncio, or install pyasyncore",
    "asynchat": "asyncio, or install pyasynchat",
    "smtpd": "install aiosmtpd",
}
for _name, _instead in _GONE_312.items():
    std(_name).add("", "3.12", _instead)
for _name in [
    "aifc",
    "audioop",
    "cgitb",
    "chunk",
    "crypt",
    "lib2to3",
    "mailcap",
    "nntplib",
    "sndhdr",
    "spwd",
    "sunau",
    "telnetlib",
    "uu",
    "xdrlib",
]:
    std(_name).add("", "3.13", "install audioop-lts" if _name == "audioop" else f"install standard-{_name}")
