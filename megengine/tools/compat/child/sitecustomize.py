"""Loaded by every Python process that a program under ``mge run`` starts, before anything else of it.

It is plain enough for any Python: one that is too old for the package, or cannot load it, goes on as if this file were not here.
"""

# mypy: ignore-errors

import os
import sys


def _enter():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    if sys.version_info >= (3, 11) and os.environ.get("MEGENGINE_RUN"):
        from importlib.util import module_from_spec, spec_from_file_location

        folder = os.path.dirname(here)
        init = os.path.join(folder, "__init__.py")
        spec = spec_from_file_location("megengine_old_names", init, submodule_search_locations=[folder])
        package = module_from_spec(spec)
        sys.modules[spec.name] = package
        spec.loader.exec_module(package)
        from megengine_old_names.environment import enter

        enter()


def _go_on():
    """The next module of this name on the path, if there is one, which this one stands before."""
    own = sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if getattr(error, "name", None) != "sitecustomize":
            raise
        if own is not None:
            sys.modules["sitecustomize"] = own


_enter()
_go_on()
