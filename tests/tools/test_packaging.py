"""What the command needs is installed with it."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path

from megengine.tools import mge


def test_the_command_is_declared() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"]["mge"] == f"{mge.__name__}:{mge.main.__name__}"
    assert any(requirement.startswith("tqdm") for requirement in project["dependencies"])


def test_the_pages_files_are_in_the_package() -> None:
    report = resources.files("megengine.tools.report") / "assets"
    assert {file.name for file in report.iterdir()} >= {"template.html", "style.css", "page.js"}
    graph = resources.files("megengine.graph.pictures") / "assets"
    assert {file.name for file in graph.iterdir()} >= {"page.html", "graph.html", "graph.css", "layout.js", "graph.js"}


def test_the_vendored_layouter_has_its_licence_and_origin() -> None:
    assets = resources.files("megengine.graph.pictures") / "assets"
    script, licence, origin = (
        (assets / f"dagre.{name}").read_text(encoding="utf-8") for name in ("min.js", "LICENSE", "ORIGIN")
    )
    assert len(script) < 300_000 and "Permission is hereby granted, free of charge" in licence
    version = re.search(r"dagre (\d+\.\d+\.\d+)", origin)
    assert version is not None and f'"{version[1]}"' in script
