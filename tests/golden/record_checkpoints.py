"""Record checkpoints with a real MegEngine, and check that it reads ours.

    python tests/golden/record_checkpoints.py record            # with MegEngine: writes checkpoints/<version>/ and expected.json
    python tests/golden/record_checkpoints.py record 1.9.1      # the folder's name, with sources of another version: no expected.json
    python tests/golden/record_checkpoints.py write FOLDER      # with this package: the same objects, for the next
    python tests/golden/record_checkpoints.py read FOLDER       # with MegEngine: what `write` wrote must act as recorded

expected.json says what the objects do: outputs of modules, values, dtypes. globals.txt lists the classes that MegEngine has.
"""

import importlib
import json
import os
import pkgutil
import sys
from collections import OrderedDict

import numpy as np

import megengine as mge
import megengine.functional as F
import megengine.module as M
import megengine.optimizer as optim
from megengine import Parameter, Tensor
from megengine.autodiff import GradManager
from megengine.core.tensor.dtype import bfloat16, qint8, quint8

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "checkpoints")


def ramp(shape, scale=0.125, shift=0.0):
    size = int(np.prod(shape))
    return ((np.arange(size, dtype="float32") * 7 % 11 - 5) * scale + shift).reshape(shape)


def fill(module):
    """Weights that do not depend on a random stream; statistics stay positive."""
    for i, (name, tensor) in enumerate(sorted(module.named_tensors())):
        tensor._reset(Tensor(ramp(tensor.shape, 1 / 32, 1.0 if "var" in name else i / 64)))
    return module


def cnn():
    return fill(
        M.Sequential(
            OrderedDict(
                conv=M.Conv2d(1, 2, 3, padding=1),
                norm=M.BatchNorm2d(2),
                act=M.ReLU(),
                pool=M.MaxPool2d(2),
                fc=M.Sequential(M.AdaptiveAvgPool2d(1), M.Conv2d(2, 3, 1)),
            )
        )
    )


# name -> (module, shape of its input)
MODULES = {
    "Linear": (lambda: M.Linear(3, 2), (2, 3)),
    "Conv1d": (lambda: M.Conv1d(2, 2, 3), (1, 2, 5)),
    "Conv2d": (lambda: M.Conv2d(2, 4, 3, stride=2, padding=1, groups=2), (1, 2, 5, 5)),
    "Conv3d": (lambda: M.Conv3d(1, 1, 2), (1, 1, 3, 3, 3)),
    "ConvTranspose2d": (lambda: M.ConvTranspose2d(2, 2, 3), (1, 2, 3, 3)),
    "ConvRelu2d": (lambda: M.ConvRelu2d(1, 2, 3), (1, 1, 4, 4)),
    "ConvBn2d": (lambda: M.ConvBn2d(1, 2, 3), (1, 1, 4, 4)),
    "ConvBnRelu2d": (lambda: M.ConvBnRelu2d(1, 2, 3), (1, 1, 4, 4)),
    "BatchNorm1d": (lambda: M.BatchNorm1d(3), (2, 3)),
    "BatchNorm2d": (lambda: M.BatchNorm2d(2), (2, 2, 3, 3)),
    "GroupNorm": (lambda: M.GroupNorm(2, 4), (2, 4, 3, 3)),
    "LayerNorm": (lambda: M.LayerNorm((3,)), (2, 3)),
    "InstanceNorm": (lambda: M.InstanceNorm(2), (2, 2, 3, 3)),
    "AvgPool2d": (lambda: M.AvgPool2d(2), (1, 1, 4, 4)),
    "MaxPool2d": (lambda: M.MaxPool2d(2, 1, 1), (1, 1, 4, 4)),
    "AdaptiveAvgPool2d": (lambda: M.AdaptiveAvgPool2d(2), (1, 1, 4, 4)),
    "AdaptiveMaxPool2d": (lambda: M.AdaptiveMaxPool2d(2), (1, 1, 4, 4)),
    "ReLU": (lambda: M.ReLU(), (2, 3)),
    "LeakyReLU": (lambda: M.LeakyReLU(0.1), (2, 3)),
    "PReLU": (lambda: M.PReLU(), (2, 3)),
    "Sigmoid": (lambda: M.Sigmoid(), (2, 3)),
    "GELU": (lambda: M.GELU(), (2, 3)),
    "SiLU": (lambda: M.SiLU(), (2, 3)),
    "Softmax": (lambda: M.Softmax(1), (2, 3)),
    "Dropout": (lambda: M.Dropout(0.5), (2, 3)),
    "Identity": (lambda: M.Identity(), (2, 3)),
    "Pad": (lambda: M.Pad(((1, 1), (0, 2)), mode="reflect"), (3, 4)),
    "PixelShuffle": (lambda: M.PixelShuffle(2), (1, 4, 2, 2)),
    "LSTM": (lambda: M.LSTM(2, 3, num_layers=2), (2, 1, 2)),
    "RNN": (lambda: M.RNN(2, 3), (2, 1, 2)),
    "LSTMCell": (lambda: M.LSTMCell(2, 3), (1, 2)),
    "LocalResponseNorm": (lambda: M.LocalResponseNorm(), (1, 4, 2, 2)),
}


def outputs(module, shape):
    module.eval()
    with_state = module(Tensor(ramp(shape, 0.25)))
    first = with_state[0] if isinstance(with_state, tuple) else with_state
    return np.asarray(first.numpy(), "float64").round(6).tolist()


def trained(make):
    """An optimizer after two steps on one parameter."""
    weight = Parameter(ramp((2, 3)))
    optimizer = make([weight])
    gm = GradManager().attach([weight])
    for _ in range(2):
        with gm:
            gm.backward(F.sum(weight * weight))
        optimizer.step().clear_grad()
    return optimizer, weight


def with_qparams():
    tensor = Tensor([1.0, 2.0])
    tensor.qparams.scale = Tensor(0.5)
    return tensor


OPTIMIZERS = {
    "sgd": lambda params: optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda params: optim.Adam(params, lr=0.1),
}
OBJECTS = {
    "tensor": lambda: Tensor([[1.5, -2.0], [0.0, 3.0]]),
    "parameter": lambda: Parameter(ramp((2, 3))),
    "float16": lambda: Tensor(ramp((5,)), dtype="float16"),
    "bfloat16": lambda: Tensor(ramp((5,)), dtype=bfloat16),
    "quantized": lambda: {"s8": Tensor(ramp((5,))).astype(qint8(0.125)), "u8": Tensor(ramp((5,))).astype(quint8(0.125, 7))},
    "qparams": with_qparams,
    "device": lambda: [Tensor([1, 2], device="cpu1"), Tensor([3], device="xpux").device],
    "nested": lambda: {
        "epoch": 3, "best": 0.75, "name": "run", "flags": (True, None), "history": [[1, 2.5], []], 7: {8, 9},
        "shape": slice(1, 5, 2), "ordered": OrderedDict(b=Tensor([1], dtype="int8"), a=np.arange(6).reshape(2, 3)),
        "scalar": np.float32(0.5), "fortran": np.asfortranarray(ramp((2, 3))), "random": np.random.RandomState(3).get_state(),
        "empty": Tensor(np.zeros((0, 2), "float32")), "wide": np.arange(40, dtype="float64"), "text": np.array(["ab", "c"]),
        "objects": np.array([1, "a", None], dtype=object),
    },
}  # fmt: skip


def describe(item):
    """What a test compares, in JSON."""
    if isinstance(item, (Tensor, np.ndarray, np.generic)):
        array = np.asarray(item.numpy() if isinstance(item, Tensor) else item)
        values = array.astype("float64") if array.dtype.kind not in "OU" else array
        # The names of the bfloat16 classes differ.
        found = {
            "type": type(item).__name__,
            "dtype": array.dtype.name.replace("pybfloat16", "bfloat16"),
            "value": values.tolist(),
        }
        if array.dtype.metadata:
            found["metadata"] = dict(array.dtype.metadata)
        if isinstance(item, Tensor):
            found["device"] = str(item.device)
            if item._qparams is not None:
                found["scale"] = describe(item.qparams.scale)
        return found
    if isinstance(item, dict):
        return {"type": type(item).__name__, "items": [[describe(k), describe(v)] for k, v in item.items()]}
    if isinstance(item, (list, tuple, set)):
        return {"type": type(item).__name__, "items": [describe(i) for i in item]}
    if isinstance(item, (int, float, str, type(None))):
        return item
    return str(item)


def behaviour(name, item):
    if name == "module":
        return outputs(item, (1, 1, 4, 4))
    if name == "modules":
        return {key: outputs(module, MODULES[key][1]) for key, module in item.items()}
    if name in OPTIMIZERS:
        return describe(item.state_dict())
    return describe(item)


def everything():
    saved = {name: make() for name, make in OBJECTS.items()}
    saved["state_dict"] = cnn().state_dict()
    saved["module"] = cnn()
    saved["modules"] = {name: fill(make()) for name, (make, _) in MODULES.items()}
    for name, make in OPTIMIZERS.items():
        optimizer, weight = trained(make)
        saved[name] = optimizer
        saved[name + "_state"] = optimizer.state_dict()
        saved[name + "_weight"] = weight
    return saved


def write(folder):
    os.makedirs(folder, exist_ok=True)
    for name, item in everything().items():
        mge.save(item, os.path.join(folder, name + ".mge"))
    with open(os.path.join(folder, "tensor.mge"), "rb") as file:
        on_gpu = file.read().replace(b"xpux:0", b"gpu0:0")  # as from a machine with a GPU
    with open(os.path.join(folder, "gpu0.mge"), "wb") as file:
        file.write(on_gpu)


def write_expected():
    expected = {name: behaviour(name, item) for name, item in everything().items()}
    with open(os.path.join(FOLDER, "expected.json"), "w") as file:
        json.dump(expected, file, sort_keys=True, separators=(",", ":"))
        file.write("\n")


def write_globals():
    """The classes that pickles may name here, in MegEngine and in its NumPy."""
    import megengine.quantization as Q

    found = {
        "numpy.core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy.ndarray",
        "numpy.dtype",
        "numpy.bool_",
    }
    for name in found:
        module, _, attribute = name.rpartition(".")
        getattr(importlib.import_module(module), attribute)
    for package in (M, optim, Q, mge.random):
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            found |= classes(importlib.import_module(info.name))
    for name in ("tensor", "core.tensor.dtype", "core._imperative_rt", "core._imperative_rt.common"):
        found |= classes(importlib.import_module("megengine." + name))
    with open(os.path.join(FOLDER, "globals.txt"), "w") as file:
        file.write("\n".join(sorted(found)) + "\n")


def classes(module):
    own = [c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__]
    return {module.__name__ + "." + c.__qualname__ for c in own}


def close(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-4 * max(1, abs(a))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    return a == b


def read(folder):
    with open(os.path.join(FOLDER, "expected.json")) as file:
        expected = json.load(file)
    wrong = []
    for name in sorted(expected):
        try:
            found = json.loads(json.dumps(behaviour(name, mge.load(os.path.join(folder, name + ".mge")))))
        except Exception as error:
            wrong.append("{}: {!r}".format(name, error)[:500])
            continue
        if name == "modules":
            wrong += [name + "." + key for key in found if not close(found[key], expected[name][key])]
        elif not close(found, expected[name]):
            wrong.append("{}: {} is not {}".format(name, found, expected[name])[:900])
    print("\n".join(wrong) or "{} files, all as expected".format(len(expected)))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    action, where = sys.argv[1], sys.argv[2:]
    if action == "record":
        write(os.path.join(FOLDER, where[0] if where else mge.__version__))
        if not where:
            write_expected()
            write_globals()
    elif action == "write":
        write(where[0])
    else:
        read(where[0])
