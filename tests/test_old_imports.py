"""Import lines of public MegEngine programs, and names that programs reach through them."""

from __future__ import annotations

import importlib

import pytest

from megengine._help.core_paths import CORE_NAMES

IMPORTS = """
from megengine import functional as F, module as M, tensor, Tensor, Parameter, jit, hub, distributed as dist
from megengine import config, core, dtr, utils, amp, random, serialization
import megengine.tensor as tensor
from megengine.tensor import Tensor, Parameter, tensor
from megengine.autodiff import Function, GradManager
from megengine.autodiff.grad_manager import GradManager, get_backwarding_grad_manager
from megengine.core import get_option, set_option
from megengine.core._imperative_rt.core2 import Tensor, full_sync, get_option, set_option, sync
from megengine.core._imperative_rt.core2 import close, pop_scope, push_scope
from megengine.core._imperative_rt.core2 import AsyncError
from megengine import cgtools
from megengine.core import _config
from megengine.core._imperative_rt import CompNode, Logger
from megengine.core._imperative_rt.common import CompNode
from megengine.core._imperative_rt.core2 import Const, apply, config_async_level, dtype_promotion
from megengine.core._imperative_rt.ops import Elemwise, TypeCvt
from megengine.core._imperative_rt.utils import Logger
from megengine.core._wrap import Device, as_device
from megengine.core.ops import builtin
from megengine.core.ops.builtin import BatchNorm, Dimshuffle, Elemwise, GetVarShape, Identity, Reduce, Reshape, TypeCvt
from megengine.core.tensor.array_method import ArrayMethodMixin, _elwise, _matmul, _reduce
from megengine.core.tensor.utils import convert_inputs, convert_single_value, set_convert_inputs, subgraph
from megengine.core._trace_option import set_symbolic_shape, use_symbolic_shape
from megengine.core.autodiff.grad import Function, Grad
from megengine.core.tensor import dtype
from megengine.core.tensor.dtype import bfloat16, get_scale, get_zero_point, is_quantize, qint8, quint8
from megengine.core.tensor.utils import astensor1d, isscalar, make_shape_tuple, subgraph_fn
from megengine.data import Collator, DataLoader, Infinite, RandomSampler, ReplacementSampler, SequentialSampler, transform
from megengine.data.collator import Collator
from megengine.data.dataloader import DataLoader, get_worker_info
from megengine.data.dataset import ArrayDataset, ConcatDataset, Dataset, StreamDataset, MNIST
from megengine.data.dataset.vision import MNIST
from megengine.data.dataset.vision.meta_vision import VisionDataset
from megengine.data.sampler import MapSampler, RandomSampler, Sampler, SequentialSampler, StreamSampler
from megengine.data.transform import Compose, Normalize, PseudoTransform, ToMode, Transform
from megengine.data.transform.meta_transform import Transform
from megengine.data.transform.vision import functional
from megengine.data.transform.vision.transform import VisionTransform
from megengine.device import CompNode, DeviceType, get_default_device, get_device_count, set_default_device, what_is_xpu
from megengine.distributed import Client, Group, Server, WORLD, launcher, make_allreduce_cb
from megengine.distributed.functional import all_reduce_sum, collective_comm
from megengine.distributed.group import WORLD, Group, get_client, get_rank, get_world_size, is_distributed
from megengine.distributed.helper import bcast_list_, get_device_count_by_fork, param_pack_concat, synchronized
from megengine.distributed.launcher import launcher
from megengine.distributed.server import Client, Server
from megengine.functional import expand_dims, ones, relu, softmax, zeros
from megengine.functional.debug_param import get_execution_strategy, set_execution_strategy
from megengine.functional.distributed import remote_recv, remote_send
from megengine.experimental.weight_scaler import get_norm_mod_value, get_scaled_model
from megengine.functional.elemwise import Elemwise, apply, convert_inputs
from megengine.functional.elemwise import abs, exp, hsigmoid, hswish, log, maximum, relu, relu6, sigmoid
from megengine.functional.external import tensorrt_runtime_opr
from megengine.functional.inplace import _inplace_add_
from megengine.functional.loss import cross_entropy
from megengine.functional.math import argmax, matmul
from megengine.functional.metric import topk_accuracy
from megengine.functional.nn import conv2d, dropout, relu, softmax
from megengine.functional.nn import Const, Dimshuffle, _elwise, astensor1d, make_shape_tuple, subgraph_fn
from megengine.functional.tensor import concat, ones, zeros
from megengine.functional.vision import interpolate, nms, roi_align
from megengine.hub import load, load_serialized_obj_from_url, pretrained
from megengine.jit import DTRConfig, GraphOptimizationConfig, SublinearMemoryConfig, exclude_from_trace, trace
from megengine.jit.dtr_config import DTRConfig
from megengine.jit.graph_opt_config import GraphOptimizationConfig
from megengine.jit.sublinear_memory_config import SublinearMemoryConfig
from megengine.jit.tracing import set_symbolic_shape, trace
from megengine.logger import enable_debug_log, get_logger, replace_mgb_log_level, set_log_file, set_mgb_log_level
from megengine.module import BatchNorm2d, Conv2d, Linear, Module, Sequential, SyncBatchNorm
from megengine.module.activation import ReLU
from megengine.module.batchnorm import BatchNorm2d
from megengine.module.conv import Conv2d, ConvTranspose2d
from megengine.module.external import ExternOprSubgraph
from megengine.module.init import calculate_fan_in_and_fan_out, fill_
from megengine.module.linear import Linear
from megengine.module.module import Module
from megengine.module.normalization import GroupNorm, InstanceNorm, LayerNorm
from megengine.module.pooling import AvgPool2d, MaxPool2d
from megengine.module.rnn import LSTM, RNN, LSTMCell, RNNCell
from megengine.optimizer import SGD, Adam, LRScheduler, MultiStepLR
from megengine.optimizer.lr_scheduler import LRScheduler
from megengine.optimizer.optimizer import Optimizer
from megengine.random import RNG, normal, seed, uniform
from megengine.random.rng import RNG
from megengine.serialization import load, save
from megengine.utils.deprecation import deprecated, deprecated_func, deprecated_kwargs_default
from megengine.utils.dlpack import from_dlpack, to_dlpack
from megengine.utils.future import Future
from megengine.utils.http_download import HTTPDownloadError, download_from_url
from megengine.utils.persistent_cache import PersistentCacheOnServer
from megengine.utils.profiler import Profiler, is_profiling, merge_trace_events, profile, scope
from megengine.utils.tensor_sanity_check import TensorSanityCheck
from megengine.utils.tuple_function import _pair, _pair_nonzero, _quadruple, _single, _triple, _triple_nonzero, get_ndtuple
from megengine.version import __version__
""".strip().splitlines()

# Modules that `import megengine` alone makes reachable.
REACHABLE = [
    "autodiff",
    "config",
    "core",
    "data",
    "device",
    "distributed",
    "dtr",
    "functional",
    "hub",
    "jit",
    "logger",
    "module",
    "optimizer",
    "random",
    "serialization",
    "utils",
    "version",
    "core.tensor.dtype",
    "data.dataset",
    "data.transform",
    "distributed.functional",
    "distributed.group",
    "distributed.helper",
    "distributed.server",
    "functional.debug_param",
    "functional.distributed",
    "functional.elemwise",
    "functional.external",
    "functional.loss",
    "functional.math",
    "functional.metric",
    "functional.nn",
    "functional.quantized",
    "functional.tensor",
    "functional.utils",
    "functional.vision",
    "hub.exceptions",
    "hub.fetcher",
    "hub.tools",
    "jit.tracing",
    "module.conv",
    "module.external",
    "module.init",
    "module.module",
    "random.rng",
]


@pytest.mark.parametrize("line", IMPORTS)
def test_import(line: str) -> None:
    exec(compile(line, "program", "exec"), {})


@pytest.mark.parametrize("name", REACHABLE)
def test_reachable(name: str) -> None:
    import megengine

    value = megengine
    for part in name.split("."):
        value = getattr(value, part)
    assert value is importlib.import_module(f"megengine.{name}")


def test_names_are_one_object_under_all_paths() -> None:
    import megengine as mge

    assert importlib.import_module("megengine.core.autodiff.grad").Function is mge.autodiff.Function
    assert importlib.import_module("megengine.core._imperative_rt.core2").Tensor is mge.Tensor
    assert mge.functional.distributed.all_reduce_sum is mge.distributed.functional.all_reduce_sum


def test_modules_have_what_they_have_of_the_core() -> None:
    """The names of MegEngine's core that its public modules import, and programs from there; here the core's own."""
    for module, sources in CORE_NAMES.items():
        for source, names in sources.items():
            for name in names.split():
                here = getattr(importlib.import_module(f"megengine.{module}"), name)
                assert here is getattr(importlib.import_module(f"megengine.{source}"), name), (module, name)
                assert name not in dir(importlib.import_module(f"megengine.{module}")) or name == "CompNode"


def test_parts_of_complex_numbers() -> None:
    from megengine import Tensor
    from megengine.functional.tensor import create_complex, get_imag, get_real

    z = create_complex(Tensor([1.0, 2.0]), Tensor([3.0, -4.0]))
    assert z.numpy().tolist() == [1 + 3j, 2 - 4j]
    assert get_real(z).tolist() == [1.0, 2.0] and get_imag(z).tolist() == [3.0, -4.0]


@pytest.mark.parametrize(
    ("x", "expected", "dtype"),
    [([1, 2], [1, 2], "int32"), ((1.5, 2), [1.5, 2.0], "float32"), (7, 7, "int32")],
)
def test_vectors(x: object, expected: object, dtype: str) -> None:
    from megengine import Tensor
    from megengine.core.tensor.utils import astensor1d

    vector = astensor1d(x)
    assert vector.numpy().tolist() == expected
    assert vector.dtype == dtype
    t = Tensor([3])
    assert astensor1d(t, dtype="float32") is t
    assert astensor1d([t, 1.5]).numpy().tolist() == [3.0, 1.5]
    assert astensor1d([t, 1], dtype="float16", device="cpu0").dtype == "float16"


def test_shapes_stay_tuples() -> None:
    from megengine import Tensor
    from megengine.core._trace_option import set_symbolic_shape, use_symbolic_shape

    before = set_symbolic_shape(True)
    shape = Tensor([[1.0, 2.0]]).shape
    assert shape == (1, 2) and isinstance(shape, tuple) and shape[1:].numpy().tolist() == [2]
    assert use_symbolic_shape() is False
    assert set_symbolic_shape(before) is True
    assert type(Tensor([1.0, 2.0]).shape) is tuple


def test_elwise_by_mode() -> None:
    from megengine import Tensor
    from megengine.functional.elemwise import _elwise

    assert _elwise(Tensor(0.5), mode="erf").item() == pytest.approx(0.520500, abs=1e-6)


def test_named_parts_of_a_program_are_seen() -> None:
    from megengine import Tensor, graph
    from megengine.core._imperative_rt.core2 import pop_scope, push_scope

    with graph.watch() as seen:
        push_scope("outer")
        y = Tensor([1.0]) * 2
        with pytest.raises(RuntimeError, match="'inner' cannot end before 'outer'"):
            pop_scope("inner")
        pop_scope("outer")
        (y + 1).numpy()
    assert [equation.scope for equation in seen[0].function.equations] == [("outer",), ()]


def test_subgraph_fn_writes_expressions_by_name() -> None:
    from megengine import Tensor
    from megengine.autodiff import GradManager
    from megengine.core.tensor.utils import subgraph_fn

    @subgraph_fn("affine", "float32", "xpux", 2, gopt_level=2)
    def affine(inputs, f, c):  # type: ignore[no-untyped-def]
        x, y = inputs
        return (f("+", f("*", x, y), c(1.0)), f("-", x)), (True, False)

    x = Tensor([2.0, 3.0])
    with GradManager().attach(x) as manager:
        first, second = affine(x, Tensor([4.0, 5.0]))
        manager.backward(first.sum() + second.sum())
    assert first.tolist() == [9.0, 16.0] and second.tolist() == [-2.0, -3.0]
    assert x.grad.tolist() == [4.0, 5.0]
    with pytest.raises(TypeError, match="affine takes 2 tensors, got 1"):
        affine(x)
