"""A graph from a file, to be looked at, changed and written again: MegEngine's ``Network``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..graph.pictures.shown import Shown, write_model
from ..logger import get_logger
from . import files
from .conversion import to_model, to_nodes
from .filters import NodeFilter
from .inference import find_vars_by_name
from .nodes import Host2DeviceCopy, ImmutableTensor, OpNode
from .optimization import optimized
from .order import dependencies, operators
from .variables import Graph, VarNode

if TYPE_CHECKING:
    from ..graph.pictures.picture import Picture

logger = get_logger(__name__)


class Network(Shown):
    """A computing graph as operators and variables.

    What functions and operators make of a ``VarNode`` is another one, of the same graph, so a
    graph is extended by computing with its variables.

    Attributes:
        input_vars, output_vars: its inputs and outputs.

    Example:
        >>> import io
        >>> from megengine.utils.network import Network
        >>> @megengine.jit.trace(symbolic=True, capture_as_const=True)
        ... def double(x):
        ...     return x * 2
        >>> y = double(Tensor([1.0, -2.0]))
        >>> file = io.BytesIO()
        >>> info = double.dump(file, arg_names=["x"], output_names=["y"])
        >>> _ = file.seek(0)
        >>> graph = Network.load(file)
        >>> y = graph.get_var_by_name("y")
        >>> positive = F.relu(y)
        >>> positive.name = "positive"
        >>> graph.remove_output(y); graph.add_output(positive)
        >>> changed = io.BytesIO()
        >>> graph.dump(changed).outputs
        ['positive']
    """

    def __init__(self) -> None:
        self.graph = Graph()
        self.input_vars: list[VarNode] = []
        self.output_vars: list[VarNode] = []
        self._metadata: Mapping[str, Any] | None = None

    @classmethod
    def load(cls, model_path: Any, outspec: Sequence[str] | None = None) -> Network:
        """Read a graph.

        Args:
            model_path: a path, or a file open for reading bytes.
            outspec: names of variables to be the outputs instead.

        Raises:
            GraphFileError: the file is no graph, is damaged, or was written by a newer version.
            AssertionError: there is no variable of a name.
        """
        self = cls()
        model = files.read(model_path)
        self.graph, self.input_vars, self.output_vars = to_nodes(model)
        self._metadata = model.metadata
        if outspec is not None:
            self.output_vars = find_vars_by_name(self.output_vars, outspec)
            self.input_vars = self._inputs_in_use()
        return self

    @property
    def metadata(self) -> dict[str, Any] | None:
        """What is kept beside the graph: ``user_info``, whether it was changed since it was traced, and options; None without."""
        return None if self._metadata is None else dict(self._metadata)

    def dump(
        self,
        file: Any,
        *,
        keep_var_name: int = 1,
        keep_opr_name: bool = False,
        keep_param_name: bool = False,
        keep_opr_priority: bool = False,
        strip_info_file: Any = None,
        append_json: bool = False,
        optimize_for_inference: bool = True,
        append: bool = False,
        user_info: Any = None,
        enable_metadata: bool = True,
        dump_format: str | None = None,
        compat_older_version: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Write the graph; see ``jit.trace.dump``.

        Raises:
            ValueError: an option is unknown.
            RuntimeError: the graph holds what a file cannot.
        """
        if compat_older_version and (compat_older_version.strip() != "8.14" or dump_format != "FBS"):
            raise AssertionError("compat_older_version is '8.14', with dump_format='FBS'")
        for name in ("arg_names", "output_names"):
            if kwargs.pop(name, False):
                logger.warning('"%s" is not supported in Network.dump, rename variables directly', name)
        self._compile()
        # Outputs keep the names that they have here, made or given: that is how they are found in results.
        outputs = {v._itself for v in self.output_vars}
        model = to_model(self.output_vars, self.input_vars, lambda v: v.name if v in outputs else v.given_name)
        chosen: dict[str, bool] = {}
        if optimize_for_inference:
            model, chosen = optimized(model, kwargs)
        if enable_metadata:
            asked = {"optimized_for_inference": bool(optimize_for_inference), **chosen}
            model.metadata = {"user_info": user_info, "graph_modified": True, **asked}
        files.strip_names(model, keep_var_name, keep_opr_name, keep_param_name)
        length, digest = files.write(model, file, append)
        if strip_info_file is not None:
            files.strip_info(model, strip_info_file, digest, append_json)
        return files.info(model, length, digest)

    def _compile(self) -> None:
        """Find shapes and dtypes again.

        Raises:
            RuntimeError: an operator does not take what it reads now.
        """
        for node in self.all_oprs:
            node.compile()

    compile = _compile

    def optimize_for_inference(self, dest_vars: Any, **kwargs: Any) -> list[VarNode]:
        """Variables of a new graph that is as the options ask; see ``jit.trace.dump``."""
        given = [dest_vars] if isinstance(dest_vars, VarNode) else list(dest_vars)
        model, _ = optimized(to_model(given, self.input_vars, lambda var: var.name), kwargs)
        return to_nodes(model)[2]

    def picture(self) -> Picture:
        """The graph as something to see: ``show()``, ``save("graph.html")``."""
        outputs = {v._itself for v in self.output_vars}
        model = to_model(self.output_vars, self.input_vars, lambda v: v.name if v in outputs else v.given_name)
        return model.picture()

    def _write_model(self, path: Path) -> None:
        write_model(self, path)

    def _pictures(self) -> Sequence[Picture]:
        return [self.picture()]

    def __repr__(self) -> str:
        reads, gives = (
            ", ".join(f"{v.name}: {v.shape}" for v in several) for several in (self.input_vars, self.output_vars)
        )
        return f"<network of {len(self.all_oprs)} operators: {reads} -> {gives}>"

    def make_const(self, data: Any, name: str | None = None, device: Any = None) -> VarNode:
        """A new constant."""
        return ImmutableTensor(data, name, device, self.graph).outputs[0]

    def make_input_node(self, shape: Any, dtype: Any, name: str | None = None, device: Any = None) -> VarNode:
        """A new input."""
        return Host2DeviceCopy(shape, dtype, name, device, self.graph).outputs[0]

    def add_output(self, *vars: VarNode) -> None:
        """Make variables outputs."""
        for var in vars:
            if not any(var._itself is v._itself for v in self.output_vars):
                self.output_vars.append(var)
        self.input_vars += [v for v in self._inputs_in_use() if not any(v is known for known in self.input_vars)]

    def remove_output(self, *vars: VarNode) -> None:
        """Make variables no outputs."""
        for var in vars:
            rest = [v for v in self.output_vars if v._itself is not var._itself]
            if len(rest) == len(self.output_vars):
                logger.warning("Failed to remove %s. Please check whether this node is in the output list.", var.name)
            self.output_vars = rest

    def add_dep_oprs(self, *vars: VarNode) -> list[VarNode]:
        """The variables, all that they depend on being part of the graph already; those of the outputs if none is given."""
        assert all(isinstance(var, VarNode) for var in vars), "Only support add VarNode"
        return list(vars or self.output_vars)

    def modify_opr_names(self, modifier: str | Callable[[str], str]) -> None:
        """Rename all operators.

        Args:
            modifier: what comes before each name and a dot, or a function from name to name.
        """
        change = (lambda name: f"{modifier}.{name}") if isinstance(modifier, str) else modifier
        renamed = [(node, change(node.name)) for node in self.all_oprs]  # before one is: names are made of others
        for node, name in renamed:
            assert isinstance(name, str)
            node.name = name

    def reset_batch_size(self, batchsize: int, *, blacklist: Sequence[str] = ()) -> None:
        """Change the first dimension of all inputs.

        Args:
            batchsize: the new one.
            blacklist: names of inputs whose first dimension is something else.

        Raises:
            AssertionError: inputs have different ones, there is no input, or a name is none of an input.
            RuntimeError: an operator, such as a sum with a constant of the former size, does not take it.
        """
        rest, before = set(blacklist), None
        for node in self.data_providers_filter:
            if node.name in rest:
                rest.remove(node.name)
                continue
            shape = node.shape
            assert before in (None, shape[0]), f"batchsize mismatch: batchsize={before} shape={shape} dp={node.name}"
            before = shape[0]
            node.shape = (batchsize, *shape[1:])
        assert before is not None, "no data provider found"
        assert not rest, f"unused items in blacklist: {rest}"
        self._compile()

    def replace_vars(self, repl_dict: Mapping[VarNode, VarNode]) -> None:
        """Have operators read other variables.

        Args:
            repl_dict: what each is replaced by.
        """
        instead = {old._itself: new._itself for old, new in repl_dict.items()}
        for node in self.all_oprs:
            if any(v in instead for v in node.inputs):
                node.read([instead.get(v, v) for v in node.inputs])
        self.input_vars = self._inputs_in_use()
        self._compile()

    def replace_oprs(self, repl_dict: Mapping[OpNode, OpNode]) -> None:
        """Have other operators give the outputs of some.

        Args:
            repl_dict: what each is replaced by; both have as many outputs.
        """
        for node in self.all_oprs:
            new = repl_dict.get(node)
            if new is None:
                continue
            assert len(node.outputs) == len(new.outputs), f"can not replace {type(node)} with {type(new)}"
            for var in node.outputs:
                var._owner = new
            new.outputs = node.outputs
        self.input_vars = self._inputs_in_use()
        self._compile()

    def _inputs_in_use(self) -> list[VarNode]:
        """The inputs that outputs depend on, those known before first."""
        used = [n.outputs[0] for n in dependencies(self.output_vars) if isinstance(n, Host2DeviceCopy)]
        known = [v for v in self.input_vars if any(v is u for u in used)]
        return [*known, *(u for u in sorted(used, key=lambda v: v.id) if not any(u is v for v in known))]

    def get_opr_by_type(self, oprcls: type, unique: bool = True) -> Any:
        """The operator of a class, or all of them in a list."""
        assert issubclass(oprcls, OpNode)
        return self._one(self.opr_filter.type(oprcls), f"type {oprcls}", unique)

    def get_opr_by_name(self, name: str, unique: bool = True) -> Any:
        """The operator of a name, or all of them in a list."""
        return self._one(self.opr_filter.name(name), f"name {name}", unique)

    def get_var_by_name(self, name: str, unique: bool = True) -> Any:
        """The variable of a name, or all of them in a list."""
        return self._one(self.var_filter.name(name), f"name {name}", unique)

    @staticmethod
    def _one(nodes: NodeFilter, what: str, unique: bool) -> Any:
        found = nodes.as_list()
        assert not unique or len(found) == 1, f"{len(found)} nodes of {what} found"
        return found[0] if unique else found

    def get_var_receive_oprs(self, var: VarNode) -> list[OpNode]:
        """The operators that read a variable."""
        return self.opr_filter.has_input(var).as_list()

    def get_dep_oprs(self, var: VarNode | Sequence[VarNode]) -> list[OpNode]:
        """The operators that a variable depends on."""
        return operators([var] if isinstance(var, VarNode) else var)

    @property
    def opr_filter(self) -> NodeFilter:
        """All operators."""
        return NodeFilter(self.all_oprs)

    @property
    def var_filter(self) -> NodeFilter:
        """All variables."""
        return NodeFilter(self.all_vars)

    @property
    def params_filter(self) -> NodeFilter:
        """All constants."""
        return self.opr_filter.param_provider()

    @property
    def data_providers_filter(self) -> NodeFilter:
        """All inputs."""
        return self.opr_filter.data_provider()

    @property
    def dest_vars(self) -> list[VarNode]:
        """The outputs."""
        return self.output_vars

    @property
    def all_oprs(self) -> list[OpNode]:
        """The operators that the outputs depend on, in an order in which they can run."""
        return operators(self.output_vars)

    @property
    def all_vars(self) -> list[VarNode]:
        """The variables that the outputs depend on."""
        return [v for node in dependencies(self.output_vars) for v in node.outputs]

    @property
    def all_vars_dict(self) -> OrderedDict[str, VarNode]:
        """The variables by name."""
        return self.var_filter.as_dict()

    @property
    def all_oprs_dict(self) -> OrderedDict[str, OpNode]:
        """The operators by name."""
        return self.opr_filter.as_dict()
