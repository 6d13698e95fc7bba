"""Second paths of names. Modules of MegEngine also have what they import, and programs take some of it from there:
``functional.loss.logsigmoid``, ``module.conv.Module``, ``optimizer.adam.Optimizer``, ``data.dataset.coco``. Each is looked up
when asked for, so that nothing here shadows Python's own ``max`` or ``sum`` within a module."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from .core_paths import CORE_NAMES

_ELEMWISE, _TENSOR, _LOG = "functional.elemwise", "functional.tensor", "logger"

# Module: where else its names are defined, and which; a name before a colon is what it is called here.
# fmt: off
NAMES: dict[str, dict[str, str]] = {
    "autodiff.grad_manager": {"utils.future": "Future", _LOG: "get_logger"},
    "data.dataloader": {"tensor": "Tensor", _TENSOR: "copy", "device": "get_default_device"},
    "data.dataset.vision.cifar": {_LOG: "get_logger"},
    "data.dataset.vision.coco": {"data.dataset.vision.meta_vision": "VisionDataset"},
    "data.dataset.vision.imagenet": {
        "distributed.group": "is_distributed", "serialization": "load save", "data.dataset.vision.utils": "untargz",
    },
    "data.dataset.vision.mnist": {_LOG: "get_logger", "data.dataset.vision.utils": "load_raw_data_from_url"},
    "data.dataset.vision.objects365": {"data.dataset.vision.meta_vision": "VisionDataset"},
    "data.dataset.vision.utils": {"utils.http_download": "download_from_url", "distributed.group": "is_distributed"},
    "data.transform.vision.transform": {"data.transform.meta_transform": "Transform"},
    "distributed.functional": {
        "distributed.group": "get_client get_mm_server_addr", "device": "get_default_device what_is_xpu",
    },
    "distributed.group": {"distributed.server": "Server", "random.rng": "seed", "device": "what_is_xpu"},
    "distributed.helper": {
        "utils.future": "Future", "autodiff.grad_manager": "GradManager get_backwarding_grad_manager", _TENSOR: "copy",
        "utils.deprecation": "deprecated_func", "distributed.group": "is_distributed override_backend",
    },
    "distributed.launcher": {"distributed.server": "Client", "distributed.group": "group_barrier"},
    "distributed.server": {"utils.future": "Future"},
    "functional.debug_param": {_LOG: "get_logger"},
    "functional.elemwise": {"utils.deprecation": "deprecated_func", "functional.tensor_cache": "get_scalar_one"},
    "functional.loss": {
        _ELEMWISE: "abs equal log logaddexp maximum", _TENSOR: "broadcast_to cumsum linspace ones where zeros",
        "functional.nn": "indexing_one_hot logsigmoid logsumexp relu",
    },
    "functional.math": {
        _TENSOR: "broadcast_to expand_dims squeeze", _ELEMWISE: "clip", "utils.deprecation": "deprecated_kwargs_default",
    },
    "functional.metric": {_ELEMWISE: "abs maximum minimum", _TENSOR: "broadcast_to transpose"},
    "functional.nn": {
        "distributed.functional": "all_reduce_sum", "utils.deprecation": "deprecated_func", _LOG: "get_logger",
        _TENSOR: "broadcast_to concat expand_dims ones repeat reshape squeeze transpose zeros zeros_like",
        "jit.tracing": "exclude_from_trace", _ELEMWISE: "exp log log1p maximum minimum", "functional.math": "max sum",
        "device": "get_cudnn_version get_default_device is_cuda_available", "functional.debug_param":
        "get_execution_strategy", "distributed.group": "is_distributed WORLD",
        "functional._settings": "expand_hw expand_dhw", "functional.nn": "layerPixelShuffle_traceable:pixel_shuffle",
    },
    "functional.quantized": {"functional.debug_param": "get_execution_strategy"},
    "functional.tensor": {"tensor": "Tensor", _ELEMWISE: "ceil cos sin", "device": "get_default_device"},
    "functional.utils": {
        _ELEMWISE: "abs maximum minimum", "utils.deprecation": "deprecated_func", _TENSOR: "ones zeros",
    },
    "functional.vision": {
        "functional.math": "argsort", _TENSOR: "broadcast_to concat expand_dims reshape transpose", _ELEMWISE: "floor",
    },
    "hub.fetcher": {
        "utils.http_download": "HTTPDownloadError", "hub.tools": "cd", "distributed.group": "is_distributed",
        "hub.const": "HTTP_READ_TIMEOUT",
    },
    "hub.hub": {"hub.tools": "cd", "distributed.group": "is_distributed"},
    "jit.partial_tracing": {"tensor": "Tensor", "jit.tracing": "trace", "jit.xla_backend": "xla_trace"},
    "jit.tracing": {
        "utils.naming": "AutoNaming", "jit.config": "DTRConfig GraphOptimizationConfig SublinearMemoryConfig",
        _LOG: "get_logger", "utils.profiler": "is_profiling", "tensor": "tensor",
    },
    "jit.xla_backend": {"utils.dlpack": "from_dlpack to_dlpack", "device": "get_default_device", "tensor": "tensor"},
    "module.activation": {"module.init": "ones_ zeros_"},
    "module.adaptive_pooling": {"tensor": "Parameter"},
    "module.batchnorm": {"distributed.group": "Group WORLD"},
    "module.conv": {"module.module": "Module", "tensor": "Parameter", "functional.nn": "pad"},
    "module.embedding": {"functional.nn": "embedding_func:embedding"},
    "module.external": {
        "functional.external": "atlas_runtime_opr cambricon_runtime_opr extern_opr_subgraph magicmind_runtime_opr "
        "tensorrt_runtime_opr",
    },
    "module.init": {_TENSOR: "full"},
    "module.module": {"utils.naming": "AutoNaming", _LOG: "get_logger"},
    "module.multiheadattn": {"device": "get_cudnn_version is_cuda_available", "module.init": "ones_ zeros_"},
    "module.normalization": {_LOG: "get_logger"},
    "module.qat.conv_bn": {"module.qat.module": "QATModule", _TENSOR: "ones zeros", _ELEMWISE: "sqrt", "functional.math": "sum"},
    "module.qat.conv_transpose_bn": {
        "module.qat.module": "QATModule", _TENSOR: "ones zeros", _ELEMWISE: "sqrt", "functional.math": "sum",
    },
    "module.qat.linear_bn": {
        "module.qat.module": "QATModule", _TENSOR: "ones zeros", _ELEMWISE: "sqrt", "functional.math": "sum",
        "functional.nn": "linear",
    },
    "module.qat.module": {
        "quantization.fake_quant": "FakeQuantize", "quantization.observer": "Observer", "quantization.qconfig": "QConfig",
    },
    "module.quantized.conv": {"functional.nn": "pad"},
    "module.quantized.conv_bn": {"tensor": "Parameter"},
    "module.quantized.conv_transpose_bn": {"tensor": "Parameter"},
    "module.quantized.linear_bn": {"tensor": "Parameter"},
    "module.quantized.module": {"module.qat.module": "QATModule"},
    "module.rnn": {_TENSOR: "stack"},
    "optimizer.adadelta": {"optimizer.optimizer": "Optimizer", "tensor": "tensor"},
    "optimizer.adagrad": {"optimizer.optimizer": "Optimizer", "tensor": "tensor"},
    "optimizer.adam": {"optimizer.optimizer": "Optimizer", "tensor": "tensor"},
    "optimizer.adamw": {"optimizer.optimizer": "Optimizer", "tensor": "tensor"},
    "optimizer.clip_grad": {_TENSOR: "concat", "functional.math": "norm"},
    "optimizer.lamb": {"optimizer.optimizer": "Optimizer", "functional.math": "sum", "tensor": "tensor"},
    "optimizer.sgd": {"optimizer.optimizer": "Optimizer", "tensor": "tensor"},
    "quantization.fake_quant": {"module.module": "Module", _LOG: "get_logger"},
    "quantization.observer": {"module.module": "Module", _LOG: "get_logger", "distributed.group": "get_rank"},
    "random.rng": {"device": "get_default_device"},
    "serialization": {
        "tensor": "Tensor", "device": "get_default_device", "utils.max_recursion_limit": "max_recursion_limit",
    },
    "tensor": {"device": "get_default_device", _LOG: "get_logger"},
    "utils.bn_fusion": {
        "module": "BatchNorm1d BatchNorm2d Conv2d ConvBn2d ConvBnRelu2d ConvRelu2d ConvTranspose2d ConvTransposeBn2d "
        "ConvTransposeBnRelu2d ConvTransposeRelu2d Linear LinearBn1d LinearBnRelu1d LinearRelu ReLU",
    },
}
# Module: modules that it has as attributes, imported when they are first asked for.
MODULES: dict[str, dict[str, str]] = {
    "": {"": "data distributed experimental hub jit quantization traced_module", "utils": "cgtools:comp_graph_tools"},
    "amp.convert_format": {"": "F:functional"},
    "core": {"core": "_imperative_rt"},
    "data.dataset": {"data.dataset.vision": "cifar cityscapes coco folder imagenet meta_vision mnist objects365 utils voc"},
    "data.transform": {"data.transform.vision": "functional transform"},
    "data.transform.vision.transform": {"data.transform.vision": "F:functional"},
    "distributed.functional": {"distributed": "group"},
    "functional": {"functional": "distributed tensor_cache"},
    "jit": {"jit": "dtr_config graph_opt_config sublinear_memory_config"},
    "module": {"module": "qat quantized"},
    "module.conv": {"module": "init"},
    "module.multiheadattn": {"": "F:functional"},
    "module.normalization": {"": "F:functional"},
    "module.padding": {"functional": "nn"},
    "module.qat.conv": {"": "F:functional"},
    "module.qat.linear": {"": "F:functional"},
    "module.quantized.batch_matmul_activation": {"module.qat": "QAT:batch_matmul_activation"},
    "module.quantized.concat": {"": "F:functional", "module.qat": "QAT:concat"},
    "module.quantized.conv": {"module.qat": "QAT:conv"},
    "module.quantized.conv_bn": {"module.qat": "QAT:conv_bn"},
    "module.quantized.conv_transpose_bn": {"module.qat": "QAT:conv_transpose_bn"},
    "module.quantized.elemwise": {"module.qat": "QAT:elemwise"},
    "module.quantized.linear": {"": "F:functional Float:module", "module.qat": "QAT:linear"},
    "module.quantized.linear_bn": {"module.qat": "QAT:linear_bn"},
    "module.quantized.quant_dequant": {"module.qat": "QAT:quant_dequant"},
    "quantization": {"quantization": "internal_fake_quant"},
    "quantization.fake_quant": {"": "F:functional"},
    "quantization.observer": {"": "F:functional"},
    "quantization.quantize": {"module": "QAT:qat Quantized:quantized"},
    "quantization.utils": {"": "F:functional"},
    "utils": {
        "utils": "bn_fusion deprecation dlpack future hook http_download max_recursion_limit module_stats module_utils "
        "naming persistent_cache profiler tensor_sanity_check tensorboard tuple_function",
    },
}
# fmt: on


def _entries(table: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Name here -> (where it is defined, its name there)."""
    split = ((source, entry.partition(":")) for source, names in table.items() for entry in names.split())
    return {name: (source, other or name) for source, (name, _, other) in split}


def _full(path: str) -> str:
    return f"megengine.{path}".rstrip(".")


def _look_up(module: ModuleType, earlier: Callable[[str], Any] | None) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module."""
    path = module.__name__.removeprefix("megengine").removeprefix(".")
    names, modules = _entries(CORE_NAMES.get(path, {})), _entries(MODULES.get(path, {}))
    names.update(_entries(NAMES.get(path, {})))

    def __getattr__(name: str) -> Any:
        if name in names:
            source, other = names[name]
            return getattr(importlib.import_module(_full(source)), other)
        if name in modules:
            source, other = modules[name]
            return importlib.import_module(f"{_full(source)}.{other}")
        if earlier is not None:
            return earlier(name)
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    return __getattr__


def install(modules: Mapping[str, Any]) -> None:
    """Give the modules that are imported their second names."""
    for path in {**NAMES, **MODULES, **CORE_NAMES}:
        module = modules.get(_full(path))
        if module is not None:
            vars(module)["__getattr__"] = _look_up(module, vars(module).get("__getattr__"))
