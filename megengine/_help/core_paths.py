"""What public modules of MegEngine have from its core, and programs copied from MegEngine's sources import from there:
``functional.elemwise.Elemwise``, ``functional.tensor.apply``, ``module.module.make_shape_tuple``. See :mod:`.paths`."""

from __future__ import annotations

_APPLIED, _OPERATORS, _HELPERS = "core._imperative_rt.core2", "core.ops.builtin", "core.tensor.utils"
_METHODS, _DTYPES, _DEVICES = "core.tensor.array_method", "core.tensor.dtype", "core._wrap"
_FORMATS = "get_auto_format_convert pop_scope push_scope set_auto_format_convert set_option"

# Module: where in the core its names are, and which.
# fmt: off
CORE_NAMES: dict[str, dict[str, str]] = {
    "autodiff.grad_manager": {"core.autodiff.grad": "Grad", _APPLIED: _FORMATS, _DTYPES: "is_differentible_dtype"},
    "distributed.functional": {"core.autodiff.grad": "Function"},
    "distributed.helper": {_OPERATORS: "ParamPackConcat ParamPackSplit"},
    "functional.elemwise": {_OPERATORS: "Elemwise", _APPLIED: "apply", _HELPERS: "convert_inputs"},
    "functional.external": {_APPLIED: "apply"},
    "functional.inplace": {_OPERATORS: "InplaceAdd", _APPLIED: "apply"},
    "functional.loss": {_METHODS: "_reduce"},
    "functional.math": {_APPLIED: "Const", _METHODS: "_elwise", _HELPERS: "_normalize_axis"},
    "functional.nn": {
        _OPERATORS: "BatchNorm Dimshuffle Dropout Elemwise GetVarShape Identity Reduce Reshape TypeCvt",
        _APPLIED: "Const dtype_promotion make_shape_tuple", _METHODS: "_elwise _matmul",
        _HELPERS: "astensor1d cast_tensors convert_single_value subgraph subgraph_fn",
    },
    "functional.quantized": {_APPLIED: "apply"},
    "functional.tensor": {
        _DEVICES: "CompNode as_device", _APPLIED: "Const apply create_complex dtype_promotion get_device get_imag get_real",
        _OPERATORS: "Copy Identity", _HELPERS: "astensor1d convert_inputs subgraph_fn",
    },
    "functional.vision": {_HELPERS: "astensor1d"},
    "jit.tracing": {_DEVICES: "CompNode", _OPERATORS: "ExternOpr", "core._trace_option": "set_symbolic_shape"},
    "jit.xla_backend": {_DEVICES: "CompNode"},
    "module.elemwise": {_METHODS: "_elwise"},
    "module.module": {_APPLIED: "make_shape_tuple"},
    "module.rnn": {_OPERATORS: "BatchNorm"},
    "optimizer.clip_grad": {_APPLIED: "pop_scope push_scope"},
    "optimizer.lamb": {_OPERATORS: "LAMBUpdate"},
    "optimizer.optimizer": {_APPLIED: _FORMATS, _HELPERS: "set_convert_inputs"},
    "random.rng": {_OPERATORS: "BetaRNG GammaRNG GaussianRNG PermutationRNG PoissonRNG ShuffleRNG UniformRNG"},
    "tensor": {
        _METHODS: "ArrayMethodMixin", _OPERATORS: "Borrow Copy GetVarShape", _DEVICES: "CompNode as_device",
        "core._trace_option": "use_symbolic_shape",
    },
}
# fmt: on
