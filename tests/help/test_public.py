"""dir() of the package's modules lists public names only, and all of them."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import pytest

import megengine
import megengine.data.transform
import megengine.functional as F
import megengine.module as M


def _public_modules() -> list[str]:
    found = [name for _, name, _ in pkgutil.walk_packages(megengine.__path__, "megengine.")]
    return ["megengine", *(name for name in found if "._" not in name)]


@pytest.mark.parametrize("name", _public_modules())
def test_what_a_module_lists_is_its_own(name: str) -> None:
    module = importlib.import_module(name)
    listed = dir(module)
    assert not [n for n in listed if n.startswith("_")]
    assert all(hasattr(module, n) for n in listed)
    strangers = {
        "np",
        "Any",
        "annotations",
        "Callable",
        "Sequence",
        "jax",
        "jnp",
        "os",
        "sys",
        "math",
        "partial",
        "dataclass",
    }
    strangers -= set(getattr(module, "__all__", ())) | ({"math"} if module is F else set())
    assert not [n for n in strangers & set(listed) if getattr(getattr(module, n), "__module__", None) != name]


@pytest.mark.parametrize(
    ("module", "some"),
    [
        (F, {"relu", "concat", "nn", "vision", "loss", "metric"}),
        (F.vision, {"interpolate", "nms", "roi_align"}),
        (F.loss, {"cross_entropy", "l1_loss"}),
        (M, {"Linear", "Conv2d", "Module", "init"}),
        (megengine, {"Tensor", "tensor", "functional", "module", "save", "load", "utils", "serialization"}),
        (megengine.optimizer, {"SGD", "Adam", "clip_grad_norm", "LRScheduler"}),
        (megengine.optimizer.adam, {"Adam"}),
        (megengine.data.transform, {"Compose", "Normalize"}),
        (megengine.autodiff, {"GradManager", "Function"}),
        (megengine.hub.const, {"HUBCONF"}),
    ],
)
def test_public_names_are_all_there(module: ModuleType, some: set[str]) -> None:
    assert some <= set(dir(module))
