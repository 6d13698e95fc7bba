"""Names that the standard library of Python 3.6 to 3.10 had and that of Python 3.11 to 3.13 does not."""

from __future__ import annotations

import sys
from importlib import import_module

from .table import Library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def std(module: str) -> Library:
    """The entries of one module of the standard library."""
    return Library(module, "Python")


def elsewhere(gone: str, module: str, today: str, *names: str) -> None:
    """Declares names that are in another module now."""
    library = std(module)
    for name in names:
        library.add(name, gone, f"{today}.{name}", lambda *_, name=name: getattr(import_module(today), name))


_ABC = "AsyncGenerator AsyncIterable AsyncIterator Awaitable Callable Collection Container Coroutine Generator Hashable ItemsView"
_ABC += " Iterable Iterator KeysView Mapping MappingView MutableMapping MutableSequence MutableSet Reversible Sequence Set Sized"
elsewhere("3.10", "collections", "collections.abc", *f"{_ABC} ValuesView ByteString".split())
elsewhere("3.9", "fractions", "math", "gcd")

INSPECT = std("inspect")


def _arg_spec(*_: Any) -> Any:
    return import_module("collections").namedtuple("ArgSpec", "args varargs keywords defaults")


INSPECT.add("ArgSpec", "3.11", "inspect.FullArgSpec", _arg_spec)


@INSPECT.function("getargspec", "3.11", "inspect.getfullargspec")
def getargspec(func: Any) -> Any:
    full = import_module("inspect").getfullargspec(func)
    if full.kwonlyargs or full.annotations:
        raise ValueError("Function has keyword-only parameters or annotations, use inspect.signature()")
    return _arg_spec()(full.args, full.varargs, full.varkw, full.defaults)


@INSPECT.function("formatargspec", "3.11", "str(inspect.signature(function))")
def formatargspec(
    args: Any,
    varargs: Any = None,
    varkw: Any = None,
    defaults: Any = None,
    kwonlyargs: Any = (),
    kwonlydefaults: Any = None,
    *_: Any,
) -> str:
    first = len(args) - len(defaults or ())
    specs = [arg if i < first else f"{arg}={(defaults or ())[i - first]!r}" for i, arg in enumerate(args)]
    specs += [f"*{varargs}"] if varargs is not None else ["*"] if kwonlyargs else []
    specs += [arg if arg not in (kwonlydefaults or {}) else f"{arg}={kwonlydefaults[arg]!r}" for arg in kwonlyargs]
    specs += [f"**{varkw}"] if varkw is not None else []
    return f"({', '.join(specs)})"


TIME = std("time")
TIME.add(
    "clock",
    "3.8",
    "time.perf_counter",
    lambda module: module.perf_counter if sys.platform == "win32" else module.process_time,
)

BASE64 = std("base64")
BASE64.same("3.9", encodestring="encodebytes", decodestring="decodebytes")

ASYNCIO = std("asyncio")


@ASYNCIO.function("coroutine", "3.11", "async def")
def coroutine(func: Any) -> Any:
    inspect, functools = import_module("inspect"), import_module("functools")
    if inspect.iscoroutinefunction(func):
        return func
    call = import_module("types").coroutine(func)

    @functools.wraps(func)
    async def coro(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    return coro


std("asyncio.coroutines").add("coroutine", "3.11", "async def", lambda *_: coroutine)
ASYNCIO.add("async", "3.7", "asyncio.ensure_future", lambda module: module.ensure_future)
ASYNCIO.add("Task.all_tasks", "3.9", "asyncio.all_tasks", lambda *_: staticmethod(import_module("asyncio").all_tasks))
ASYNCIO.add(
    "Task.current_task", "3.9", "asyncio.current_task", lambda *_: staticmethod(import_module("asyncio").current_task)
)

std("threading").same_method("3.9", "Thread", isAlive="is_alive")
std("array").same_method("3.9", "array", tostring="tobytes", fromstring="frombytes")
std("pathlib").add(
    "Path.link_to", "3.12", "Path.hardlink_to", lambda *_: lambda self, target: import_module("os").link(self, target)
)
std("configparser").same_method("3.12", "RawConfigParser", readfp="read_file")
std("configparser").same("3.12", SafeConfigParser="ConfigParser")
std("unittest").same_method(
    "3.12",
    "TestCase",
    assertEquals="assertEqual", assertNotEquals="assertNotEqual", assert_="assertTrue", assertAlmostEquals="assertAlmostEqual",
    assertNotAlmostEquals="assertNotAlmostEqual", assertRegexpMatches="assertRegex", assertNotRegexpMatches="assertNotRegex",
    assertRaisesRegexp="assertRaisesRegex", failUnless="assertTrue", failIf="assertFalse", failUnlessEqual="assertEqual",
    failIfEqual="assertNotEqual", failUnlessRaises="assertRaises", failUnlessAlmostEqual="assertAlmostEqual",
    failIfAlmostEqual="assertNotAlmostEqual",
)  # fmt: skip
std("unittest").add(
    "makeSuite",
    "3.13",
    "unittest.TestLoader().loadTestsFromTestCase",
    lambda m: lambda c, *_: m.defaultTestLoader.loadTestsFromTestCase(c),
)
std("unittest").add(
    "findTestCases",
    "3.13",
    "unittest.TestLoader().loadTestsFromModule",
    lambda m: m.defaultTestLoader.loadTestsFromModule,
)
std("unittest").add(
    "getTestCaseNames",
    "3.13",
    "unittest.TestLoader().getTestCaseNames",
    lambda m: lambda c, *_: m.TestLoader().getTestCaseNames(c),
)


@std("unittest").function("TestCase.assertDictContainsSubset", "3.12", "self.assertEqual(d, d | subset)")
def assert_dict_contains_subset(self: Any, subset: Any, dictionary: Any, msg: Any = None) -> None:
    self.assertEqual({k: dictionary.get(k) for k in subset}, dict(subset), msg)


ELEMENT = std("xml.etree.ElementTree")


@ELEMENT.function("Element.getchildren", "3.9", "list(element)")
def getchildren(self: Any) -> list[Any]:
    return list(self)


@ELEMENT.function("Element.getiterator", "3.9", "element.iter")
def getiterator(self: Any, tag: str | None = None) -> list[Any]:
    return list(self.iter(tag))


@ELEMENT.function("ElementTree.getiterator", "3.9", "tree.iter")
def tree_getiterator(self: Any, tag: str | None = None) -> list[Any]:
    return list(self.iter(tag))


@std("html.parser").function("HTMLParser.unescape", "3.9", "html.unescape")
def unescape(self: Any, s: str) -> str:
    return import_module("html").unescape(s)


@std("cgi").function("escape", "3.8", "html.escape")
def escape(s: str, quote: bool | None = None) -> str:
    return import_module("html").escape(s, quote=bool(quote)).replace("&#x27;", "'")


std("cgi").add("parse_qs", "3.8", "urllib.parse.parse_qs", lambda *_: import_module("urllib.parse").parse_qs)
std("cgi").add("parse_qsl", "3.8", "urllib.parse.parse_qsl", lambda *_: import_module("urllib.parse").parse_qsl)

PLATFORM = std("platform")


def _linux(*_: Any, **__: Any) -> tuple[str, str, str]:
    try:
        found = import_module("platform").freedesktop_os_release()
    except OSError:
        return "", "", ""
    return (
        found.get("NAME", "").removesuffix(" GNU/Linux").lower(),
        found.get("VERSION_ID", ""),
        found.get("VERSION_CODENAME", ""),
    )


PLATFORM.add("linux_distribution", "3.8", "platform.freedesktop_os_release()", lambda *_: _linux)
PLATFORM.add("dist", "3.8", "platform.freedesktop_os_release()", lambda *_: _linux)
PLATFORM.add("popen", "3.8", "os.popen", lambda *_: import_module("os").popen)
PLATFORM.value("3.8", "os.devnull", DEV_NULL="/dev/null")

LOCALE = std("locale")


@LOCALE.function("format", "3.12", "locale.format_string")
def locale_format(percent: str, value: Any, grouping: bool = False, monetary: bool = False, *additional: Any) -> str:
    return import_module("locale").format_string(
        percent, (value, *additional) if additional else value, grouping, monetary
    )


@LOCALE.function("resetlocale", "3.13", 'locale.setlocale(category, "")')
def resetlocale(category: int = 6) -> None:
    import_module("locale").setlocale(category, "")


PLIST = std("plistlib")


def _plist(name: str) -> Any:
    def function(value: Any, target: Any = None) -> Any:
        plistlib = import_module("plistlib")
        if name == "readPlistFromBytes":
            return plistlib.loads(value)
        if name == "writePlistToBytes":
            return plistlib.dumps(value)
        reads = name == "readPlist"
        file = value if reads else target
        if isinstance(file, str):
            with open(file, "rb" if reads else "wb") as opened:
                return plistlib.load(opened) if reads else plistlib.dump(value, opened)
        return plistlib.load(file) if reads else plistlib.dump(value, file)

    return function


for _old, _new in {
    "readPlist": "load",
    "writePlist": "dump",
    "readPlistFromBytes": "loads",
    "writePlistToBytes": "dumps",
}.items():
    PLIST.add(_old, "3.9", f"plistlib.{_new}", lambda *_, _old=_old: _plist(_old))
PLIST.add("Data", "3.9", "bytes", lambda *_: type("Data", (bytes,), {"data": property(bytes)}))

AST = std("ast")


def _constant(*kinds: type) -> Any:
    ast = import_module("ast")

    class Kind(type):
        def __instancecheck__(cls, node: Any) -> bool:
            return isinstance(node, ast.Constant) and type(node.value) in kinds

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            value = args[0] if args else kwargs.get("n", kwargs.get("s", kwargs.get("value", ...)))
            return ast.Constant(value)

    if kinds and not hasattr(ast.Constant, "n"):
        ast.Constant.n = ast.Constant.s = property(lambda self: self.value)
    return Kind("Constant", (ast.AST,), {"_fields": ("value",)})


AST.add("Num", "3.14", "ast.Constant", lambda *_: _constant(int, float, complex))
AST.add("Str", "3.14", "ast.Constant", lambda *_: _constant(str))
AST.add("Bytes", "3.14", "ast.Constant", lambda *_: _constant(bytes))
AST.add("NameConstant", "3.14", "ast.Constant", lambda *_: _constant(bool, type(None)))
AST.add("Ellipsis", "3.14", "ast.Constant", lambda *_: _constant(type(...)))

IMPORTLIB = std("importlib")


@IMPORTLIB.function("find_loader", "3.12", "importlib.util.find_spec")
def find_loader(name: str, path: Any = None) -> Any:
    spec = import_module("importlib.util").find_spec(name)
    return None if spec is None else spec.loader


std("pkgutil").lost("3.12", "use importlib.util.find_spec", "ImpImporter", "ImpLoader")
std("gettext").same("3.11", lgettext="gettext", ldgettext="dgettext", lngettext="ngettext", ldngettext="dngettext")
std("re").value("3.13", "0", T=0, TEMPLATE=0)
std("re").add("template", "3.13", "re.compile", lambda m: m.compile)
std("wave").add("openfp", "3.9", "wave.open", lambda m: m.open)
std("logging").add("warn", "3.13", "logging.warning", lambda m: m.warning)
std("webbrowser").lost("3.13", "a browser of today", "Grail", "Galeon", "Netscape")
std("sys").add("setcheckinterval", "3.9", "sys.setswitchinterval", lambda *_: lambda n: None)
std("sys").add("getcheckinterval", "3.9", "sys.getswitchinterval", lambda *_: lambda: 100)
std("sys").value("3.0", "sys.maxsize", maxint=sys.maxsize)
std("os").same("3.0", getcwdu="getcwd")
std("string").same("3.0", letters="ascii_letters", lowercase="ascii_lowercase", uppercase="ascii_uppercase")
std("itertools").add("izip", "3.0", "zip", lambda *_: zip)
std("itertools").add("imap", "3.0", "map", lambda *_: map)
std("itertools").add("ifilter", "3.0", "filter", lambda *_: filter)
std("itertools").same("3.0", izip_longest="zip_longest")
std("tarfile").add("filemode", "3.8", "stat.filemode", lambda *_: import_module("stat").filemode)
_SPLIT = "splitattr splithost splitpasswd splitport splitquery splittag splittype splituser splitvalue to_bytes"
for _name in _SPLIT.split():
    std("urllib.request").add(
        _name,
        "3.14",
        "urllib.parse.urlsplit",
        lambda *_, _name=_name: getattr(import_module("urllib.parse"), _name, None),
    )
std("binascii").lost("3.11", "nothing replaces it", "a2b_hqx", "b2a_hqx", "rlecode_hqx", "rledecode_hqx")


@std("ssl").function("match_hostname", "3.12", "ssl.SSLContext.check_hostname")
def match_hostname(cert: Any, hostname: str) -> None:
    names = [value for kind, value in cert.get("subjectAltName", ()) if kind == "DNS"]
    for name in names:
        if name.lower() == hostname.lower() or (
            name[:2] == "*." and hostname.lower().partition(".")[2] == name[2:].lower()
        ):
            return
    error = import_module("ssl").CertificateError
    raise error(f"hostname {hostname!r} doesn't match {names}")


@std("ssl").function("wrap_socket", "3.12", "ssl.SSLContext.wrap_socket")
def wrap_socket(sock: Any, keyfile: Any = None, certfile: Any = None, server_side: bool = False, **kwargs: Any) -> Any:
    ssl = import_module("ssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = kwargs.pop("cert_reqs", ssl.CERT_NONE)
    if kwargs.get("ca_certs"):
        context.load_verify_locations(kwargs.pop("ca_certs"))
    if certfile:
        context.load_cert_chain(certfile, keyfile)
    return context.wrap_socket(sock, server_side=server_side)
