"""jit.trace: a function that is recorded at each call, or that skips its Python body where that is asked for."""

from __future__ import annotations

import functools
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from ..graph.called import ShownCalls
from ..graph.device import resolve
from ..graph.errors import TraceError
from ..graph.flushing import flush
from ..graph.guards import not_replayable
from ..graph.options import options
from ..graph.precision import current as precision
from ..graph.profile import Recorder as Timer
from ..graph.recorder import thread
from ..graph.symbolic import Known, Symbolic
from ..graph.transcript import Transcribing, Transcript
from ..random import get_generator
from ..tensor import Tensor
from ..tensor.sizes import asked as symbolic_shapes
from .dumping import Kept, dump, results_of
from .without_host import Signature

KINDS = 64  # of arguments, for which something is kept


P = ParamSpec("P")
R = TypeVar("R")
Q = ParamSpec("Q")
S = TypeVar("S")


class _Decorator(Protocol):
    """What ``trace`` with settings alone gives."""

    def __call__(self, function: Callable[Q, S]) -> trace[Q, S]: ...


class _Traced(ShownCalls, Generic[P, R]):
    """What a traced function does; :class:`trace` adds how it is made."""

    def __init__(
        self,
        function: Callable[P, R],
        symbolic: bool = False,
        capture_as_const: bool = False,
        record_only: bool = False,
        sublinear_memory_config: Any = None,
        dtr_config: Any = None,
        profiling: bool = False,
        opt_level: int = 2,
        graph_opt_config: Any = None,
        symbolic_shape: bool = True,
        without_host: bool = False,
        imperative: bool = False,
    ) -> None:
        if not callable(function):
            raise TypeError(f"trace() takes a function, not {type(function).__name__}")
        self._options = {
            "symbolic": symbolic, "capture_as_const": capture_as_const, "record_only": record_only, "profiling": profiling,
            "sublinear_memory_config": sublinear_memory_config, "dtr_config": dtr_config, "without_host": without_host,
        }  # fmt: skip
        self.__wrapped__ = function
        functools.update_wrapper(self, function)
        self._symbolic = symbolic or record_only
        self._record_only = record_only
        self._tensors_only = self._capture_as_const = capture_as_const or record_only
        self._kept: Kept | None = None
        chosen = sublinear_memory_config if dtr_config is None else dtr_config
        self._recompute: tuple[int, int] | None = None if chosen is None else chosen.recompute
        self._profiling = profiling
        self._profile: list[dict[str, Any]] | None = None
        self._without_host = without_host
        self._symbolic_shape = symbolic_shape
        self._known: OrderedDict[Any, Known] = OrderedDict()
        self._calls: OrderedDict[Any, Signature] = OrderedDict()

    def __repr__(self) -> str:
        name = getattr(self.__wrapped__, "__qualname__", None) or repr(self.__wrapped__)
        flags = [f for f in ("symbolic", "record_only", "without_host") if getattr(self, f"_{f}")]
        return f"trace({', '.join([name, *(f'{f}=True' for f in flags)])})"

    def __reduce__(self) -> Any:
        """One that a module defines is copied and pickled by its name; another is made again, without what it has recorded."""
        name = getattr(self, "__qualname__", None)
        found: Any = sys.modules.get(getattr(self, "__module__", None) or "")
        for part in (name or "").split("."):
            found = getattr(found, part, None)
        return name if found is self else (_made_again, (type(self), self.__wrapped__, self._options))

    def _shown_call(self) -> tuple[Callable[..., Any], str]:
        return self.__wrapped__, getattr(self.__wrapped__, "__name__", "traced")

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        if not self._symbolic_shape:
            return self._call_recomputing(args, kwargs)
        own = object()
        try:
            symbolic_shapes.append(own)
            return self._call_recomputing(args, kwargs)
        finally:
            if own in symbolic_shapes:  # else an interrupt came before
                symbolic_shapes.remove(own)

    def _call_recomputing(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        if self._recompute is None:
            return self._call_timed(args, kwargs)
        before, thread.recompute = thread.recompute, self._recompute
        try:
            return self._call_timed(args, kwargs)
        finally:
            thread.recompute = before

    def _call_timed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        if not self._profiling or thread.recorder.capture is not None:
            return self._call(args, kwargs)  # type: ignore[no-any-return]
        timer = Timer(kernels=False, backtrace=False, modules=False)
        try:
            timer.start()
            return self._call(args, kwargs)  # type: ignore[no-any-return]
        finally:
            try:
                self._profile = timer.stop()
            finally:
                timer.end()  # also after an interrupt before that began

    def get_profile(self) -> dict[str, Any]:
        """What ran in the last call, and how long.

        Returns:
            a dictionary whose ``"profiler"`` is a list of events in Chrome's trace format: programs with their ops, times in
            microseconds.

        Raises:
            RuntimeError: the function was made without ``profiling=True``, or has not been called.

        Example:
            >>> @megengine.jit.trace(profiling=True)
            ... def double(x):
            ...     return x * 2
            >>> y = double(Tensor([1.0, 2.0]))
            >>> [event["args"]["ops"] for event in double.get_profile()["profiler"] if event["ph"] == "X"]
            [{'mul': 1}]
        """
        if self._profile is None:
            raise RuntimeError("there is no profile: write trace(profiling=True), and call the function first")
        return {"profiler": self._profile}

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._tensors_only:
            for arg in args:
                if not isinstance(arg, Tensor):
                    raise AssertionError("Only support tensor type args when capture_as_const is enabled")
        if thread.recorder.capture is not None:
            result = self.__wrapped__(*args, **kwargs)
        elif self._without_host:
            result = self._call_without_host(args, kwargs)
        elif self._capture_as_const:
            return self._call_kept(args, kwargs)
        elif self._symbolic:
            result = self._call_symbolically(args, kwargs)
        else:
            result = self.__wrapped__(*args, **kwargs)
        if self._tensors_only:
            _check_results(result)
        return result

    def _call_symbolically(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = Symbolic()
        call.recorder.capture = call
        try:
            result = self.__wrapped__(*args, **kwargs)
            if call.whole:
                self._compare(call, args, kwargs)
        finally:
            thread.recorder.capture = None
            call.before.clear()  # what it holds could not be overwritten
        if call.steps and not self._record_only:
            flush("step")
        return result

    def _call_kept(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call it so that the call can be dumped."""
        named = {key: value for key, value in kwargs.items() if isinstance(value, Tensor)}
        transcript = Transcript([*args, *named.values()])
        call = Symbolic(transcript) if self._symbolic else Transcribing(transcript)
        try:
            transcript.begin()
            thread.recorder.capture = call
            result = self.__wrapped__(*args, **kwargs)
            _check_results(result)
            if isinstance(call, Symbolic) and call.whole:
                self._compare(call, args, kwargs)
            transcript.finish([] if result is None else results_of(result))
        finally:
            thread.recorder.capture = None  # also after an interrupt before the next line does so
            transcript.end()
            if isinstance(call, Symbolic):
                call.before.clear()
        if isinstance(call, Symbolic) and call.steps and not self._record_only:
            flush("step")
        self._kept = Kept(transcript, args, list(named), result)
        return result

    def dump(
        self,
        file: Any,
        *,
        arg_names: Sequence[str | None] | str | None = None,
        output_names: Sequence[str] | str | None = None,
        append: bool = False,
        keep_var_name: int = 1,
        keep_opr_name: bool = False,
        keep_param_name: bool = False,
        keep_opr_priority: bool = False,
        no_change_graph: bool = False,
        strip_info_file: Any = None,
        append_json: bool = False,
        optimize_for_inference: bool = True,
        user_info: Any = None,
        enable_metadata: bool = True,
        input_data: Any = None,
        repeat: int = 1,
        silent: bool = False,
        no_assert: bool = False,
        maxerr: float = 1e-4,
        resize_input: bool = False,
        input_transform: str | None = None,
        dump_format: str | None = None,
        model_version: int = 2,
        compat_older_version: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Write what the last call recorded to a file, from which :class:`megengine.utils.network.Network` reads it.

        What the function read besides its arguments becomes a constant of the graph, named as the parameter that it was. The file
        holds the graph as text and the weights as safetensors (see :doc:`/graph-files`), no code, and no MegEngine format:
        ``dump_format``, ``model_version`` and ``keep_opr_priority`` are accepted and change nothing.

        Args:
            file: a path, or a file open for writing bytes.
            arg_names: names of the positional arguments; default those of the tensors, else ``arg_0`` and so on. Tensors given
                by keyword are called as it is.
            output_names: names of the results; default what computes them. A function that returns a dictionary names them.
            append: add to the end of a file given by its path.
            keep_var_name: 0 for no names of variables, 1 for those of results and parameters, 2 for all.
            keep_opr_name: keep names and source lines of operators.
            keep_param_name: keep the names of parameters in any case.
            strip_info_file: a path or a text file to which the ops and dtypes used are written as JSON.
            append_json: add to what that file holds.
            optimize_for_inference: apply the options in ``kwargs``. ``enable_io16xc32`` and ``enable_ioc16`` keep values in
                float16, ``enable_fuse_conv_bias_nonlinearity`` folds batch norms into convolutions; MegEngine's other options of
                layouts and fusions are kept in the metadata only: XLA does both by itself.
            user_info: anything that JSON holds, kept in the metadata.
            enable_metadata: keep metadata.
            input_data: test data to embed with their results: ``"var0:file0;var1:file1"``, ``"#rand(min, max, shape...)"`` or
                ``"@file"``, or a list of these.
            repeat: how often data of files are repeated along the first axis.
            no_assert: embed test data without results.
            resize_input: make images as large as the input.
            input_transform: a Python expression of ``data`` that makes the input of what is in a file.

        Returns:
            a tuple of ``nr_opr``, ``tot_bytes``, ``tensor_value_bytes``, ``content_hash``, ``inputs``, ``outputs``, ``params``.

        Raises:
            ValueError: without ``capture_as_const=True``, before the first call, a wrong number of names, an unknown option.
            TypeError: names for results that have names.
            RuntimeError: the call reads values that it computes, trains a batch norm, or uses what a file cannot hold.

        Example:
            >>> import io
            >>> from megengine.utils.network import Network
            >>> net = M.Linear(3, 2)
            >>> @megengine.jit.trace(symbolic=True, capture_as_const=True)
            ... def predict(x):
            ...     return F.softmax(net(x))
            >>> y = predict(Tensor([[1.0, 2.0, 3.0]]))
            >>> file = io.BytesIO()
            >>> info = predict.dump(file, arg_names=["x"], output_names=["y"])
            >>> info.inputs, info.outputs, info.params
            (['x'], ['y'], ['weight', 'bias'])
            >>> _ = file.seek(0)
            >>> [operator.type for operator in Network.load(file).all_oprs]
            ['Host2DeviceCopy', 'ImmutableTensor', 'ImmutableTensor', 'MatrixMul', 'softmax']
        """
        if compat_older_version and (compat_older_version.strip() != "8.14" or no_change_graph or dump_format != "FBS"):
            raise AssertionError("compat_older_version is '8.14', with dump_format='FBS' and without no_change_graph")
        if not self._capture_as_const:
            raise ValueError("you must specify capture_as_const=True at __init__ to use dump")
        if self._without_host:
            raise ValueError("a function traced with without_host=True cannot be dumped: its calls skip the body")
        if self._kept is None:
            raise ValueError(
                "the traced function without return values cannot be dumped, and this one has not been called: call it first"
            )
        return dump(
            self._kept,
            file,
            arg_names=arg_names,
            output_names=output_names,
            append=append,
            keep_var_name=keep_var_name,
            keep_opr_name=keep_opr_name,
            keep_param_name=keep_param_name,
            strip_info_file=strip_info_file,
            append_json=append_json,
            optimize_for_inference=optimize_for_inference,
            user_info=user_info,
            enable_metadata=enable_metadata,
            tests={
                "specs": input_data,
                "repeat": repeat,
                "no_assert": no_assert,
                "resize_input": resize_input,
                "input_transform": input_transform,
            },
            options=kwargs,
        )

    def _compare(self, call: Symbolic, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        key = _key(args, kwargs, [])
        if key is None:
            return
        try:
            _of(self._known, (key, tuple(call.had_gradients)), Known).compare(call)
        except TraceError:
            call.undo()
            raise

    def _call_without_host(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        function = functools.partial(self.__wrapped__, *args, **kwargs)
        tensors: list[Any] = []
        if thread.recorder.tapes or options.eager or options.check_nan or sys.getprofile() is not None:
            return function()
        key = _key(args, kwargs, tensors)
        if key is None or any(t._node is not None and t._node.live() for t in tensors):
            return function()
        signature = _of(self._calls, key, Signature)
        return signature.call(self.__wrapped__, args, kwargs, tensors, self._symbolic)


class trace(_Traced[P, R]):
    """Record a function at each call, as MegEngine does; with ``without_host=True`` its calls skip the Python body.

    The body runs at every call, so that what it does besides tensors happens, what it reads may change, and it returns what it
    returns. Recording costs little, and the compiled program is found by what was recorded, so a traced function is as fast as
    one that is not.

    ``symbolic=True`` asks for one graph: a value that the function computes cannot be read inside it, and a call that records
    other operations than the first one with such arguments raises an error and leaves the tensors as they were.

    ``without_host=True`` asks to skip the body. The first two calls with arguments of given shapes and dtypes run it, later ones
    run the program directly and rebind what the body rebound: parameters, optimizer state, gradients, running statistics, random
    streams. What the body does besides tensors (printing, counting, appending to a list) happens only while it runs. It runs
    again when something that it can see has changed: variables, attributes, items of containers, arrays, modules and their
    parameters, ``training`` flags, numbers of optimizers. It runs at every call while it reads tensor values, draws from the
    random generators of NumPy or Python, uses an iterator, changes Python state that it also reads, leaves a tensor that it
    computes anywhere else than in its results, parameters, states and gradients, or did not record the same operations and
    numbers twice; a line in the log says which. What cannot be seen are clocks, files and the environment.

    Args:
        function: the function; without it, ``trace(...)`` is a decorator.
        symbolic: one graph, as above.
        capture_as_const: arguments and results have to be tensors, and ``dump`` can write the last call to a file, with
            what it read from outside as constants; tensors from outside are read at each call all the same.
        record_only: as ``symbolic`` with ``capture_as_const``; what was recorded runs when one of its values is read.
        without_host: skip the body, as above.
        profiling: time the programs of each call, for ``get_profile``.
        sublinear_memory_config, dtr_config: a training step within keeps less of its forward pass and computes it again where
            gradients need it.
        opt_level: accepted for compatibility; XLA optimises by itself.
        symbolic_shape: shapes inside have ``numpy()``; they are tuples of ints either way.
        graph_opt_config, imperative: accepted for compatibility.

    Raises:
        TraceError: with ``symbolic=True``, the body reads the value of a tensor that it computes, or a call records other
            operations than the first one.
        AssertionError: with ``capture_as_const=True``, an argument or a result is not a tensor.

    Example:
        >>> @megengine.jit.trace(symbolic=True)
        ... def double(x):
        ...     return x * 2
        >>> for _ in range(3):
        ...     y = double(megengine.Tensor([1.0, 2.0]))
        >>> y
        Tensor([2. 4.], device=xpux:0)
    """

    @overload
    def __new__(cls, function: Callable[P, R], *args: Any, **kwargs: Any) -> trace[P, R]: ...

    @overload
    def __new__(cls, **kwargs: Any) -> _Decorator: ...  # type: ignore[misc]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if not args and "function" not in kwargs:
            return functools.partial(cls, **kwargs)
        return super().__new__(cls)


def _made_again(cls: type[_Traced[P, R]], function: Callable[P, R], options: dict[str, Any]) -> _Traced[P, R]:
    """A copy of a traced function."""
    return cls(function, **options)


_keeping = threading.Lock()


def _of(known: OrderedDict[Any, Any], key: Any, make: Callable[[], Any]) -> Any:
    """What is kept for a key; the keys not used for longest are forgotten."""
    with _keeping:
        found = known.get(key)
        if found is None:
            found = known[key] = make()
            if len(known) > KINDS:
                known.popitem(last=False)
        else:
            known.move_to_end(key)
        return found


def _key(args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Any]) -> Any:
    """What calls have in common whose arguments are alike; None if an argument cannot be compared. Collects their tensors."""
    key: Any = _settings(), _flatten((args, kwargs) if kwargs else args, tensors)
    if len(tensors) > 1 and len({*map(id, tensors)}) < len(tensors):
        ids = [*map(id, tensors)]
        key = key, tuple(map(ids.index, ids))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _settings() -> Any:
    """Settings of the process and the thread that operations are recorded under."""
    return precision(), resolve(None), get_generator()


def _flatten(args: Any, tensors: list[Any]) -> Any:
    """A hashable key of nested arguments; tensors, by shape, dtype and device, are collected in order."""
    if isinstance(args, Tensor):
        tensors.append(args)
        value = args._value
        return value.aval if value.device.is_default else (value.aval, value.device.physical)
    if isinstance(args, (tuple, list)):
        return type(args), tuple([_flatten(a, tensors) for a in args])
    if isinstance(args, dict):
        return type(args), tuple([(k, _flatten(v, tensors)) for k, v in args.items()])
    return type(args), args.hex() if type(args) is float else args


def _check_results(result: Any) -> None:
    """With ``capture_as_const``, a function returns tensors.

    Raises:
        AssertionError: it returned something else.
    """
    if result is None:
        return
    if isinstance(result, Mapping):
        result = list(result.values())
    elif not isinstance(result, Sequence):
        result = [result]
    if not all(isinstance(r, Tensor) for r in result):
        raise AssertionError("Only support return tensors when capture_as_const is enabled")


def is_tracing() -> bool:
    """Whether a traced function is being recorded: code that programs copy from MegEngine asks.

    Example:
        >>> from megengine.jit.tracing import is_tracing
        >>> is_tracing()
        False
    """
    return thread.recorder.capture is not None


@contextmanager
def exclude_from_trace() -> Iterator[None]:
    """Inside a traced function: code that must run at every call, so the whole body does.

    Example:
        >>> calls = []
        >>> @megengine.jit.trace
        ... def f(x):
        ...     with megengine.jit.exclude_from_trace():
        ...         calls.append(x.shape)
        ...     return x + 1
        >>> for _ in range(5):
        ...     y = f(megengine.Tensor([1.0]))
        >>> len(calls)
        5
    """
    not_replayable("exclude_from_trace")
    yield
