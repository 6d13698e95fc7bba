"""What a checkpoint cannot make the program do, and how to allow more."""

from __future__ import annotations

import argparse
import builtins
import collections
import copyreg
import datetime
import functools
import io
import os
import pathlib
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor
from megengine.quantization import QConfig, ema_fakequant_qconfig
from megengine.serialization import CheckpointError, RefusedError


class Touch:
    """Makes a file when it is unpickled, if anything lets it."""

    def __init__(self, call: Callable[..., Any], *args: Any) -> None:
        self.call, self.args = call, args

    def __reduce__(self) -> Any:
        return self.call, self.args


class Net(M.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = M.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)


class Config:
    def __init__(self) -> None:
        self.width = 3


def double(x: int) -> int:
    return 2 * x


def attributes() -> list[dict[str, Any]]:
    """Of classes that an attack could change; pickle itself notes the names of their slots."""
    return [{k: v for k, v in vars(c).items() if k != "__slotnames__"} for c in (Tensor, M.Module, M.Linear)]


@pytest.fixture(autouse=True)
def _untouched(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    before = attributes()
    yield
    assert not (tmp_path / "touched").exists()
    assert attributes() == before


ATTACKS: dict[str, Any] = {
    "os.system": Touch(os.system, "touch touched"),
    "subprocess": Touch(subprocess.call, ["touch", "touched"]),
    "eval": Touch(eval, "open('touched', 'w')"),
    "exec": Touch(exec, "open('touched', 'w')"),
    "open": Touch(open, "touched", "w"),
    "getattr": Touch(getattr, Tensor, "__init__"),
    "import": Touch(builtins.__import__, "antigravity"),
    "nested": {"state": [Tensor([1.0]), ({"deep": (Touch(os.system, "touch touched"),)},)]},
    "key": {Touch(os.system, "touch touched"): 1},
    "object array": np.array([1, Touch(os.system, "touch touched")], object),
    "default factory": collections.defaultdict(eval, {}),
    "type": Touch(type, "X", (), {}),
    "memoryview": Touch(memoryview, b"abc"),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused_and_named(name: str, protocol: int) -> None:
    data = pickle.dumps(ATTACKS[name], protocol)
    with pytest.raises(RefusedError, match=r"cannot load .* refers to .*allow=.*MEGENGINE_LOAD_ALLOW") as caught:
        mge.load(io.BytesIO(data))
    assert len(caught.value.names) == 1 and caught.value.names[0] in str(caught.value)


def op(name: str, *args: bytes) -> bytes:
    return getattr(pickle, name) + b"".join(args)


def glob(module: str, name: str) -> bytes:
    return op("GLOBAL", f"{module}\n{name}\n".encode())


def text(value: str) -> bytes:
    return op("SHORT_BINUNICODE", struct.pack("B", len(value)), value.encode())


PROTO = b"\x80\x04"
NONE, STOP, TUPLE1, TUPLE2, REDUCE, BUILD, NEWOBJ = b"N", b".", b"\x85", b"\x86", b"R", b"b", b"\x81"
DICT, TUPLE, SETITEM, MARK, BINGET, MEMOIZE, POP = b"}", b")", b"s", b"(", b"h", b"\x94", b"0"
MINUS_ONE = b"J\xff\xff\xff\xff"
LINEAR = glob("megengine.module.linear", "Linear")
ARRAY = glob("numpy.core.multiarray", "_reconstruct") + glob("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
DTYPE = glob("numpy", "dtype")
OBJECT = DTYPE + text("O8") + b"\x89\x88\x87R(K\x03" + text("|") + NONE * 3 + MINUS_ONE * 2 + b"K\x3ftb"
INT8 = DTYPE + text("i1") + b"\x89\x88\x87R"

# name -> (program of an unpickler, what it is told)
PROGRAMS = {
    "changes a class": (LINEAR + NONE + DICT + text("forward") + text("x") + SETITEM + TUPLE2 + BUILD, "changes"),
    "changes a class by items": (LINEAR + text("forward") + text("x") + SETITEM, "does not support item assignment"),
    "changes a function": (
        glob("_codecs", "encode") + NONE + DICT + text("run") + text("x") + SETITEM + TUPLE2 + BUILD, "changes",
    ),
    "changes an enumeration": (
        glob("megengine.quantization.utils", "QuantMode") + b"K\x01" + TUPLE1 + REDUCE
        + DICT + text("_value_") + b"K\x05" + SETITEM + BUILD, "changes",
    ),
    "changes an array again": (
        ARRAY + b"(K\x01K\x01\x85" + INT8 + b"\x89C\x01atb" + b"(K\x01K\x09\x85" + OBJECT + b"\x89C\x08AAAAAAAAtb", "changes",
    ),
    "calls a module": (LINEAR + b"K\x02K\x02\x86" + REDUCE + TUPLE + REDUCE, "calls"),
    "calls an array's class": (glob("numpy", "ndarray") + b"K\x01\x85" + REDUCE, "calls"),
    "makes an array's class": (glob("numpy", "ndarray") + b"K\x01\x85\x85" + NEWOBJ, "calls"),
    "pointers as objects": (ARRAY + b"(K\x01K\x01\x85" + OBJECT + b"\x89C\x08AAAAAAAAtb", "list of 1 objects"),
    "pointers as objects in a record": (
        ARRAY + b"(K\x01K\x01\x85" + DTYPE + text("V8") + b"\x89\x88\x87R"
        + b"(K\x03" + text("|") + NONE + text("f") + TUPLE1 + DICT + text("f") + OBJECT + b"K\x00\x86" + SETITEM
        + b"K\x08K\x01K\x00tb\x89C\x08AAAAAAAAtb", "list of 1 objects",
    ),
    "an array of negative size": (ARRAY + b"(K\x01" + MINUS_ONE + b"\x85" + OBJECT + b"\x89]tb", "no array"),
    "an array larger than its bytes": (ARRAY + b"(K\x01K\x09\x85" + INT8 + b"\x89C\x01atb", "9 elements"),
    "another class as array": (
        glob("numpy.core.multiarray", "_reconstruct") + LINEAR + b"K\x00\x85C\x01b\x87R", "an array of the class",
    ),
    "an extension": (b"\x82\x05", "extension"),
    "an object outside": (text("x") + op("BINPERSID"), "persistent"),
    "a strange codec": (glob("_codecs", "encode") + text("x") + text("rot13") + TUPLE2 + REDUCE, "rot13"),
    "a dotted name": (
        text("megengine.module.linear") + text("Linear.forward") + op("STACK_GLOBAL"), "Linear.forward",
    ),
    "a function of a module": (glob("megengine.module.init", "normal_") + text("x") + TUPLE1 + REDUCE, "normal_"),
    "what a module of functions imports": (glob("megengine.functional.nn", "apply"), "apply"),
    "a module's import": (glob("megengine.module.linear", "np"), "np"),
    "a value that is no name": (b"K\x01K\x02" + op("STACK_GLOBAL"), "STACK_GLOBAL"),
    "a buffer elsewhere": (op("NEXT_BUFFER"), "buffer"),
    "protocol 1's reconstructor": (
        glob("copyreg", "_reconstructor") + glob("os", "system") + glob("builtins", "object") + NONE + b"\x87R", "os.system",
    ),
    "the reconstructor of an array": (
        glob("copyreg", "_reconstructor") + glob("numpy", "ndarray") + glob("builtins", "object") + NONE + b"\x87R", "object",
    ),
    "protocol 0's instance": (MARK + b"V1\ni" + b"os\nsystem\n", "os.system"),
    "protocol 1's object": (MARK + glob("os", "system") + text("touch touched") + op("OBJ"), "os.system"),
    "a function from the memo": (
        glob("os", "system") + MEMOIZE + POP + BINGET + b"\x00" + text("touch touched") + TUPLE1 + REDUCE, "os.system",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_of_unpicklers(name: str) -> None:
    program, told = PROGRAMS[name]
    with pytest.raises((RefusedError, CheckpointError), match="(?s)cannot load .*" + told):
        mge.load(io.BytesIO(PROTO + program + STOP))


def test_a_registered_extension_is_refused() -> None:
    copyreg.add_extension("os", "getcwd", 77)
    try:
        with pytest.raises(CheckpointError, match="number 77"):
            mge.load(io.BytesIO(PROTO + b"\x82\x4d."))
    finally:
        copyreg.remove_extension("os", "getcwd", 77)


def test_attributes_may_hide_methods_but_not_run() -> None:
    net = M.Linear(2, 1)
    net.forward = np.float32  # type: ignore[method-assign,assignment]
    loaded = mge.load(io.BytesIO(pickle.dumps(net)))
    assert loaded.forward is np.float32 and M.Linear.forward is not np.float32


PLAIN = [
    None, True, 3, 2.5, 1j, "a", b"b", bytearray(b"c"), (1, [2, {3: {4}}]), frozenset({5}), slice(1, None, 2), range(3), ...,
    collections.OrderedDict(b=1, a=2), collections.defaultdict(list, a=[1]), collections.deque([1], 3),
    collections.Counter("aab"), datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC), datetime.timedelta(3),
    argparse.Namespace(lr=0.1), pathlib.Path("a/b"), np.float32, np.dtype("f4"), int, dict,
]  # fmt: skip


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_are_loaded(protocol: int) -> None:
    file = io.BytesIO()
    mge.save(PLAIN, file, pickle_protocol=protocol)
    for data in (file.getvalue(), pickle.dumps(PLAIN, protocol)):
        loaded = mge.load(io.BytesIO(data))
        assert loaded == PLAIN and [type(i) for i in loaded] == [type(i) for i in PLAIN]


def test_shared_and_cyclic_containers() -> None:
    ring: list[Any] = [1]
    ring.append({"ring": ring})
    loaded = mge.load(io.BytesIO(pickle.dumps(ring)))
    assert loaded[1]["ring"] is loaded


def saved(item: Any) -> io.BytesIO:
    file = io.BytesIO()
    mge.save(item, file)
    file.seek(0)
    return file


NAME = f"{__name__}.Net"
CONFIG = f"{__name__}.Config"


@pytest.mark.parametrize(
    "allow", [[Net, Config], [NAME, Config], (NAME, CONFIG), {NAME: Net, CONFIG: Config}, "all", ["all"]]
)
def test_allowing_classes(allow: Any) -> None:
    item = [Net(), Config()]
    with pytest.raises(RefusedError) as caught:
        mge.load(saved(item))
    assert caught.value.names == [CONFIG]
    net, config = mge.load(saved(item), allow=allow)
    assert type(net) is Net and net(Tensor([[1.0, 2.0]])).shape == (1, 1) and config.width == 3


def test_modules_of_the_program_load_and_are_not_called() -> None:
    """Making one without its ``__init__`` runs nothing but what the program's own class says."""
    net = mge.load(saved(Net()))
    assert type(net) is Net and net(Tensor([[1.0, 2.0]])).shape == (1, 1)

    class Called:
        def __reduce__(self) -> Any:
            return Net, ()

    with pytest.raises(pickle.UnpicklingError, match="calls"):
        mge.load(io.BytesIO(pickle.dumps(Called())))
    for name in ("Net.forward", "M.Module.__call__", "Config", "os.system", "NAME"):
        data = (
            pickle.PROTO
            + b"\x04"
            + b"".join(pickle.SHORT_BINUNICODE + bytes([len(part)]) + part.encode() for part in (__name__, name))
        )
        with pytest.raises((RefusedError, pickle.UnpicklingError)):
            mge.load(io.BytesIO(data + pickle.STACK_GLOBAL + b"."))


def test_all_that_is_refused_is_told_at_once() -> None:
    data = pickle.dumps([Config(), complex], 0).replace(b"complex", b"eval")
    with pytest.raises(RefusedError) as caught:
        mge.load(io.BytesIO(data))
    assert caught.value.names == [CONFIG, "builtins.eval"]


def test_what_is_allowed_is_all_that_is() -> None:
    with pytest.raises(RefusedError) as caught:
        mge.load(saved([Net(), Config()]), allow=[Net])
    assert caught.value.names == [CONFIG]
    assert mge.load(io.BytesIO(pickle.dumps(Touch(double, 4))), allow=[double]) == 8


def test_a_class_that_has_moved() -> None:
    elsewhere = "x" * len(__name__)
    data = saved(Net()).getvalue().replace(__name__.encode(), elsewhere.encode())
    with pytest.raises(RefusedError, match=f"{elsewhere}.Net"):
        mge.load(io.BytesIO(data))
    assert type(mge.load(io.BytesIO(data), allow={f"{elsewhere}.Net": Net})) is Net


def test_the_environment_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEGENGINE_LOAD_ALLOW", f"{NAME}, {CONFIG}")
    assert type(mge.load(saved([Net(), Config()]))[0]) is Net
    monkeypatch.setenv("MEGENGINE_LOAD_ALLOW", "all")
    assert mge.load(io.BytesIO(pickle.dumps(Touch(double, 4)))) == 8


@pytest.mark.parametrize("allow", [3, [3], "Net", ["Net"]])
def test_what_allow_cannot_be(allow: Any) -> None:
    with pytest.raises(TypeError, match="allow"):
        mge.load(saved(1), allow=allow)


def test_whole_modules_of_this_package_need_no_allowance() -> None:
    net = M.Sequential(M.Conv2d(1, 2, 3), M.BatchNorm2d(2), M.LSTM(2, 2), M.MultiHeadAttention(4, 2))
    assert [type(m) for m in mge.load(saved(net)).modules()] == [type(m) for m in net.modules()]
    shared = Parameter([1.0])
    pair = M.Sequential(M.Linear(1, 1), M.Linear(1, 1))
    pair[0].bias = pair[1].bias = shared
    loaded = mge.load(saved(pair))
    assert loaded[0].bias is loaded[1].bias


# By the names that MegEngine 1.13 and this package write.
FUNCTIONS = {
    "relu": (F.relu, "nn", ""), "exp": (F.exp, "elemwise", ""), "concat": (F.concat, "tensor", ""), "topk": (F.topk, "math", ""),
    "interpolate": (F.nn.interpolate, "vision", "nn"), "nms": (F.vision.nms, "vision", "nn"),
    "l1_loss": (F.loss.l1_loss, "loss", "nn"),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_that_a_module_holds_are_loaded(name: str) -> None:
    function, theirs, ours = FUNCTIONS[name]
    net = Net()
    net.activation, net.options = function, {"init": functools.partial(M.init.normal_, std=0.1)}
    data = saved(net).getvalue()
    loaded = mge.load(io.BytesIO(data))
    assert loaded.activation is function and loaded.options["init"].func is M.init.normal_
    assert f"megengine.functional{'.' * bool(ours)}{ours}".encode() in data
    assert mge.load(io.BytesIO(PROTO + glob(f"megengine.functional.{theirs}", name) + STOP)) is function


def test_functions_are_not_called() -> None:
    for function in (F.exp, M.init.ones_):
        with pytest.raises(pickle.UnpicklingError, match="calls"):
            mge.load(io.BytesIO(pickle.dumps(Touch(function, Tensor([1.0])))))
    with pytest.raises(RefusedError, match="system"):
        mge.load(saved(functools.partial(os.system, "touch touched")))
    called = PROTO + glob("functools", "partial") + glob("builtins", "list") + b"\x85R)R" + STOP  # partial(list)()
    with pytest.raises(pickle.UnpicklingError, match="calls"):
        mge.load(io.BytesIO(called))


def test_scalers_and_quantization_configurations() -> None:
    scaler, qconfig = mge.load(saved([mge.amp.GradScaler(4.0), ema_fakequant_qconfig]))
    assert scaler.state_dict() == mge.amp.GradScaler(4.0).state_dict() and scaler._skipped_in_a_row == 0
    assert type(qconfig) is QConfig and qconfig.act_observer().dtype == ema_fakequant_qconfig.act_observer().dtype


def test_hooks_of_the_program_are_named() -> None:
    net = M.Linear(1, 1)
    net.register_forward_hook(double)
    with pytest.raises(RefusedError, match="double"):
        mge.load(saved(net))


def test_no_module_is_imported_for_a_name_that_is_refused() -> None:
    assert "antigravity" not in sys.modules
    with pytest.raises(RefusedError):
        mge.load(io.BytesIO(PROTO + glob("antigravity", "webbrowser") + STOP))
    assert "antigravity" not in sys.modules


def test_parts_of_megengine_that_are_not_here() -> None:
    with pytest.raises(ImportError, match=r"no megengine\.module\.linear\.Nothing"):
        mge.load(io.BytesIO(PROTO + glob("megengine.module.linear", "Nothing") + STOP))
