"""What the command needs is installed with it."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

from megengine.tools import mge


def test_the_command_is_declared() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"]["mge"] == f"{mge.__name__}:{mge.main.__name__}"
    assert any(requirement.startswith("tqdm") for requirement in project["dependencies"])


def test_the_reports_files_are_in_the_package() -> None:
    assets = resources.files("megengine.tools.report") / "assets"
    assert {file.name for file in assets.iterdir()} >= {
        "template.html",
        "style.css",
        "page.js",
        "layout.js",
        "graph.js",
    }
