"""The rooms of the package, in one table, and what each imports from; docs/rooms_page.py draws them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.imports import dotted, graph_of  # noqa: E402

PACKAGE = ROOT / "megengine"


@dataclass(frozen=True)
class Room:
    """Files that belong together.

    Attributes:
        name: what the picture calls it.
        files: folders (which end in ``/``) and files below the package, separated by spaces; the longest one that fits a file
            says which room it is in.
        sentence: what it is for.
    """

    name: str
    files: str
    sentence: str


def of_graph(name: str, files: str, sentence: str) -> Room:
    """A room of ``graph/``; ``apply`` stands for ``graph/apply.py``, ``host/`` for the folder."""
    return Room(name, " ".join(f"graph/{f}" if f.endswith("/") else f"graph/{f}.py" for f in files.split()), sentence)


# In the order in which a call goes through them: a room may import from those below it, and from no other.
ROOMS = [
    Room("tools", "tools/", "The `mge` command: train, run, check, and looking at programs and models."),
    Room("hub", "hub/", "Models from repositories, and weights from addresses."),
    Room("amp", "amp/ experimental/", "Mixed precision, the scaler of gradients, layouts of parameters."),
    Room("onnx", "onnx/", "Models in ONNX: an operator and a rule each, to write and to read."),
    Room("jit", "jit/", "`jit.trace`: a function as one graph, whose body need not run again."),
    Room("traced_module", "traced_module/", "Modules as graphs of calls: traced, changed, saved without their source."),
    Room("quantization", "quantization/", "Quantization: observers, rounding in training, conversion to integers."),
    Room("utils", "utils/", "MegEngine's helpers: statistics of models, profiles, TensorBoard."),
    Room("serialization", "serialization/", "Checkpoints: written whole, read safely, in several formats."),
    Room("core", "core/", "Private names of MegEngine that programs import."),
    Room("network", "network/", "Graphs from files, MegEngine's too, as nodes: run, changed, named, written again."),
    Room("operators", "core/ops/", "MegEngine's operators as objects with settings."),
    Room("optimizer", "optimizer/", "Optimizers: what they keep of a parameter, and the update of one."),
    Room("module", "module/", "Layers and models: parameters by name, and a forward in `functional`."),
    Room("autodiff", "autodiff/", "`GradManager` and functions with gradients of their own."),
    Room("functional", "functional/", "Public functions: documentation, argument checks, defaults, and the call of an op."),
    Room("random", "random/", "Generators of random numbers: seeds, states, distributions."),
    Room("distributed", "distributed/", "Groups of processes and what they send each other."),
    Room("data", "data/", "Datasets, transforms, collators, and the loader."),
    Room("data/workers", "data/workers/", "The worker processes of a loader, their transport, what stands for the engine there."),
    Room(
        "data/batches",
        "data/batching.py data/iterators.py data/position.py data/sampler.py data/vectorise.py data/worker_info.py",
        "What a pass over a dataset is made of: indices, samples, batches, and how far it has come.",
    ),
    Room("settings", "config.py device.py dtr.py", "The settings, and the devices, that programs name."),
    Room("tensor", "tensor/", "What a user holds: `Tensor`, its operators, indexing and axes."),
    of_graph("graph", "__init__", "The front of the engine: what layers, optimizers and programs use of it."),
    of_graph("inspection", "inspect called explain profile sanity", "What shows graphs and programs: listings, calls, profiles."),
    of_graph("exchange", "exchange/", "A graph as a file: its format, written and read."),
    of_graph(
        "pictures", "pictures/", "Graphs as pages, SVG, DOT and tables: folded by module, with what each part costs."
    ),
    of_graph("replay", "capture replay symbolic transcript", "Calls that are recorded once and run again without recording."),
    of_graph(
        "apply",
        "apply backward partition transfer modes ahead sized",
        "Recording: ops, their gradients, and settings for a while.",
    ),
    of_graph(
        "execution",
        "flushing fast_path execute checks located recompile step shared",
        "When to run what is pending, how it is run, and what only its numbers show.",
    ),
    of_graph(
        "programs",
        "program background warm executables serials spanning ending",
        "Executables: compiled, kept in memory and on the disk, bounded.",
    ),
    of_graph("tape", "tape liveness", "Gradient nodes, and which values still live."),
    of_graph("recorder", "recorder forked guards together host_data", "What one thread has recorded and not run yet."),
    of_graph(
        "ir",
        "ir equations printing verify build recording pullbacks donate lower straight_line passes/ layout/",
        "The graph as data: functions of equations, the passes over them, and their lowering to JAX.",
    ),
    of_graph("trie", "trie", "What recording walks: one node for each structure met so far."),
    of_graph(
        "traces",
        "traced polymorphic template concrete elementwise infer ranks stored/",
        "The jaxprs of ops, for inference, both tiers and VJPs; those that the package comes with.",
    ),
    of_graph("host", "host/ symbols written", "The tier that needs no compiler: jaxprs as NumPy calls."),
    of_graph(
        "platform",
        "blas calling collectives compiler memory patience runtime sound tiers",
        "Memory, threads, processes, signals, and JAX's settings.",
    ),
    of_graph(
        "leaves",
        "caches counters device dtypes errors flights host_array identity interchange jax_state listener names narrowing "
        "options origins precision scalars scopes signature source spent splits value",
        "What all of the graph uses: abstract values, values and handles, devices, dtypes, settings, source lines.",
    ),
    Room("ops", "ops/", "The table of operators: pure functions of JAX arrays."),
    Room("support", "_support/ _help/ logger.py version.py", "Files, downloads, tables, words of errors, logging."),
]  # fmt: skip


ENTRIES = [(entry, room.name) for room in ROOMS for entry in room.files.split()]


def entry_of(file: str) -> tuple[int, str] | None:
    """The longest entry of ROOMS that a path below the package fits: its length, and the room."""
    fitting = ((len(e), name) for e, name in ENTRIES if file == e or (e[-1] == "/" and file.startswith(e)))
    return max(fitting, default=None)


def room_of(file: str) -> str:
    """The name of the room that a file is in, by its path below the package; empty for the package's front, which imports all.

    Raises:
        LookupError: it is in none.
    """
    found = entry_of(file)
    if found is None and file != "__init__.py":
        raise LookupError(f"megengine/{file} is in no room: add it to ROOMS in docs/rooms.py")
    return "" if found is None else found[1]


def room_named(name: str) -> str:
    """The room of what an import statement names, a module or a name in one without ``megengine.``; empty for the front."""
    path = name.replace(".", "/")
    holder = path.rpartition("/")[0]
    found = max(filter(None, map(entry_of, (f"{path}.py", f"{path}/__init__.py", f"{holder}.py"))), default=None)
    return (found or entry_of(f"{holder}/__init__.py") or (0, ""))[1]


def uses(package: Path = PACKAGE) -> dict[str, set[str]]:
    """Which rooms each room imports from."""
    rooms = {dotted(path, package): room_of(path.relative_to(package).as_posix()) for path in package.rglob("*.py")}
    found: dict[str, set[str]] = {room.name: set() for room in ROOMS}
    for file, targets in graph_of(package).items():
        if rooms[file]:
            found[rooms[file]] |= {rooms[target] for target in targets} - {rooms[file], ""}
    return found


def direct(used: Mapping[str, Set[str]]) -> dict[str, set[str]]:
    """Of what each room uses, what it does not also reach by way of another: the arrows of the picture."""
    reached: dict[str, set[str]] = {}
    for room in reversed(ROOMS):
        targets = used[room.name]
        reached[room.name] = set(targets).union(*(reached.get(t, ()) for t in targets))
    return {
        name: {t for t in targets if not any(t in reached.get(o, ()) for o in targets)}
        for name, targets in used.items()
    }
