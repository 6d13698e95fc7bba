"""PyTorch's names and keywords fail with an error that names MegEngine's spelling, and that spelling works."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import megengine as mge
import megengine.functional as F
import megengine.module as M
from megengine import Parameter, Tensor
from megengine._help import spellings
from megengine.autodiff import GradManager
from megengine.data.dataset import ArrayDataset


@pytest.fixture
def words() -> Iterator[dict[str, Any]]:
    """What the spellings' names stand for."""
    x = Parameter(np.linspace(0.1, 0.9, 6, dtype=np.float32).reshape(2, 3))
    net = M.Linear(3, 2)
    net.layers = []
    array = np.ones((2, 3), np.float32)
    gm = GradManager().attach(x)
    given: dict[str, Any] = {
        "F": F, "M": M, "mge": mge, "np": np, "x": x, "y": x + 0.01, "array": array, "axis": 1, "axes": (1, 0), "shape": (3, 2),
        "mask": x > 0.5, "value": 0.5, "lower": 0.0, "upper": 1.0, "reps": (2, 1), "index": [0, 2], "dtype": "float16",
        "places": Tensor(np.zeros((2, 3), np.int32)), "source": Tensor(np.ones((2, 3))), "label": Tensor([1, 2], dtype="int32"),
        "square": Tensor([[2.0, 0.0], [0.0, 1.0]]), "vector": Tensor([1.0, 2.0]), "function": abs, "hook": lambda t, g: g,
        "image": Tensor(np.zeros((1, 3, 4, 4))), "picture": Tensor(np.zeros((1, 4, 4, 3), np.uint8)),
        "net": net, "gm": gm, "optimizer": mge.optimizer.SGD(net.parameters(), lr=0.1), "scaler": mge.amp.GradScaler(),
        "dataset": ArrayDataset(np.arange(2.0)), "sequence": Tensor(np.zeros((1, 3, 4))),
    }  # fmt: skip
    x.reshape(3, 2)
    device = mge.get_default_device()
    gm.record()
    given["loss"] = (x * x).sum()
    given["y"] = x + 0.01
    yield given
    gm.release()
    mge.set_default_device(device)


OF_OBJECTS = {"x": spellings.TENSOR, "net": spellings.NETWORK, "scaler": spellings.SCALER, "gm": spellings.MANAGER}
CODES = {code for table in (*OF_OBJECTS.values(), *spellings.OF_MODULES.values()) for code in table.values()}


@pytest.mark.parametrize("code", sorted(CODES))
@pytest.mark.filterwarnings("ignore:backward\\(\\) gives no tensor a gradient", "ignore:step\\(\\) changes nothing")
def test_every_spelling_works(code: str, words: dict[str, Any]) -> None:
    if "gm.record()" in code:
        words["gm"].release()
    with np.printoptions():  # one of them sets some
        exec(compile(code, "spelling", "exec"), words)


@pytest.mark.parametrize("owner", sorted({*OF_OBJECTS, *spellings.OF_MODULES}))
def test_every_name_is_refused_with_its_spelling(owner: str, words: dict[str, Any]) -> None:
    thing = words[owner] if owner in OF_OBJECTS else importlib.import_module(f"megengine.{owner}".removesuffix("."))
    for name, code in (OF_OBJECTS.get(owner) or spellings.OF_MODULES[owner]).items():
        assert not hasattr(thing, name) and getattr(thing, name, 7) == 7, name
        with pytest.raises(AttributeError) as caught:
            getattr(thing, name)
        assert code in str(caught.value)


@pytest.mark.parametrize(
    ("module", "name", "spelling"),
    [
        ("megengine.module", "Tanh", 'M.Elemwise("tanh")'),
        ("megengine.functional", "cross_entropy", "F.nn.cross_entropy(...)"),
        ("megengine.functional", "interpolate", "F.nn.interpolate(...)"),
        ("megengine", "relu", "F.relu(...)"),
        ("megengine", "cat", "F.concat([x, y], axis)"),
        ("megengine.data", "TensorDataset", "mge.data.dataset.ArrayDataset"),
        ("megengine", "DataLoader", "mge.data.DataLoader"),
        ("megengine", "trace", "mge.jit.trace"),
        ("megengine.functional", "Linear", "M.Linear"),
        ("megengine.functional", "leaky_relu_", "x = F.leaky_relu(x)"),
        ("megengine.module", "GradManager", "mge.autodiff.GradManager"),
    ],
)
def test_imports_say_the_spelling(module: str, name: str, spelling: str) -> None:
    with pytest.raises(ImportError, match="cannot import name") as caught:
        exec(f"from {module} import {name}")
    assert spelling in str(caught.value)
    with pytest.raises(ImportError, match="cannot import name 'no_such_name'"):
        exec(f"from {module} import no_such_name")
    with pytest.raises(ModuleNotFoundError):
        exec(f"import {module}.no_such_name")


def test_other_names_are_refused_as_ever(words: dict[str, Any]) -> None:
    for thing in (F, mge, M, words["x"], words["net"], words["scaler"]):
        with pytest.raises(AttributeError, match="has no attribute 'no_such_name'$"):
            thing.no_such_name
        with pytest.raises(AttributeError):
            thing._private
    with pytest.raises(AttributeError, match=r"x = F.relu\(x\)"):
        words["x"].relu_()


def test_an_error_of_a_property_is_not_hidden() -> None:
    class Net(M.Module):
        @property
        def width(self) -> int:
            return int(self.missing)

        def forward(self) -> None: ...

    with pytest.raises(AttributeError, match="'Net' object has no attribute 'missing'"):
        Net().width


def test_copies_and_pickles_still_work(words: dict[str, Any]) -> None:
    x, net = words["x"], words["net"]
    assert (copy.deepcopy(net).weight.numpy() == net.weight.numpy()).all()
    assert (copy.copy(x).numpy() == x.numpy()).all() and (pickle.loads(pickle.dumps(x)).numpy() == x.numpy()).all()
    assert pickle.loads(pickle.dumps(F.sum)) is F.sum
    assert pickle.loads(pickle.dumps(mge.amp.GradScaler())).scale_factor == 16


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: F.sum(x, dim=1), "sum.* 'dim'; MegEngine's spelling is axis="),
        (lambda x: F.mean(x, 1, keepdim=True), "'keepdim'; MegEngine's spelling is keepdims="),
        (lambda x: F.softmax(x, dim=1), "axis="),
        (lambda x: F.concat([x, x], dim=1), "axis="),
        (lambda x: F.concat(tensors=[x, x]), "inps="),
        (lambda x: F.stack([x, x], dim=1), "axis="),
        (lambda x: F.expand_dims(x, dim=1), "axis="),
        (lambda x: F.gather(x, dim=1, index=x), "axis="),
        (lambda x: F.flatten(x, start_dim=1), "start_axis="),
        (lambda x: F.dropout(x, p=0.5), "drop_prob="),
        (lambda x: F.relu(x, inplace=True), "x = F.relu"),
        (lambda x: F.nn.leaky_relu(x, 0.1, inplace=True), "x = F.relu"),
        (lambda x: F.loss.cross_entropy(x, target=x), "label="),
        (lambda x: F.loss.cross_entropy(x, x, label_smoothing=0.1), "label_smooth="),
        (lambda x: F.clip(x, min=0), "lower="),
        (lambda x: F.roll(x, shifts=1), "shift="),
        (lambda x: F.linspace(0, 1, steps=5), "num="),
        (lambda x: F.split(x, split_size_or_sections=2), "nsplits_or_sections="),
        (lambda x: F.sort(x, dim=1), r"'dim'; MegEngine's spelling is F.sort\(x.T\): the last axis is sorted"),
        (lambda x: F.topk(x, 1, dim=0), r"F.topk\(x.T, 2\)"),
        (lambda x: F.zeros(2, 3), r"takes 1 positional argument but 2 were given; .* is zeros\(\(2, 3\)\)$"),  # type: ignore[call-arg]
        (lambda x: F.full(2, 3, 0.5), r"takes 2 positional .* 3 were given; .* is full\(\(2, 3\), 0.5\)$"),  # type: ignore[call-arg]
        (lambda x: F.ones((2, 3), "int32"), "takes 1 positional argument but 2 were given$"),  # type: ignore[call-arg]
        (lambda x: F.log(x, dim=1), "got an unexpected keyword argument 'dim'$"),  # type: ignore[call-arg]
        (lambda x: F.matmul(x, other=x), "inp2="),
        (lambda x: F.var(x, 1, unbiased=False), "nothing: the divisor"),
        (lambda x: Tensor([1.0], requires_grad=True), r"Tensor.__new__.*'requires_grad'; .*gm.attach\(x\)"),
        (lambda x: Parameter([1.0], requires_grad=False), r"gm.attach\(x\)"),
        (lambda x: Tensor([1.0], no_such=1), "'no_such'$"),
        (lambda x: M.AdaptiveAvgPool2d(output_size=1), "AdaptiveAvgPool2d.__init__.*'output_size'; .*oshp="),
        (lambda x: M.AvgPool2d(2, count_include_pad=False), "average_count_exclude_padding"),
        (lambda x: M.LayerNorm(3, elementwise_affine=False), "affine="),
        (lambda x: M.Conv2d(3, 4), "^Conv2d.__init__.* missing 1 required positional argument: 'kernel_size'$"),
        (lambda x: mge.data.transform.RandomCrop(4, padding=1), "padding_size="),
        (lambda x: x.sum(dim=1), "Tensor.sum.*axis="),
        (lambda x: x.max(dim=1, keepdim=True), "Tensor.max.*axis="),
        (lambda x: x.flatten(end_dim=1), "Tensor.flatten.*end_axis="),
        (lambda x: F.sum(x, axes=1), "'axes'. Did you mean 'axis'.$"),
        (lambda x: M.ReLU(inplace=True), "ReLU.__init__.*'inplace'; .*x = F.relu"),
        (lambda x: M.Dropout(p=0.5), "Dropout.__init__.*drop_prob="),
        (lambda x: M.Linear(2, 3, device="cuda"), "Linear.__init__.*set_default_device"),
        (lambda x: M.Softmax(dim=1), "Softmax.__init__.*axis="),
        (lambda x: M.Conv2d(3, 4, 3, no_such=1), "Conv2d.__init__.*'no_such'$"),
        (lambda x: mge.data.DataLoader(ArrayDataset([1]), batch_size=4), "DataLoader.__init__.*RandomSampler"),
        (lambda x: mge.data.DataLoader(ArrayDataset([1]), shuffle=True), "DataLoader.__init__.*RandomSampler"),
        (lambda x: mge.data.DataLoader(ArrayDataset([1]), collate_fn=list), "DataLoader.__init__.*collator="),
        (lambda x: mge.data.transform.RandomHorizontalFlip(p=0.5), "RandomHorizontalFlip.__init__.*prob="),
        (lambda x: mge.optimizer.SGD([x], 0.1, no_such=1), "SGD.__init__.*'no_such'$"),
    ],
)
def test_keywords_are_refused_with_their_spelling(call: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        call(Parameter(np.ones((2, 3))))


def test_missing_arguments_are_said_as_ever() -> None:
    x = Tensor([[1.0]])
    with pytest.raises(TypeError, match=r"dropout\(\) missing 1 required positional argument: 'drop_prob'"):
        F.dropout(x)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"gather\(\) missing 2 required positional arguments: 'axis' and 'index'"):
        F.gather(x)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'out_features'"):
        M.Linear(3)  # type: ignore[call-arg]


def test_a_module_is_not_attached_itself() -> None:
    net = M.Linear(3, 2)
    with pytest.raises(
        TypeError, match=r"takes tensors, not Linear; give its parameters: gm.attach\(net.parameters\(\)\)"
    ):
        GradManager().attach(net)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"not method; call it, as in gm.attach\(net.parameters\(\)\)"):
        GradManager().attach(net.parameters)  # type: ignore[arg-type]


def test_a_learning_rate_in_quotes() -> None:
    with pytest.raises(TypeError, match="the learning rate must be a number, not '0.1'"):
        mge.optimizer.SGD(M.Linear(3, 2).parameters(), lr="0.1")  # type: ignore[arg-type]


def test_errors_inside_a_constructor_pass_unchanged() -> None:
    with pytest.raises(TypeError, match="optimizer can only optimize Parameters"):
        mge.optimizer.SGD([Tensor([1.0])], lr=0.1)  # type: ignore[list-item]


def test_wrapped_functions_look_like_themselves() -> None:
    assert str(inspect.signature(F.sum)).startswith("(inp: 'Tensor', axis: 'Axis' = None, keepdims: 'bool' = False)")
    assert F.sum.__name__ == "sum" and F.sum.__doc__ and F.nn.softmax is F.softmax is F.activation.softmax
    assert F.arange(0, 3, dtype="int32").dtype == np.int32 and F.meshgrid(Tensor([1.0]), Tensor([2.0]), indexing="ij")


def test_a_size_is_a_number() -> None:
    x = Tensor(np.ones((2, 3)))
    assert x.size == 6 and isinstance(x.size, int) and repr(x.size) == "6" and x.reshape(x.size).shape == (6,)
    np.testing.assert_array_equal((x * x.size).numpy(), np.full((2, 3), 6, np.float32))
    np.testing.assert_array_equal((x**x.size).numpy(), np.ones((2, 3)))
    assert type(x.size) is int and F.zeros(x.size).shape == (6,)
    assert (Tensor([1, 2], dtype="int32") + x.size).dtype == np.int32
